"""Rebuild and erasure (design points 7 and 13): nobody erased comes back, nobody lifted is lost."""

import threading
from typing import Any

import psycopg
import pytest
from sqlalchemy import Engine, text

from ingest.database import WORKER_ROLE
from ingest.log import erase as erasing
from ingest.log.scan import Share
from projections.folding.projection import Build
from projections.folding.refold import OfAnotherDefinition, lock_track, refold
from projections.rebuild import steps
from projections.rebuild.catch_up import catch_up, refold_erased, refold_erased_since
from projections.rebuild.load import load_shares
from projections.rebuild.swap import swap
from tests import DEADLINE, model
from tests.erased_person import BODIES, LATE, THEIRS, erase, gate, lift, traces, waits
from tests.fold_all import PARTICIPANTS, REGISTRATIONS, build_anew, drain, query
from tests.other_definition import OTHER, begin, live_before

WRITTEN = ", ".join(PARTICIPANTS.columns["participants_build"])


def test_promise_7_a_rebuild_that_had_read_a_body_does_not_bring_its_person_back(
    database: str, worker_engine: Engine, operator: Engine
) -> None:
    """It has the events in its hands when the erasure comes, and writes them afterwards."""
    model.append(database, BODIES)
    drain(worker_engine)
    build, up_to = begin(worker_engine)
    with gate(database, "quarantine", "insert") as held:
        shares = [Share("movemint", up_to["movemint"], 0, 1)]
        loading = threading.Thread(
            target=load_shares, args=(worker_engine, PARTICIPANTS, build, shares, lambda _: None)
        )
        loading.start()
        waits(held, "advisory")
        assert erase(operator) == THEIRS
        held.execute("select pg_advisory_unlock(4711)")
        loading.join(timeout=DEADLINE)
    assert "participants_build_2" in traces(database, "Unmistakable"), "the hazard"
    steps.attach_tables(worker_engine, PARTICIPANTS, build, up_to, 100)
    swap(worker_engine, PARTICIPANTS, build, 100)
    assert set(model.stored_roster(database)) == {"5", "8"}
    assert traces(database, "Unmistakable") == set()


def put_back(connection: psycopg.Connection[Any], build: Build, rows: list[tuple[Any, ...]]) -> None:
    """Write rows into a build, as a job would that had read the body before it was erased."""
    table = f"{build.table('participants_build')} ({WRITTEN})"
    with connection.cursor().copy(f"copy {table} from stdin".encode()) as copying:
        for row in rows:
            copying.write_row([value if not isinstance(value, dict) else "{}" for value in row])


def test_promise_7_settling_folds_again_whoever_was_erased_or_lifted_since(
    database: str, worker_engine: Engine, operator: Engine
) -> None:
    model.append(database, BODIES)
    drain(worker_engine)
    anew = build_anew(worker_engine, PARTICIPANTS)
    with psycopg.connect(database, autocommit=True) as connection:
        kept = connection.execute(f"select {WRITTEN} from {anew.table('participants_build')}").fetchall()
        erase(operator)
        put_back(connection, anew, [row for row in kept if row[1] == "7"])
    assert "participants" in traces(database, "Unmistakable")
    refold_erased(worker_engine, PARTICIPANTS, anew, 100)
    steps.vacuum_build(database, anew)
    assert traces(database, "Unmistakable") == set()
    model.append(database, [LATE])
    drain(worker_engine)
    catch_up(worker_engine, PARTICIPANTS, anew, 100, lambda _: None)
    lift(operator)
    swap(worker_engine, PARTICIPANTS, anew, 100)
    assert "7" in model.stored_roster(database)


