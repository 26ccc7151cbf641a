"""Rooms against a real PostgreSQL, each test on a database of its own."""
