"""Follows the log, whatever is projected: builds, checkpoints, quarantine, the worker."""
