"""The real commands as child processes."""
