"""Many workers and many sources: they divide them, share transactions, and nothing waits for what fails or is slow."""

import threading
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import replace
from typing import Any

import psycopg
import pytest
from sqlalchemy import Connection, Engine

from ingest.database import WORKER_ROLE, sync_engine
from ingest.session import Deadlines
from projections.folding.aside import Aside
from projections.folding.complaints import Complaints
from projections.folding.heartbeat import Heartbeat
from projections.folding.projection import Behind, Projection, Track
from projections.folding.promptness import Promptness
from projections.folding.tries import Tries, run_shared
from projections.folding.worker import Worker
from tests import DEADLINE, model
from tests.erased_person import gate
from tests.fold_all import PARTICIPANTS, PROJECTIONS, REGISTRATIONS, drain, query, working
from tests.program import until

SOURCES = [f"source-{number}" for number in range(6)]
SHOWN = "select source from participants order by source"


@pytest.fixture
def logged(database: str, worker_engine: Engine) -> str:
    """An event of each of six sources, and builds that are live."""
    drain(worker_engine)
    for source in SOURCES:
        model.append(database, [model.body(1, first_name=source)], source)
    return database


def shown(database: str) -> list[str]:
    return [row[0] for row in query(database, SHOWN)]


def transactions(database: str, projection: str = "participants") -> int:
    """How many transactions have moved the checkpoints of these sources."""
    of = "select count(distinct xmin::text) from checkpoint where projection = %s and source like 'source-_'"
    [(number,)] = query(database, of, projection)
    return int(number)


