"""People to erase, ways to erase them, and a look for what is left of them anywhere in the database."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
from sqlalchemy import Engine

from ingest.log import erase as erasing
from projections.folding import erasures
from tests import model
from tests.fold_all import PROJECTIONS

NAME = "Zoë Unmistakable"
LATE = model.body(7, first_name=NAME, status="deferred")
BODIES = [
    model.body(5, first_name="Ann"),
    model.body(7, first_name=NAME, email="zoe@example.org"),
    b'{"type": "event.participant.created", "data": {"object": {"id": 7, "first_name": "\\ud83d Unmistakable"}}}',
    model.body(7, first_name=NAME, bib="12"),
    b'{"type": "event.participant.moved", "data": {"object": {"id": 7, "first_name": "Unmistakable"}}}',
    model.body(8, first_name="Bo"),
    b'{"type": "event.participant.created", "data": {"object": {"id": 7, "first_name": "Unmistakable\\ud83d"}}}',
]
THEIRS = [2, 3, 4, 5, 7]


def erase(operator: Engine, subject: str = "7", source: str = "movemint") -> list[int]:
    with operator.begin() as connection:
        return erasing.erase(connection, source, subject, "an operator", "asked for it")


def lift(operator: Engine, subject: str = "7") -> None:
    assert erasures.lift(operator, PROJECTIONS, "movemint", subject, "another operator", 2) is not None


def traces(database: str, word: str) -> set[str]:
    """The tables of the database that hold a word anywhere, bodies included."""
    with psycopg.connect(database) as connection:
        tables = connection.execute(
            "select oid::regclass::text from pg_class "
            "where relkind in ('r', 'm', 'p') and relpersistence = 'p' and not relispartition "
            "and relnamespace not in ('pg_catalog'::regnamespace, 'information_schema'::regnamespace)"
        ).fetchall()
        holding = set()
        for (table,) in tables:
            row = connection.execute(
                f"select count(*) from {table} t where to_jsonb(t)::text ilike %(word)s "
                "or encode(convert_to(to_jsonb(t)::text, 'UTF8'), 'hex') like %(hex)s".encode(),
                {"word": f"%{word}%", "hex": f"%{word.encode().hex().encode().hex()}%"},
            ).fetchone()
            assert row is not None
            if row[0]:
                holding.add(table.removesuffix("_build"))
        sampled = connection.execute(
            "select distinct tablename::text from pg_stats "
            "where schemaname = 'public' and (most_common_vals::text ilike %(word)s or "
            "histogram_bounds::text ilike %(word)s or histogram_bounds::text like %(hex)s or "
            "most_common_vals::text like %(hex)s or most_common_elems::text ilike %(word)s)",
            {"word": f"%{word}%", "hex": f"%{word.encode().hex()}%"},
        )
    return holding | {f"the statistics of {row[0]}" for row in sampled}


def waits(connection: psycopg.Connection[Any], kind: str) -> None:
    """Return once another session of this database waits for a lock of this kind."""
    for _ in range(500):
        row = connection.execute(
            "select exists (select from pg_stat_activity where datname = current_database() "
            "and wait_event_type = 'Lock' and wait_event = %s)",
            [kind],
        ).fetchone()
        if row == (True,):
            return
        threading.Event().wait(0.02)
    raise AssertionError(f"nobody waits for a lock of the kind {kind}")


@contextmanager
def gate(database: str, table: str, event: str, when: str = "true") -> Iterator[psycopg.Connection[Any]]:
    """While open, whoever does this to a row of the table waits, in the middle of their transaction.

    `when`: to which rows, which `new` and `old` stand for.
    """
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute(
            "create function wait_at_gate() returns trigger language plpgsql security definer as $$ "
            "begin perform pg_advisory_xact_lock_shared(4711); return coalesce(new, old); end $$"
        )
        connection.execute(
            f"create trigger gate before {event} on {table} for each row when ({when}) "
            "execute function wait_at_gate()".encode()
        )
        connection.execute("select pg_advisory_lock(4711)")
        yield connection
