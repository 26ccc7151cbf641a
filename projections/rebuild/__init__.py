"""Rebuilds a projection: folds the log into a new build, compares it with the live one, and swaps the two."""
