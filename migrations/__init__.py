"""The database's schema: versions that make tables, and a file for each function and view. The only place with DDL."""
