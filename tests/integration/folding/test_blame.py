"""Promise 16: whose fault a failure may be. A database that is slow or away fails with every event."""

import threading
import time

import pytest
from sqlalchemy import Engine

from ingest.database import WORKER_ROLE, sync_engine
from projections.folding.worker import Worker
from tests import DEADLINE
from tests.fold_all import PROJECTIONS
from tests.program import until
from tests.proxy import Proxy

_IDLE = 0.2  # seconds between two looks, at most


def is_quick(worker: Worker, seconds: float = 0.0) -> bool:
    """Whether the database seems well for a batch that was begun so many seconds after the last late look."""
    return worker._promptness.is_quick_since(worker._promptness._late_at + seconds)


def test_a_batch_is_to_blame_only_between_looks_that_were_answered_without_delay(
    database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Proxy(database).running() as proxy:
        engine = sync_engine(proxy.conninfo, WORKER_ROLE)
        worker = Worker(engine, PROJECTIONS, 1)
        assert worker._look() == []
        assert worker._promptness.is_quick_since(time.monotonic())
        monkeypatch.setattr("projections.folding.promptness._QUICK_SECONDS", 0.1)
        proxy.delay = 0.1
        assert worker._look() == [], "it is late, and succeeds"
        assert not is_quick(worker)
        assert not is_quick(worker, _IDLE - 0.1), "the look before it was this one"
        assert is_quick(worker, _IDLE + 0.1)
        engine.dispose()


def test_a_look_that_fails_at_once_says_as_much_as_a_late_one(database: str) -> None:
    with Proxy(database).running() as proxy:
        engine = sync_engine(proxy.conninfo, WORKER_ROLE)
        worker = Worker(engine, PROJECTIONS, 1)
        proxy.refuses = True
        assert worker._look() is None
        assert not worker._promptness.is_quick_since(time.monotonic())
        engine.dispose()


def test_a_look_that_is_under_way_for_long_is_late_before_it_ends(
    worker_engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("projections.folding.promptness._QUICK_SECONDS", 0.0)
    answered = threading.Event()
    worker = Worker(worker_engine, PROJECTIONS, 1)
    monkeypatch.setattr(worker._looks, "find", lambda: answered.wait(DEADLINE) and [])
    looking = threading.Thread(target=worker._look)
    looking.start()
    try:
        until(lambda: worker._promptness._looking_since is not None)
        assert not worker._promptness.is_quick_since(time.monotonic())
        assert worker._promptness._late_at == float("-inf"), "nothing has ended yet"
    finally:
        answered.set()
        looking.join(DEADLINE)
    assert not worker._promptness.is_quick_since(time.monotonic())
    assert worker._promptness._looking_since is None
