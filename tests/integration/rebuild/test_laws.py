"""The laws of the fold (design points 8, 10, 13, 14) against an independent model: batches, rebuild, order, history."""

import json
import random
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine, text

from ingest.database import sync_engine
from projections.folding import tries
from projections.rebuild.drop import drop
from projections.roster.roster import Roster
from tests import model, roster_model
from tests.erased_person import BODIES, LATE, NAME, erase, lift
from tests.fold_all import (
    PARTICIPANTS,
    PROJECTIONS,
    REGISTRATIONS,
    build_anew,
    contents,
    forget_projections,
    live,
    query,
)

_TIMES = st.none() | st.integers(0, 5).map(lambda second: f"2026-05-01T10:00:0{second}Z")
_ANSWERS = st.none() | st.lists(
    st.builds(
        lambda question, answer: {"question": question, "answer": answer}, st.sampled_from("AB"), st.text("xy\t\\")
    ),
    max_size=2,
)
_PEOPLE = st.builds(
    lambda id_, name, at, bib, event, day, answers: model.body(
        id_, first_name=name, updated_at=at, bib=bib, event_id=event, created_at=day, answers=answers
    ),
    st.integers(1, 5),
    st.text("ab\t\n\r\\", min_size=1, max_size=3),
    _TIMES,
    st.none() | st.integers(1, 9),
    st.sampled_from([None, 1, 2]),
    st.sampled_from(["2026-05-01", "2026-05-02T23:00:00Z"]),
    _ANSWERS,
)
_OTHERS = st.sampled_from(
    [b"not JSON", b'{"type": "x", "data": {"object": {"id": 1}}}', b'{"type": "event.participant.created"}',
     b'{"type": "event.participant.created", "data": {"object": {"id": 2, "first_name": "\\ud83d"}}}', model.body(None)]
)  # fmt: skip
_REDELIVERED = st.builds(model.again, _PEOPLE, st.integers(1, 2))
# What was observed; and the same bytes as a delivery, of an unknown type.
_OBSERVED = st.builds(
    lambda id_, number, is_listed, name, at, event: model.own_body(
        id_, number, is_listed=is_listed, first_name=name, updated_at=at, event_id=event, created_at="2026-05-01"
    ),
    st.integers(1, 5),
    st.integers(1, 3),
    st.booleans(),
    st.sampled_from("ab"),
    _TIMES,
    st.sampled_from([None, 1, 2]),
)
_BODIES = st.lists(_PEOPLE | _OTHERS | _REDELIVERED | _OBSERVED | _OBSERVED.map(bytes), unique=True, max_size=25)
_SETTINGS = settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def start_over(database: str) -> None:
    """An empty log, and nothing folded."""
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute("alter table event_log disable trigger all")
        connection.execute("truncate event_log, checkpoint, quarantine, unknown_event_type")
        connection.execute("alter table event_log enable always trigger event_log_is_append_only")
    forget_projections(database)


def fold_in_batches(engine: Engine, limits: Sequence[int]) -> None:
    for projection in PROJECTIONS:
        number = 0
        while tries.run_once(engine, projection, "movemint", limits[number % len(limits)]):
            number += 1


@pytest.mark.slow
@given(bodies=_BODIES, limits=st.lists(st.integers(1, 7), min_size=1), shares=st.integers(1, 3))
@_SETTINGS
def test_promises_10_and_13_any_split_into_batches_and_a_rebuild_end_in_the_models_roster(
    database: str, worker_engine: Engine, bodies: Sequence[bytes], limits: Sequence[int], shares: int
) -> None:
    start_over(database)
    model.append(database, bodies)
    fold_in_batches(worker_engine, limits)
    expected = roster_model.roster(bodies)
    assert roster(database) == expected.rows()
    assert listed(database) == expected.listed()
    assert +Counter(dict(query(database, "select event_type, events from unknown_event_type"))) == expected.passed
    assert set(query(database, "select participant_id, position, until_position from participant_history")) == (
        expected.history()
    )
    assert {(id_, question, answer or "") for id_, question, answer in answers(database)} == expected.answers()
    assert dict(daily(database)) == expected.daily()
    for projection in PROJECTIONS:
        in_batches = live(worker_engine, projection)
        anew = build_anew(worker_engine, projection, shares)
        assert contents(database, projection, anew) == contents(database, projection, in_batches)
        assert drop(worker_engine, anew)


def roster(database: str) -> dict[str, tuple[object, ...]]:
    rows = query(
        database, "select participant_id, first_position, position, first_name, bib, event_id from participants"
    )
    return {row[0]: row[1:] for row in rows}


