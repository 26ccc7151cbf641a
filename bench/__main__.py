"""`python -m bench [NAME ...]`: the measurements, one after the other. Bounded in number and time, on loopback."""

import sys

from bench import deliveries, growth, proof
from bench.machine import database, server

MEASUREMENTS = {"deliveries": deliveries.measure, "growth": growth.measure, "proof": proof.measure}

for name in sys.argv[1:] or MEASUREMENTS:
    print(f"\n# {name}")
    with server() as conninfo:
        MEASUREMENTS[name](conninfo if name == "growth" else database(conninfo, name))
