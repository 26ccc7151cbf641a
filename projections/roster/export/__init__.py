"""The roster as a file, in each of the formats."""
