"""An erasure waits for what reads and writes its own source, holds up that alone, and nothing of other sources."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from sqlalchemy import Engine

from ingest.log import erase as erasing
from ingest.log.scan import Share
from projections.folding.tries import run_once
from projections.rebuild import steps
from projections.rebuild.load import load_shares
from projections.rebuild.swap import swap
from tests import DEADLINE, model
from tests.erased_person import BODIES, LATE, erase, gate, traces, waits
from tests.fold_all import PROJECTIONS, REGISTRATIONS, drain, query

SECONDS = 2.0  # that a statement may take before the test fails


@contextmanager
def erased_meanwhile(operator: Engine) -> Iterator[threading.Thread]:
    """An erasure in a thread of its own, which has ended after the block."""
    thread = threading.Thread(target=erase, args=(operator,))
    thread.start()
    yield thread
    thread.join(timeout=DEADLINE)
    assert not thread.is_alive()


def test_an_erasure_holds_up_neither_fold_nor_append_of_another_source(
    database: str, worker_engine: Engine, operator: Engine
) -> None:
    for source in ("movemint", "autumn"):
        model.append(database, BODIES, source)
        drain(worker_engine, source)
    with operator.begin() as connection:
        assert erasing.erase(connection, "movemint", "7", "an operator", "asked for it")
        # It is carried out and not committed: for as long as that lasts,
        for source in ("movemint", "autumn", "winter"):
            model.append(database, [model.body(9)], source)
        for projection in PROJECTIONS:
            assert run_once(worker_engine, projection, "autumn", 100, SECONDS) == 1
            assert run_once(worker_engine, projection, "winter", 100, SECONDS) == 1, "a source that is new"
            assert run_once(worker_engine, projection, "movemint", 100, SECONDS) is None
        with operator.begin() as other:
            assert erasing.erase(other, "autumn", "7", "an operator", "asked for it")
    assert drain(worker_engine) == 1
    assert traces(database, "Unmistakable") == set()


def test_an_erasure_that_waits_for_a_batch_of_its_source_holds_up_no_other(
    database: str, worker_engine: Engine, operator: Engine
) -> None:
    for source in ("movemint", "autumn"):
        model.append(database, BODIES, source)
        drain(worker_engine, source)
        model.append(database, [model.body(9)], source)
    with gate(database, "checkpoint", "update", "new.source = 'movemint'") as held:
        folding = threading.Thread(target=drain, args=(worker_engine,))
        folding.start()
        waits(held, "advisory")
        with erased_meanwhile(operator):
            waits(held, "transactionid")
            for projection in PROJECTIONS:
                assert run_once(worker_engine, projection, "autumn", 100, SECONDS) == 1
            held.execute("select pg_advisory_unlock(4711)")
        folding.join(timeout=DEADLINE)
    assert "7" not in model.stored_roster(database)


@pytest.mark.parametrize("times_before", [0, 1])
def test_promise_7_an_erasure_waits_for_a_publishing_of_its_source(
    database: str, worker_engine: Engine, operator: Engine, times_before: int
) -> None:
    """It has read the roster with the person, and not yet committed what it wrote for a warehouse."""
    model.append(database, BODIES)
    drain(worker_engine)
    for _ in range(times_before):
        query(database, "select publish_participants('movemint', 100)")
        model.append(database, [LATE])
        drain(worker_engine)
    with gate(database, "published_participants", "insert") as held:
        publishing = threading.Thread(target=query, args=(database, "select publish_participants('movemint', 100)"))
        publishing.start()
        waits(held, "advisory")
        with erased_meanwhile(operator):
            waits(held, "transactionid")
            held.execute("select pg_advisory_unlock(4711)")
        publishing.join(timeout=DEADLINE)
    assert query(database, "select participant_id from published_participants order by 1") == [("5",), ("8",)]


def test_an_erasure_waits_while_a_rebuild_counts_its_rows(
    database: str, worker_engine: Engine, operator: Engine
) -> None:
    """A row that it deletes was counted and is subtracted, or was never counted."""
    model.append(database, [model.body(n, event_id=1, created_at="2026-05-01T10:00:00Z") for n in range(5, 9)])
    drain(worker_engine)
    build = steps.begin_build(worker_engine, REGISTRATIONS)
    load_shares(worker_engine, REGISTRATIONS, build, [Share("movemint", 4, 0, 1)], lambda _: None)
    with gate(database, "registrations_daily_build", "insert") as held:
        attaching = threading.Thread(
            target=steps.attach_tables, args=(worker_engine, REGISTRATIONS, build, {"movemint": 4}, 100)
        )
        attaching.start()
        waits(held, "advisory")
        with erased_meanwhile(operator):
            waits(held, "transactionid")
            held.execute("select pg_advisory_unlock(4711)")
        attaching.join(timeout=DEADLINE)
    swap(worker_engine, REGISTRATIONS, build, 100)
    assert query(database, "select registrations from registrations_daily") == [(3,)]
    assert query(database, "select count(*) from registrations") == [(3,)]
