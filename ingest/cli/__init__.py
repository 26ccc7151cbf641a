"""The commands that receive and keep: each asks and prints, and holds no step of anything."""
