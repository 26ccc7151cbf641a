"""Examines a deployment without changing it: `rosterlog doctor`."""
