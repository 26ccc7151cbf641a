"""Folds the log into the tables of any projection: builds, checkpoints, quarantine, the worker."""
