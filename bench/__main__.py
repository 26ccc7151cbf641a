"""`python -m bench [NAME ...]`: the measurements named, or all but those that need another checkout."""

import sys

from bench import (
    answers,
    api,
    appending,
    counting,
    deliveries,
    dividing,
    following,
    growth,
    pages,
    proof,
    rebuild,
    reconcile,
    releases,
    reporting,
)
from bench.machine import database, server

MEASUREMENTS = {
    "answers": answers.measure,
    "api": api.measure,
    "appending": appending.measure,
    "counting": counting.measure,
    "deliveries": deliveries.measure,
    "dividing": dividing.measure,
    "following": following.measure,
    "growth": growth.measure,
    "pages": pages.measure,
    "proof": proof.measure,
    "rebuild": rebuild.measure,
    "rebuild-growth": rebuild.measure_growth,
    "reconcile": reconcile.measure,
    "releases": releases.measure,
    "reporting": reporting.measure,
}
BESIDE_ANOTHER = ("counting", "dividing", "releases")  # these need another checkout
# These measurements make their own databases; each other one is given a database.
ON_THE_SERVER = (
    "answers",
    "api",
    "appending",
    "dividing",
    "following",
    "growth",
    "pages",
    "rebuild",
    "rebuild-growth",
    "reconcile",
    "releases",
    "reporting",
)

for name in sys.argv[1:] or [name for name in MEASUREMENTS if name not in BESIDE_ANOTHER]:
    print(f"\n# {name}")
    with server() as conninfo:
        MEASUREMENTS[name](conninfo if name in ON_THE_SERVER else database(conninfo, name))
