"""Side by side measurements, run by hand with `make bench`. On loopback, bounded in number and time."""
