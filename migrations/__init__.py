"""The database's schema, one file a step. The only place with DDL."""
