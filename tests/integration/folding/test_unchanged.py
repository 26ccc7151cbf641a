"""What a delivery does not change is not written: the same state again, and counts that stay as they were."""

import json

import psycopg
import pytest
from sqlalchemy import Engine

from ingest.delivery import read_envelope
from projections.folding.tries import run_once
from projections.participants.state import LONGEST_COMPARED
from tests import model
from tests.fold_all import PARTICIPANTS, drain, query

ANSWERS = [{"question": "Shirt size", "answer": "M"}]
PERSON = model.body(1, event_id=501, created_at="2026-05-01", bib=7, answers=ANSWERS, updated_at="2026-05-02T10:00:00Z")
UNDATED = model.body(2, event_id=501, created_at="2026-05-01", first_name="Ada")
WRITTEN = (
    "participants_build", "participant_answers_build", "participant_history_build", "registrations_build",
    "registrations_daily_build",
)  # fmt: skip


def changed(content: bytes, **fields: object) -> bytes:
    seen = json.loads(content)["data"]["object"]
    return model.body(seen.pop("id"), **{**seen, **fields})


def spaced(content: bytes) -> bytes:
    return json.dumps(json.loads(content), indent=1).encode()


def versions(database: str) -> dict[str, list[tuple[str, ...]]]:
    """The versions of all rows that a worker writes, by table: another one is there once a row is written again."""
    return {
        table: query(database, f"select tableoid::regclass::text, ctid::text, xmin::text from {table} order by 1, 2")
        for table in WRITTEN
    }


@pytest.mark.parametrize("batch", [1, 10])
def test_a_state_that_is_delivered_again_is_not_written(database: str, worker_engine: Engine, batch: int) -> None:
    model.append(database, [PERSON, UNDATED])
    drain(worker_engine, limit=batch)
    before = versions(database)
    again = [spaced(PERSON), model.again(PERSON, 2), model.again(UNDATED, 2), model.again(PERSON, 3)]
    model.append(database, again)
    assert drain(worker_engine, limit=batch) == len(again)
    assert versions(database) == before
    assert query(database, "select distinct position from checkpoint") == [(6,)], "but it counts as folded"
    assert model.stored_roster(database) == {"1": (1, 1, None), "2": (2, 2, "Ada")}


@pytest.mark.parametrize(
    "other",
    [
        changed(PERSON, checked_in_at="2026-05-03T10:00:00Z"),
        changed(PERSON, unknown_to_us=1),
        changed(PERSON, bib=7.0),
        changed(PERSON, answers=[]),
    ],
    ids=["a column", "an unknown key", "a number written otherwise", "answers"],
)
def test_a_state_that_differs_in_anything_is_written(database: str, worker_engine: Engine, other: bytes) -> None:
    model.append(database, [PERSON])
    drain(worker_engine)
    model.append(database, [other])
    drain(worker_engine)
    assert query(database, "select position from participants") == [(2,)]
    assert query(database, "select position, until_position from participant_history") == [(1, 2)]


def test_a_state_comes_back_after_another_one(database: str, worker_engine: Engine) -> None:
    """It is compared with the newest state, not with any."""
    model.append(database, [UNDATED, changed(UNDATED, first_name="Eva"), model.again(UNDATED, 2)])
    drain(worker_engine)
    assert query(database, "select position, first_name from participants") == [(3, "Ada")]
    assert query(database, "select position from participant_history order by 1") == [(1,), (2,)]


@pytest.mark.parametrize("batch", [1, 10])
def test_large_bodies_are_not_compared(database: str, worker_engine: Engine, batch: int) -> None:
    """Those of the people of a batch are read once more, and must not fill the memory."""
    large = model.body(1, remark="x" * LONGEST_COMPARED)
    model.append(database, [large, model.again(large, 2)])
    drain(worker_engine, limit=batch)
    assert query(database, "select position from participants") == [(2,)]


def test_a_state_that_is_delivered_again_heals_what_was_parked(database: str, worker_engine: Engine) -> None:
    broken = b'{"type": "event.participant.created", "data": {"object": {"id": 2, "first_name": "\\ud83d"}}}'
    assert read_envelope(broken).subject == "2"
    model.append(database, [UNDATED, broken])
    drain(worker_engine)
    assert query(database, "select position from quarantine") == [(2,)]
    model.append(database, [model.again(UNDATED, 2)])
    drain(worker_engine)
    assert query(database, "select position from quarantine") == []
    assert query(database, "select position from participants") == [(1,)]


def test_another_state_of_the_same_day_leaves_the_counts_alone(database: str, worker_engine: Engine) -> None:
    model.append(database, [PERSON, UNDATED])
    drain(worker_engine)
    counts = versions(database)["registrations_daily_build"]
    model.append(database, [changed(PERSON, bib=8, updated_at="2026-05-03T10:00:00Z")])
    drain(worker_engine)
    assert query(database, "select bib from participants where participant_id = '1'") == [("8",)]
    assert versions(database)["registrations_daily_build"] == counts


def test_a_registration_that_moves_is_counted_elsewhere_and_an_empty_count_is_gone(
    database: str, worker_engine: Engine
) -> None:
    model.append(database, [PERSON, UNDATED, changed(PERSON, event_id=502, updated_at="2026-05-03T10:00:00Z")])
    drain(worker_engine, limit=2)
    by_event = "select event_id, registrations from registrations_daily order by 1"
    assert query(database, by_event) == [("501", 1), ("502", 1)]
    model.append(database, [changed(UNDATED, event_id=502)])
    drain(worker_engine)
    assert query(database, by_event) == [("502", 2)]


def test_a_state_whose_body_is_hidden_meanwhile_is_written(database: str, worker_engine: Engine) -> None:
    """Nothing can be compared then; the next state is a state like any other."""
    model.append(database, [UNDATED])
    run_once(worker_engine, PARTICIPANTS, "movemint", 10)
    with psycopg.connect(database) as owner:
        owner.execute(
            "insert into erasures (source, subject, operator, reason, positions, digests, lifted_at, lifted_by) "
            "select source, subject, 'x', 'y', array[1], array[digest], now(), 'x' from event_log"
        )
    model.append(database, [model.again(UNDATED, 2)])
    run_once(worker_engine, PARTICIPANTS, "movemint", 10)
    assert query(database, "select position from participants") == [(2,)]