def listed(database: str) -> dict[str, tuple[object, ...]]:
    """Where each state is from, and whether the participant is not listed since it."""
    rows = query(
        database,
        "select participant_id, p.origin, p.unlisted_at is not null and p.unlisted_at = e.received_at "
        "from participants p join event_log e using (source, position)",
    )
    return {row[0]: row[1:] for row in rows}


def answers(database: str) -> list[tuple[object, ...]]:
    return query(database, "select participant_id, question, answer from participant_answers")


def daily(database: str) -> list[tuple[tuple[object, str], int]]:
    rows = query(database, "select event_id, day::text, registrations from registrations_daily")
    return [((event_id, day), number) for event_id, day, number in rows]


def edited(id_: int, edition: int, **fields: object) -> bytes:
    """A state of a participant: every other one was observed."""
    return model.own_body(id_, edition, is_listed=True, **fields) if edition % 2 else model.body(id_, **fields)


@given(seed=st.integers(0, 2**32), people=st.integers(1, 4), editions=st.integers(1, 4))
@_SETTINGS
def test_promise_10_any_order_of_deliveries_with_updated_at_ends_in_the_same_roster(
    database: str, worker_engine: Engine, seed: int, people: int, editions: int
) -> None:
    bodies = [
        edited(id_, edition, first_name=f"{id_}-{edition}", bib=edition, updated_at=f"2026-05-0{edition + 1}T10:00:00Z")
        for id_ in range(people)
        for edition in range(editions)
    ]
    random.Random(seed).shuffle(bodies)
    start_over(database)
    model.append(database, bodies)
    fold_in_batches(worker_engine, [3])
    newest = editions - 1
    assert {id_: row[2:4] for id_, row in roster(database).items()} == {
        str(id_): (f"{id_}-{newest}", str(newest)) for id_ in range(people)
    }


@given(bodies=_BODIES, limits=st.lists(st.integers(1, 7), min_size=1), data=st.data())
@_SETTINGS
def test_promise_14_as_of_a_position_or_a_time_is_a_fresh_fold_up_to_there(
    database: str,
    engine: Engine,
    worker_engine: Engine,
    bodies: Sequence[bytes],
    limits: Sequence[int],
    data: st.DataObject,
) -> None:
    start_over(database)
    model.append(database, bodies)
    fold_in_batches(worker_engine, limits)
    position = data.draw(st.integers(0, len(bodies)))
    with engine.connect() as connection:
        at = connection.execute(
            text("select received_at from event_log where position = :p"), {"p": position}
        ).scalar() or datetime.now(UTC) - timedelta(days=1)
        resolved = connection.execute(text("select position_at('movemint', :at)"), {"at": at}).scalar_one()
        rows = connection.execute(Roster("movemint", None, resolved).rows.select()).mappings().all()
    expected = roster_model.roster(bodies[:position])
    columns = ("first_position", "position", "first_name", "bib", "event_id")
    assert resolved == position
    assert {row["participant_id"]: tuple(row[column] for column in columns) for row in rows} == expected.rows()
    for row in rows:
        assert row["attributes"] == json.loads(bodies[row["position"] - 1])["data"]["object"]


def test_promise_14_each_of_many_states_is_what_held_at_its_positions(
    database: str, engine: Engine, worker_engine: Engine
) -> None:
    bodies = [model.body(n % 2, first_name=f"{n}", bib=n) for n in range(10)]
    model.append(database, bodies)
    fold_in_batches(worker_engine, [3])
    for position in range(1, 11):
        with engine.connect() as connection:
            rows = connection.execute(Roster("movemint", None, position).rows.select()).mappings().all()
        names = {row["participant_id"]: (row["first_position"], row["position"], row["first_name"]) for row in rows}
        assert names == model.roster(bodies[:position])


@pytest.mark.parametrize("is_registration", [False, True])
def test_an_erasure_and_its_lifting_leave_what_a_rebuild_gives(
    database: str, worker_engine: Engine, *, is_registration: bool
) -> None:
    projection = REGISTRATIONS if is_registration else PARTICIPANTS
    operator = sync_engine(database, "rosterlog_operator")
    model.append(database, [*BODIES, model.own_body(7, 1, first_name=NAME), model.own_body(8, 1, is_listed=False)])
    fold_in_batches(worker_engine, [3])
    for change in (lambda: erase(operator), lambda: model.append(database, [LATE]), lambda: lift(operator)):
        change()
        fold_in_batches(worker_engine, [3])
        anew = build_anew(worker_engine, projection)
        before = contents(database, projection, live(worker_engine, projection))
        # An erased event has no type any more that could be counted; before, it had one.
        assert {**contents(database, projection, anew), "unknown_event_type": before["unknown_event_type"]} == before
        assert drop(worker_engine, anew)
    operator.dispose()
