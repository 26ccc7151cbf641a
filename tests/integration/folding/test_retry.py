"""Parked events are folded again: each participant once, and the slow ones by themselves, one a minute in turn."""

from dataclasses import replace

import psycopg
import pytest
from sqlalchemy import Engine

from ingest.log.event import Event
from ingest.sqlstate import DRIVER_ERRORS
from projections.folding.projection import Outcome
from projections.folding.quarantine import TRIED_AGAIN, Wanted
from projections.folding.retry import SlowRetries, retry
from tests import model
from tests.fold_all import PARTICIPANTS, PROJECTIONS, REGISTRATIONS, drain, query

SLOW = f"{TRIED_AGAIN}QueryCanceled, 57014"
UNKNOWN = [b'{"type": "unknown"}', b'{"type": "unknown" }']  # about nobody
Rows = list[tuple[int, str | None]]


def park(database: str, rows: Rows, reason: str = SLOW, projection: str = "participants") -> None:
    """Park events as if they could not have been folded: position, participant."""
    with psycopg.connect(database) as connection:
        connection.cursor().executemany(
            "insert into quarantine (source, projection, build, position, participant_id, reason) "
            "select 'movemint', projection, live, %s, %s, %s from projection where projection = %s",
            [(position, participant, reason, projection) for position, participant in rows],
        )


def parked(database: str) -> list[tuple[str, int]]:
    return query(database, "select projection, position from quarantine order by 1, 2")


def retry_all(engine: Engine, expected: int) -> None:
    """Retry everything once; the number of parked events that it says it has done is that expected."""
    done: list[int] = []

    def advance(number: int) -> None:
        done.append(number)
        assert sum(done) <= expected, "the same events again"

    retry(engine, PROJECTIONS, Wanted(), 10, advance)
    assert sum(done) == expected


def test_a_participant_is_folded_again_once_however_many_of_its_events_are_parked(
    database: str, worker_engine: Engine
) -> None:
    """Followers are told once, and of the projection alone that they follow."""
    model.append(database, [model.body(7, first_name=name) for name in ("a", "b", "c")])
    drain(worker_engine)
    park(database, [(1, "7"), (2, "7"), (3, "7")])
    park(database, [(1, "7")], "another reason", "registrations")
    retry_all(worker_engine, 4)
    assert parked(database) == []
    assert query(database, "select subject from roster_change") == [("7",)]
    assert model.stored_roster(database)["7"] == (1, 3, "c")


def test_each_event_about_nobody_is_folded_again_by_itself(database: str, worker_engine: Engine) -> None:
    model.append(database, UNKNOWN)
    drain(worker_engine)
    park(database, [(1, None), (2, None)])
    retry_all(worker_engine, 2)
    assert parked(database) == []


def test_more_events_than_are_held_in_memory_are_all_tried_once(
    database: str, worker_engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("projections.folding.retry._AT_A_TIME", 2)
    model.append(database, [f"no JSON {number}".encode() for number in range(5)])
    drain(worker_engine)
    assert len(parked(database)) == 5
    retry_all(worker_engine, 5)
    assert len(parked(database)) == 5


@pytest.fixture
def slow(database: str, worker_engine: Engine) -> str:
    """Three people, of whom two are parked as too slow; what else is parked was parked for another reason."""
    model.append(database, [model.body(number) for number in range(1, 4)])
    drain(worker_engine)
    park(database, [(1, "1"), (2, "2")])
    park(database, [(3, "3")], "another reason")
    park(database, [(1, "1")], "another reason", "registrations")
    return database


OTHERS = [("participants", 3), ("registrations", 1)]


def test_a_slow_event_is_tried_a_minute_later_and_after_a_success_the_next_one_at_once(
    slow: str, worker_engine: Engine
) -> None:
    retries = SlowRetries(PROJECTIONS, 10)
    assert retries(worker_engine) is False
    assert len(parked(slow)) == 4, "a worker has only just begun"
    retries._due = 0.0
    assert retries(worker_engine) is True
    assert parked(slow) == [("participants", 2), *OTHERS], "one at a time, and no other reason's"
    assert retries(worker_engine) is True
    assert parked(slow) == OTHERS
    assert retries(worker_engine) is False
    park(slow, [(2, "2")])
    assert retries(worker_engine) is False
    assert parked(slow) == [("participants", 2), *OTHERS], "not within a minute"


def test_slow_events_that_fail_again_are_tried_in_turn(slow: str, worker_engine: Engine) -> None:
    tried: list[int] = []

    def fold(event: Event) -> Outcome:
        tried.append(event.position)
        return PARTICIPANTS.fold(event)

    with psycopg.connect(slow) as connection:
        connection.execute(
            "create function fail() returns trigger language plpgsql as $$ "
            "begin raise exception 'no' using errcode = 'XX000'; end $$"
        )
        connection.execute(
            "create trigger fail before insert on participants_build_1 for each row execute function fail()"
        )
    retries = SlowRetries([replace(PARTICIPANTS, fold=fold), REGISTRATIONS], 10, every_seconds=0)
    for turn in range(4):
        if turn == 2:  # after the last one there is none, and then the first one again
            assert retries(worker_engine) is False
            continue
        with pytest.raises(DRIVER_ERRORS):
            retries(worker_engine)
    assert tried == [1, 2, 1]
    assert len(parked(slow)) == 4


def test_slow_events_of_a_build_of_another_definition_are_left_to_its_rebuild(slow: str, worker_engine: Engine) -> None:
    other = [replace(PARTICIPANTS, definition="another"), REGISTRATIONS]
    assert SlowRetries(other, 10, every_seconds=0)(worker_engine) is False
    assert len(parked(slow)) == 4