def test_sources_with_little_to_do_share_a_transaction_of_each_projection(
    logged: str, worker_engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("projections.folding.tries.FOLDING", Deadlines(statement=600, idle=600, transaction=600))
    with working(worker_engine, 10):
        until(lambda: len(query(logged, "select from checkpoint where position = 1")) == 2 * len(SOURCES))
    assert [transactions(logged, each.name) for each in PROJECTIONS] == [1, 1]
    for source in SOURCES:
        assert model.stored_roster(logged, source) == {"1": (1, 1, source)}
    assert query(logged, "select sum(registrations) from registrations_daily") == [(len(SOURCES),)]


def test_a_shared_transaction_leaves_out_what_is_locked_and_passes_parks_and_heals_as_any_other(
    logged: str, worker_engine: Engine
) -> None:
    broken = b'{"type": "event.participant.created", "data": {"object": {"id": 1, "first_name": "\\ud83d"}}}'
    model.append(logged, [broken], "source-1")
    model.append(logged, [b'{"type": "unknown", "data": {"object": {"id": 2}}}'], "source-2")
    drain(worker_engine, "source-0")
    model.append(logged, [model.body(2)], "source-0")
    with psycopg.connect(logged) as other:
        other.execute("select from checkpoint where source = 'source-0' for update")
        folded = run_shared(worker_engine, PARTICIPANTS, SOURCES[:4], 8, 10)
    assert folded == {"source-1": 2, "source-2": 2, "source-3": 1}
    assert query(logged, "select source, position, participant_id from quarantine") == [("source-1", 2, "1")]
    assert query(logged, "select source, event_type, events from unknown_event_type") == [("source-2", "unknown", 1)]
    model.append(logged, [model.body(1, first_name="healed")], "source-1")
    assert run_shared(worker_engine, PARTICIPANTS, SOURCES, 8, 10) == {
        "source-0": 1, "source-1": 1, "source-2": 0, "source-3": 0, "source-4": 1, "source-5": 1
    }  # fmt: skip
    assert query(logged, "select * from quarantine") == []
    assert model.stored_roster(logged, "source-1")["1"][2] == "healed"


def test_promise_8_a_killed_worker_leaves_nothing_of_a_shared_transaction(logged: str, worker_engine: Engine) -> None:
    """Its session ends as the last source is written."""
    with psycopg.connect(logged) as connection:
        connection.execute(
            "create function die() returns trigger language plpgsql security definer as $$ "
            "begin perform pg_terminate_backend(pg_backend_pid()); return new; end $$"
        )
        connection.execute(
            "create trigger die before update on checkpoint for each row "
            "when (new.source = 'source-5' and new.position > 0) execute function die()"
        )
    with pytest.raises(Exception, match="terminat"):
        run_shared(worker_engine, PARTICIPANTS, SOURCES, 8, 10)
    assert (shown(logged), query(logged, "select * from checkpoint where source like 'source-_'")) == ([], [])
    with psycopg.connect(logged) as connection:
        connection.execute("drop trigger die on checkpoint")
    assert run_shared(worker_engine, PARTICIPANTS, SOURCES, 8, 10) == dict.fromkeys(SOURCES, 1)
    assert shown(logged) == SOURCES


def test_sources_that_share_are_not_too_many_bytes_together(
    logged: str, worker_engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ingest.log.read.MOST_BYTES", 3)  # one body is more
    for number in range(1, 4):
        run_shared(worker_engine, PARTICIPANTS, SOURCES, 8, 10)
        assert shown(logged) == SOURCES[:number]


def test_promise_12_a_source_that_fails_is_split_from_those_that_it_shares_with(
    logged: str, worker_engine: Engine
) -> None:
    """The database refuses a row of it. The others are folded one by one, and then together again."""
    with psycopg.connect(logged) as connection:
        connection.execute("alter table participants_build_1 add constraint poison check (first_name <> 'source-2')")
    tries = Tries(worker_engine, 10, Promptness(), Complaints())
    assert tries.fold_shared(PARTICIPANTS, SOURCES) == 0
    assert shown(logged) == []
    assert not any(tries.sharing.may_share([Behind(PARTICIPANTS, source, 0, 1)]) for source in SOURCES)
    assert [tries.fold(PARTICIPANTS, source) for source in SOURCES] == [1] * len(SOURCES)
    assert all(tries.sharing.may_share([Behind(PARTICIPANTS, source, 0, 1)]) for source in SOURCES)
    assert shown(logged) == [source for source in SOURCES if source != "source-2"]
    assert query(logged, "select source, position from quarantine") == [("source-2", 1)]


def test_promise_16_a_fault_of_one_source_keeps_those_that_it_shares_with_for_a_moment_only(
    logged: str, worker_engine: Engine
) -> None:
    def save(connection: Connection, track: Track, states: Sequence[Any]) -> None:
        if track.source == "source-2":
            raise KeyError
        PARTICIPANTS.save(connection, track, states)

    looks: list[bool] = []
    with working(worker_engine, 10, looks.append, [replace(PARTICIPANTS, save=save), REGISTRATIONS]):
        until(lambda: len(shown(logged)) == len(SOURCES) - 1)
        until(lambda: query(logged, "select source from quarantine") == [("source-2",)])
    assert transactions(logged) == len(SOURCES)


def test_sources_that_shared_with_one_that_fails_are_folded_before_the_next_look(
    logged: str, worker_engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Which would come too late here: where nothing was folded, this worker waits for an hour."""
    monkeypatch.setattr("projections.folding.worker._PATIENCE_SECONDS", DEADLINE)
    with psycopg.connect(logged) as connection:
        connection.execute("alter table participants_build_1 add constraint poison check (first_name <> 'source-2')")
    with working(worker_engine, 10, projections=[PARTICIPANTS], poll_seconds=3600):
        until(lambda: len(shown(logged)) == len(SOURCES) - 1)


def test_promise_16_a_slow_source_does_not_hold_those_that_it_shares_with(logged: str, worker_engine: Engine) -> None:
    """Its event waits at a gate, which stays closed."""
    with gate(logged, "participants_build_1", "insert", "new.first_name = 'source-2'"), working(worker_engine, 10):
        until(lambda: len(shown(logged)) == len(SOURCES) - 1)
        model.append(logged, [model.body(2)], "source-3")
        until(lambda: len(shown(logged)) == len(SOURCES))


def test_promise_16_sources_that_share_keep_one_with_much_to_do_no_longer_than_a_turn(
    logged: str, worker_engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And it does not keep them: it has a batch for each of their transactions."""
    for name, value in (("_FIRST", 3), ("_MOST", 3), ("_LONG_SECONDS", DEADLINE)):
        monkeypatch.setattr(f"projections.folding.sharing.{name}", value)
    model.append(logged, [model.body(number) for number in range(30)], "much")
    tried: list[str] = []

    class Noting(Tries):
        def fold(self, projection: Projection, source: str) -> int:
            tried.append(source)
            return super().fold(projection, source)

        def fold_shared(self, projection: Projection, sources: Sequence[str]) -> int:
            tried.append(",".join(sources))
            return super().fold_shared(projection, sources)

    monkeypatch.setattr("projections.folding.worker.Tries", Noting)
    behind = [Behind(PARTICIPANTS, "much", 0, 30), *(Behind(PARTICIPANTS, source, 0, 1) for source in SOURCES)]
    with closing(Aside(DEADLINE)) as aside:
        worker = Worker(worker_engine, [PARTICIPANTS], 10)
        assert worker._fold_each(behind, threading.Event(), lambda _is_read: None, aside) == len(SOURCES) + 8 + 10
    assert [set(tried[:2]), set(tried[2:])] == [{",".join(SOURCES[:3]), "much"}, {",".join(SOURCES[3:]), "much"}]


@contextmanager
def seen(database: str, worker: str, at: str) -> Iterator[None]:
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute(
            f"insert into worker_seen (worker, host, pid, version, seen_at) values (%s, 'h', 1, '1', {at})".encode(),
            [worker],
        )
        yield


def test_promise_9_the_share_of_a_worker_that_died_or_hangs_is_taken_over(logged: str, worker_engine: Engine) -> None:
    """One was there a moment ago, the other one still says that it is; both do nothing."""
    with seen(logged, "died", "now()"), seen(logged, "hangs", "now() + interval '1 hour'"):
        heartbeat = Heartbeat()
        heartbeat.note(worker_engine, None)
        assert heartbeat.workers == {heartbeat.name, "died", "hangs"}
        with working(worker_engine, 10):
            until(lambda: shown(logged) == SOURCES)


def test_a_worker_that_has_ended_is_alive_no_longer(database: str, worker_engine: Engine) -> None:
    """So its share is another one's at once, also that of the worker that is started in its place."""
    with working(worker_engine, 10):
        until(lambda: query(database, "select from worker_seen"))
    heartbeat = Heartbeat()
    heartbeat.note(worker_engine, None)
    assert heartbeat.workers == {heartbeat.name}
    assert len(query(database, "select from worker_seen where seen_at > now() - interval '1 minute'")) == 2


def test_promise_9_two_workers_fold_every_event_of_many_sources_once(database: str, worker_engine: Engine) -> None:
    drain(worker_engine)
    bodies = {
        f"source-{number}": [model.body(person, first_name=f"n{number}") for person in range(1 + number % 12)]
        for number in range(24)
    }
    events = sum(map(len, bodies.values()))
    stop, workers = threading.Event(), []
    with ExitStack() as stack:
        for _ in range(2):
            engine = sync_engine(database, WORKER_ROLE)
            stack.callback(engine.dispose)
            workers.append(Worker(engine, PROJECTIONS, 7))
            thread = threading.Thread(target=workers[-1].run, args=(0.01, stop, lambda _is_read: None))
            stack.callback(thread.join, DEADLINE)
            thread.start()
        stack.callback(stop.set)
        until(lambda: all(len(worker._heartbeat.workers) == 2 for worker in workers))
        with psycopg.connect(database, autocommit=True) as connection:
            for source, of_source in bodies.items():
                model.append_on(connection, of_source, source)
        until(lambda: query(database, "select sum(position) from checkpoint") == [(2 * events,)])
    for source, of_source in bodies.items():
        assert model.stored_roster(database, source) == model.roster(of_source)
    assert query(database, "select sum(registrations) from registrations_daily") == [(events,)]
    folded = [sum(worker.folded.values()) for worker in workers]
    assert (sum(folded), min(folded) > 0) == (2 * events, True)
