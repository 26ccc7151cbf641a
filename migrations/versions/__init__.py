"""The versions, one per file, in the order of their numbers. A released version never changes."""
