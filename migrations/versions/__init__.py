"""One version a file, in the order of their numbers. What a version did once, it does for ever: it never changes."""
