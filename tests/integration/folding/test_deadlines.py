"""Promise 16: a worker's own deadlines and pauses, which hold where PostgreSQL has none of its own."""

import threading

import pytest
from sqlalchemy import Engine

from ingest.database import WORKER_ROLE, sync_engine
from ingest.session import Deadlines
from projections.folding.worker import Worker
from tests import DEADLINE, model
from tests.fold_all import PARTICIPANTS, PROJECTIONS, drain
from tests.program import until
from tests.proxy import Proxy


def test_promise_16_all_waits_of_a_batch_and_of_a_look_have_one_deadline_together(
    database: str, worker_engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each answer comes in time. The server, like one before PostgreSQL 17, has no deadline for all of them."""
    for room in ("tries", "worker"):
        deadlines = Deadlines(statement=30, idle=30, transaction=1)
        monkeypatch.setattr(f"projections.folding.{room}.FOLDING", deadlines)
    drain(worker_engine)
    model.append(database, [model.body(1)])
    stop, beats = threading.Event(), []
    with Proxy(database).running() as proxy:
        engine = sync_engine(proxy.conninfo, WORKER_ROLE, Deadlines(statement=30, idle=30))
        engine.connect().close()
        worker = Worker(engine, PROJECTIONS, 1)
        proxy.delay = 0.3

        def beat(is_read: bool) -> None:  # noqa: FBT001 - the worker's own signature
            beats.append(is_read)
            proxy.delay = 0 if not is_read else proxy.delay

        assert worker._tries.fold(PARTICIPANTS, "movemint") == 0
        thread = threading.Thread(target=worker.run, args=(0.01, stop, beat))
        thread.start()
        until(lambda: len(model.stored_roster(database)) == 1)
        stop.set()
        thread.join(timeout=DEADLINE)
        engine.dispose()
    assert beats[0] is False


def test_work_beside_folding_goes_on_while_more_of_it_is_left_and_then_pauses(worker_engine: Engine) -> None:
    calls: list[int] = []

    def work(_engine: Engine) -> bool:
        calls.append(1)
        return len(calls) < 3

    worker = Worker(worker_engine, PROJECTIONS, 1, [work])
    assert [worker._do_other_work() for _ in range(5)] == [True, True, False, False, False]
    assert len(calls) == 3
