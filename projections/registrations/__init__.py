"""Folds the daily counts: registrations per race, sub-event and day."""
