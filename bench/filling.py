"""Fills a log quickly: the append function in large batches, with bodies that are cheap to make."""

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

Arrays = tuple[list[bytes], list[str], list[str], list[str]]
Patterns = Sequence[Sequence[bytes]]  # a body before and after the participant's id


def _patterns(people: Iterable[JsonObject]) -> Patterns:
    return [body_of(one).split(str(one["id"]).encode(), 1) for one in people]


def _without_answers(one: JsonObject) -> JsonObject:
    """As long as before."""
    less = {key: value for key, value in one.items() if key != "answers"} | {"remarks": ""}
    return {**less, "remarks": "x" * (len(body_of(one)) - len(body_of(less)))}


PATTERNS = _patterns(_PEOPLE)
WITHOUT_ANSWERS = _patterns(map(_without_answers, _PEOPLE))


def deliveries(first: int, count: int, patterns: Patterns = PATTERNS) -> Arrays:
    """Bodies of about 620 bytes, signatures, types, subjects: participants with the ids `first`, `first` + 1, ..."""
    ids = range(first, first + count)
    bodies = [patterns[number % 500][0] + b"%d" % number + patterns[number % 500][1] for number in ids]
    signatures = [sign(body, SECRET) for body in bodies]
    return bodies, signatures, ["event.participant.created"] * count, [str(number) for number in ids]


def append(connection: psycopg.Connection[Any], arrays: Arrays, batch: int) -> float:
    """Append in batches, each a commit; gives the microseconds an event took. The connection is in autocommit mode."""
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
