"""The deliveries of `rosterlog up --demo`: always the same ones, so that a log that has one of them is known."""

import hashlib

from ingest.simulator.plan import Amount, Wishes, plan

WISHES = Wishes(count=240, participants=200, duplicates=Amount(24), reorder=Amount(24), corrupt=Amount(1), seed=2026)


def demo_digests() -> list[bytes]:
    """The SHA-256 of each delivery of the demo."""
    return [hashlib.sha256(planned.body).digest() for planned in plan(WISHES)]
