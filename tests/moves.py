"""Sources in two databases: a log with everything that can be copied, and what is asked of both places."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace

import psycopg
import pytest
from sqlalchemy import Engine

from ingest.database import OPERATOR_ROLE, WORKER_ROLE, sync_engine
from ingest.sqlstate import DRIVER_ERRORS, sqlstate, unusable
from projections.folding.moving import Move
from projections.web.access import tokens
from tests import model
from tests.erased_person import erase, lift
from tests.fold_all import PROJECTIONS, drain, query
from tests.integration.log.test_verify import problems_of, prove
from tests.observing import listed, observe, write_header

NAME = "Zoë Unmistakable"
PEOPLE = [
    model.body(1, first_name="Ann"), b"not JSON", model.body(7, first_name=NAME), model.body(8, first_name="Bo"),
    b"\xff\x00", model.body(9, first_name="Cy"), b'{"type": "event.registration.created", "data": {}}',
]  # fmt: skip
COPIED = (
    "event_log", "event_redelivery", "redelivery_hour", "erasures", "api_token", "reconciliation", "first_absence",
    "dismissed_event", "roster_change",
)  # fmt: skip


@contextmanager
def engines(*databases: str) -> Iterator[list[Engine]]:
    made = [sync_engine(database, OPERATOR_ROLE) for database in databases]
    try:
        yield made
    finally:
        for engine in made:
            engine.dispose()


def between(source: str, old: Engine, new: Engine) -> Move:
    return Move(source, old, new, "the old place", "the new place", PROJECTIONS, 100, lambda _events: None)


def reversed_(move: Move) -> Move:
    return replace(move, old=move.new, new=move.old, old_place=move.new_place, new_place=move.old_place)


def fold(database: str) -> None:
    engine = sync_engine(database, WORKER_ROLE)
    drain(engine)
    engine.dispose()


def rows(database: str, source: str) -> dict[str, list[str]]:
    """Everything that is copied of a source, as PostgreSQL writes it; when a token was used last is not compared."""
    shown = "select (to_jsonb(t) - 'last_used_at')::text from {} t where source = %s order by 1"
    return {table: [row[0] for row in query(database, shown.format(table), source)] for table in COPIED}


def count(database: str, source: str) -> int:
    [(events,)] = query(database, "select count(*) from event_log where source = %s", source)
    return int(events)


def make_token(database: str, name: str, source: str = "movemint") -> str:
    engine = sync_engine(database)
    with engine.begin() as connection:
        token = tokens.create(connection, name, source, (), None)
    engine.dispose()
    return token


def are_same(move: Move, old: str, new: str) -> bool:
    """Both logs are proved, with one chain value, and all that is copied is the same."""
    proofs = [prove(engine, secrets=[model.SECRET], source=move.source) for engine in (move.old, move.new)]
    assert [problems_of(proof) for proof in proofs] == [[], []]
    return proofs[0].chain == proofs[1].chain and rows(old, move.source) == rows(new, move.source)


def is_refused(write: Callable[[], object]) -> str:
    """What a person is told who writes to a source that is elsewhere."""
    with pytest.raises(DRIVER_ERRORS) as caught:
        write()
    error = caught.value
    assert isinstance(error, DRIVER_ERRORS)
    assert sqlstate(error) == "RL001"
    return str(unusable(error))


def fill(database: str, operator: Engine) -> None:
    """A log of eleven events with everything that can be in it, and all that stands beside it."""
    model.append(database, [*PEOPLE, *PEOPLE[:3], PEOPLE[0]])
    fold(database)
    observe(operator, listed(9, len(PEOPLE), first_name="Cyrus"))
    write_header(operator)
    erase(operator, "7")
    erase(operator, "8")
    model.append(database, [model.body(7, first_name=f"{NAME} again"), model.body(8, first_name="Bo again")])
    lift(operator, "8")
    fold(database)
    make_token(database, "reader")
    with psycopg.connect(database) as connection:
        connection.execute(
            "insert into first_absence values ('movemint', '9', 8, 6, now(), 'ab', null, 8), "
            "('other', '1', 1, 1, now(), '', null, 1)"
        )
        connection.execute("insert into dismissed_event values ('movemint', 2, 'me', 'no JSON')")
