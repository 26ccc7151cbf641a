"""Compares the roster with its own log, and with what the source lists: a file, or a number."""
