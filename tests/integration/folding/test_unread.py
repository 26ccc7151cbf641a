"""A body that costs too much to be read is kept under its participant's id: it is shown, heals and is erased by it."""

import psycopg
from sqlalchemy import Engine

from projections.folding.quarantine import Wanted, parked_events
from tests import model
from tests.erased_person import erase
from tests.fold_all import drain

BODY = b'{"type":"event.participant.created","data":{"object":{"id":7,"x":%b}}}' % (b"[" * 501 + b"]" * 501)


def parked(engine: Engine) -> list[str | None]:
    with engine.connect() as connection:
        return [event.participant_id for event in parked_events(connection, Wanted(), 10)]


def test_a_body_that_is_not_read_is_shown_and_heals_by_its_id(
    database: str, engine: Engine, worker_engine: Engine
) -> None:
    model.append(database, [BODY])
    drain(worker_engine)
    assert parked(engine) == ["7"]
    model.append(database, [model.body(7)])
    drain(worker_engine)
    assert parked(engine) == []


def test_a_body_that_is_not_read_is_erased_with_its_participant(database: str, operator: Engine) -> None:
    model.append(database, [BODY, model.body(7), model.body(8)])
    erase(operator, "7")
    with psycopg.connect(database) as connection:
        assert connection.execute("select body is null from event_log order by position").fetchall() == [
            (True,), (True,), (False,)
        ]  # fmt: skip
