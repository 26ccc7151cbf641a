"""The database's schema: versions make the tables, and each function and view has a file. The only place with DDL."""
