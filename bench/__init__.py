"""Side by side measurements, run by hand with `make bench`."""