def test_promise_7_carrying_an_erasure_out_again_does_not_hide_who_was_lifted_from_other_builds(
    database: str, worker_engine: Engine, operator: Engine
) -> None:
    """It takes the person out of every build; the lifting brings them back into the live one, and a swap into any."""
    model.append(database, [*BODIES, LATE])
    drain(worker_engine)
    erase(operator)
    model.append(database, [model.body(7, first_name="Late")])
    drain(worker_engine)
    lift(operator)
    swap(worker_engine, PARTICIPANTS, build_anew(worker_engine, PARTICIPANTS), 100)
    anew = build_anew(worker_engine, PARTICIPANTS)
    assert "7" in model.stored_roster(database)
    with operator.begin() as connection:
        [recorded] = erasing.all_erasures(connection)
        erasing.carry_out(connection, "movemint", recorded.erasure.erasure_id)
        connection.execute(text(f"set local role {WORKER_ROLE}"))
        refold(connection, [lock_track(connection, PARTICIPANTS, "movemint")], "movemint", "7", 10)
    expected = model.stored_roster(database)
    assert "7" in expected
    for build in (live_before(worker_engine), anew):
        swap(worker_engine, PARTICIPANTS, build, 100)
        assert model.stored_roster(database) == expected


def test_promise_7_an_erasure_in_the_moment_of_the_swap_is_not_missed(
    database: str, worker_engine: Engine, operator: Engine
) -> None:
    """Between settling and the swap's lock: the marks of the erasures tell."""
    model.append(database, BODIES)
    drain(worker_engine)
    anew = build_anew(worker_engine, PARTICIPANTS)
    marks = refold_erased(worker_engine, PARTICIPANTS, anew, 100)
    kept = query(database, f"select {WRITTEN} from {anew.table('participants_build')} where participant_id = '7'")
    erase(operator)
    with psycopg.connect(database) as connection:
        put_back(connection, anew, kept)
    with worker_engine.begin() as connection_:
        refold_erased_since(connection_, PARTICIPANTS, anew, marks, 100)
    assert query(database, f"select {WRITTEN} from {anew.table('participants_build')} where participant_id = '7'") == []


def test_promise_7_an_erasure_does_not_wait_for_a_rebuild_that_makes_indexes(
    database: str, worker_engine: Engine, operator: Engine
) -> None:
    model.append(database, BODIES)
    drain(worker_engine)
    build, up_to = begin(worker_engine)
    load_shares(worker_engine, PARTICIPANTS, build, [Share("movemint", up_to["movemint"], 0, 1)], lambda _: None)
    with psycopg.connect(database) as making:
        making.execute(f"lock table {build.table('participants_build')} in access exclusive mode")
        assert erase(operator) == THEIRS
        making.rollback()
    steps.attach_tables(worker_engine, PARTICIPANTS, build, up_to, 100)
    swap(worker_engine, PARTICIPANTS, build, 100)
    assert set(model.stored_roster(database)) == {"5", "8"}


def test_lifting_under_another_definition_asks_for_a_rebuild_and_changes_nothing(
    database: str, worker_engine: Engine, operator: Engine
) -> None:
    model.append(database, [*BODIES, LATE])
    drain(worker_engine)
    erase(operator)
    with operator.begin() as connection:
        connection.execute(text(f"set local role {WORKER_ROLE}"))
        with pytest.raises(OfAnotherDefinition, match="rebuild participants first"):
            lock_track(connection, OTHER, "movemint")
    swap(worker_engine, OTHER, build_anew(worker_engine, OTHER), 100)
    with operator.begin() as connection:
        connection.execute(text(f"set local role {WORKER_ROLE}"))
        assert lock_track(connection, OTHER, "movemint")[1] == 8


def test_the_daily_counts_are_rebuilt_and_an_erasure_is_taken_off_them(
    database: str, worker_engine: Engine, operator: Engine
) -> None:
    model.append(
        database, [model.body(n, event_id=n % 2, created_at=f"2026-05-0{1 + n % 3}T10:00:00Z") for n in range(12)]
    )
    drain(worker_engine)
    swap(worker_engine, REGISTRATIONS, build_anew(worker_engine, REGISTRATIONS), 100)
    counts = "select event_id, day::text, registrations from registrations_daily order by 1, 2"
    assert query(database, counts) == [(event, f"2026-05-0{day}", 2) for event in "01" for day in (1, 2, 3)]
    erase(operator, "0")
    erase(operator, "6")
    model.append(database, [model.body(1, event_id=0, created_at="2026-05-02T10:00:00Z")])
    drain(worker_engine)
    assert query(database, counts) == [
        ("0", "2026-05-02", 3), ("0", "2026-05-03", 2),
        ("1", "2026-05-01", 2), ("1", "2026-05-02", 1), ("1", "2026-05-03", 2),
    ]  # fmt: skip
