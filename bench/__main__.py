"""`python -m bench [NAME ...]`: the measurements named, or all of them, one after the other."""

import sys

from bench import api, deliveries, following, growth, proof, rebuild, reporting
from bench.machine import database, server

MEASUREMENTS = {
    "api": api.measure,
    "deliveries": deliveries.measure,
    "following": following.measure,
    "growth": growth.measure,
    "proof": proof.measure,
    "rebuild": rebuild.measure,
    "rebuild-growth": rebuild.measure_growth,
    "reporting": reporting.measure,
}
# These measurements make their own databases; each other one is given a database.
ON_THE_SERVER = ("api", "following", "growth", "rebuild", "rebuild-growth", "reporting")

for name in sys.argv[1:] or MEASUREMENTS:
    print(f"\n# {name}")
    with server() as conninfo:
        MEASUREMENTS[name](conninfo if name in ON_THE_SERVER else database(conninfo, name))
