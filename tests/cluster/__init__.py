"""The rungs of `docs/scale.md` under load, with real pools and servers that fail in the middle: `make test-cluster`."""
