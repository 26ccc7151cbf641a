"""Promise 16: what takes long goes on beside the others, which do not wait for it."""

import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial

import pytest
from sqlalchemy import Engine

from ingest.session import Deadlines
from projections.folding.worker import Worker
from tests import DEADLINE, model
from tests.erased_person import gate
from tests.fold_all import PROJECTIONS, drain, query, working
from tests.program import until

DONE = [
    ("autumn", "registrations"), ("movemint", "participants"), ("movemint", "registrations"),
    ("spring", "registrations"),
]  # fmt: skip
PATIENT = Deadlines(statement=600, idle=600, transaction=600)


def _is(database: str, statement: str, number: int) -> bool:
    return query(database, statement) == [(number,)]


@contextmanager
def held(database: str, sources: Sequence[str]) -> Iterator[None]:
    """A worker's batch of each of these sources stands still for as long as this lasts."""
    with gate(database, "participants_build_1", "insert", "new.first_name = 'slow'") as connection:
        waiting = "select count(*) from pg_stat_activity where datname = current_database() and wait_event = 'advisory'"
        for number, source in enumerate(sources, 1):
            model.append(database, [model.body(1, first_name="slow")], source)
            until(partial(_is, database, waiting, number))
        yield
        connection.execute("select pg_advisory_unlock(4711)")


def test_promise_16_while_the_batches_of_some_sources_take_long_the_others_are_folded(
    database: str, worker_engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("projections.folding.tries.FOLDING", PATIENT)
    drain(worker_engine)
    beats: list[bool] = []
    with working(worker_engine, 8, beats.append), held(database, ["autumn", "spring"]):
        model.append(database, [model.body(number) for number in range(3)])
        until(
            lambda: (
                query(database, "select source, projection from checkpoint where position > 0 order by 1, 2") == DONE
            )
        )
        assert len(model.stored_roster(database)) == 3
        beaten = len(beats)
        until(lambda: len(beats) > beaten)
    assert all(beats)


def test_promise_16_while_work_beside_folding_takes_long_the_sources_are_folded(
    database: str, worker_engine: Engine
) -> None:
    begun, enough, stop = threading.Event(), threading.Event(), threading.Event()

    def hangs(_engine: Engine) -> bool:
        begun.set()
        return enough.wait(DEADLINE)

    worker = Worker(worker_engine, PROJECTIONS, 8, [hangs])
    thread = threading.Thread(target=worker.run, args=(0.01, stop, lambda _is_read: None))
    thread.start()
    try:
        assert begun.wait(DEADLINE)
        model.append(database, [model.body(1)])
        until(lambda: len(model.stored_roster(database)) == 1)
        assert not enough.is_set()
    finally:
        stop.set()
        enough.set()
        thread.join(DEADLINE)


def test_promise_16_a_worker_of_which_a_batch_hangs_beats_no_more(
    database: str, worker_engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So `up` replaces it, and readiness says so."""
    monkeypatch.setattr("projections.folding.tries.FOLDING", PATIENT)
    monkeypatch.setattr("projections.folding.worker._HUNG_SECONDS", 0.5)
    drain(worker_engine)
    beats: list[float] = []
    with working(worker_engine, 8, lambda _is_read: beats.append(time.monotonic())), held(database, ["spring"]):
        until(lambda: beats and time.monotonic() - beats[-1] > 2)
        model.append(database, [model.body(1)])
        until(lambda: len(model.stored_roster(database)) == 1)
