"""The fault run: real processes under the simulator's load, while everything that can fail does, again and again."""
