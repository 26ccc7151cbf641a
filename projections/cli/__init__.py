"""The commands that make the log answer questions: each asks and prints, and holds no step of anything."""
