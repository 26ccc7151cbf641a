"""Fills a log quickly: calls `append_events` in large batches, with bodies that are cheap to make."""

import time
from collections.abc import Iterable, Sequence
from typing import Any

import psycopg

from bench.load import SECRET
from ingest.delivery import JsonObject
from ingest.signature import sign
from ingest.simulator.people import body_of, person

_APPEND = b"select count(*) from append_events(%b, %b::bytea[], %b::text[], %b::text[], %b::text[])"
_FILL_BATCH = 1_000
_PEOPLE = [person(1, number) for number in range(500)]

Arrays = tuple[list[bytes], list[str], list[str], list[str]]  # bodies, signatures, types, subjects
Patterns = Sequence[Sequence[bytes]]  # per body: the part before the participant's id, and the part after it


def _patterns(people: Iterable[JsonObject]) -> Patterns:
    return [body_of(participant).split(str(participant["id"]).encode(), 1) for participant in people]


def _without_answers(participant: JsonObject) -> JsonObject:
    """The participant with remarks in place of the answers; the body stays as long."""
    shorter = {key: value for key, value in participant.items() if key != "answers"} | {"remarks": ""}
    return {**shorter, "remarks": "x" * (len(body_of(participant)) - len(body_of(shorter)))}


PATTERNS = _patterns(_PEOPLE)
WITHOUT_ANSWERS = _patterns(map(_without_answers, _PEOPLE))


def deliveries(first: int, count: int, patterns: Patterns = PATTERNS) -> Arrays:
    """Deliveries of about 620 bytes each, about the participants with the ids `first`, `first` + 1, ..."""
    ids = range(first, first + count)
    bodies = [patterns[number % 500][0] + b"%d" % number + patterns[number % 500][1] for number in ids]
    signatures = [sign(body, SECRET) for body in bodies]
    return bodies, signatures, ["event.participant.created"] * count, [str(number) for number in ids]


def append(connection: psycopg.Connection[Any], arrays: Arrays, batch: int) -> float:
    """Append in batches, one commit each; give the microseconds per event. The connection is in autocommit mode."""
    count = len(arrays[0])
    parts = [[array[begin : begin + batch] for array in arrays] for begin in range(0, count, batch)]
    begun = time.perf_counter()
    for part in parts:
        connection.execute(_APPEND, ("movemint", *part), binary=True)
    return (time.perf_counter() - begun) / count * 1e6


def fill(connection: psycopg.Connection[Any], first: int, count: int, patterns: Patterns = PATTERNS) -> None:
    for begin in range(first, first + count, 50_000):
        append(connection, deliveries(begin, min(50_000, first + count - begin), patterns), _FILL_BATCH)
        print(".", end="", flush=True)
    print(f" {count:,} events")
