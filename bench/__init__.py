"""Measurements, each beside a yardstick, run by hand with `make bench`: on loopback, bounded in number and time."""
