"""The event log: append, read, list, verify, erase. A written event never changes, but an erasure empties its body."""
