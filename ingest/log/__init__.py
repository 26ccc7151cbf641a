"""The event log: append, read, and the words both use. Nothing here changes an event once it is written."""
