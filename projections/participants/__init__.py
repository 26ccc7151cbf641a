"""Folds the roster: an event's body becomes a state, states become rows of a build."""
