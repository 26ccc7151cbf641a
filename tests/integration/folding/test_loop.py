"""A worker's loop: whom it folds, when it stops, what it says, and that no fault of one source ends it."""

import threading
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import psycopg
import pytest
from psycopg.conninfo import make_conninfo
from sqlalchemy import Connection, Engine

from ingest.database import WORKER_ROLE, sync_engine
from projections.folding.aside import Aside
from projections.folding.complaints import Complaints
from projections.folding.pace import Pace
from projections.folding.projection import Behind, Track
from projections.folding.quarantine import TRIED_AGAIN
from projections.folding.tries import run_once
from projections.folding.worker import Worker
from tests import DEADLINE, model
from tests.fold_all import PARTICIPANTS, PROJECTIONS, REGISTRATIONS, drain, query, working
from tests.other_definition import OTHER
from tests.program import until

SOURCES = ("autumn", "spring", "summer")


@pytest.fixture
def logged(database: str, worker_engine: Engine) -> str:
    """An event of each of three sources, and builds that are live."""
    drain(worker_engine)
    for source in SOURCES:
        model.append(database, [model.body(1)], source)
    return database


def folded(database: str, projection: str = "participants") -> list[str]:
    """The sources that are folded."""
    of = "select source from checkpoint where projection = %s and position > 0 order by 1"
    return [row[0] for row in query(database, of, projection)]


class Pauses(threading.Event):
    """Makes no pause, but notes the seconds of each; it is set after so many. `then` is called before each."""

    def __init__(self, most: int, then: Callable[[int], object] = lambda _number: None) -> None:
        super().__init__()
        self.seconds: list[float] = []
        self._most = most
        self._then = then

    def wait(self, timeout: float | None = None) -> bool:
        assert timeout is not None
        self._then(len(self.seconds))
        self.seconds.append(timeout)
        if len(self.seconds) >= self._most:
            self.set()
        return self.is_set()


def test_a_worker_with_nothing_to_do_looks_ever_less_often_and_after_an_event_often_again(
    database: str, worker_engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From the first pause to a fifth of a second."""
    monkeypatch.setattr("projections.folding.worker._PATIENCE_SECONDS", DEADLINE)
    drain(worker_engine)
    looks: list[bool] = []

    def deliver(number: int) -> None:
        if number == 300:
            model.append(database, [model.body(1)])

    stop = Pauses(310, deliver)

    def beat(is_read: bool) -> None:  # noqa: FBT001 - the worker's own signature
        looks.append(is_read)
        if len(looks) > 1_000:
            stop.set()  # it makes no pause

    Worker(worker_engine, PROJECTIONS, 10).run(0.1, stop, beat)
    assert (stop.seconds[0], stop.seconds[299], len(stop.seconds)) == (0.1, 0.2, 310)
    assert stop.seconds[:300] == sorted(stop.seconds[:300])
    assert stop.seconds[302:] == [0.1] * 8
    assert folded(database) == ["movemint"]


def test_a_worker_whose_database_is_away_pauses_between_its_looks(database: str) -> None:
    engine = sync_engine(make_conninfo(database, host="127.0.0.1", port="1"), WORKER_ROLE)
    stop, looks = Pauses(3), []

    def beat(is_read: bool) -> None:  # noqa: FBT001 - the worker's own signature
        looks.append(is_read)
        if len(looks) > 20:
            stop.set()  # it makes no pause

    Worker(engine, PROJECTIONS, 10).run(0.01, stop, beat)
    engine.dispose()
    assert stop.seconds == [0.2] * 3
    assert looks == [False] * 3


def test_a_worker_that_is_told_to_stop_begins_no_other_batch(logged: str, worker_engine: Engine) -> None:
    """It is told after its first batch, which it says as after each one. The projections of a source begin together."""
    for source in SOURCES:  # too many to share a transaction
        model.append(logged, [model.body(number) for number in range(2, 12)], source)
    stop, beats = threading.Event(), []

    def beat(is_read: bool) -> None:  # noqa: FBT001 - the worker's own signature
        beats.append(is_read)
        if len(beats) == 2:
            stop.set()

    Worker(worker_engine, PROJECTIONS, 10).run(0.01, stop, beat)
    assert (len(folded(logged)), len(folded(logged, "registrations"))) == (1, 1)
    assert beats == [True, True, True]


def test_the_projections_of_a_source_are_folded_at_once(logged: str, worker_engine: Engine) -> None:
    """Each waits for the other one in the middle of its batch."""
    both = threading.Barrier(len(PROJECTIONS))

    def meeting(save: Callable[[Connection, Track, Sequence[Any]], None]) -> Callable[..., None]:
        def meet(connection: Connection, track: Track, states: Sequence[Any]) -> None:
            both.wait(DEADLINE)
            save(connection, track, states)

        return meet

    projections = [replace(each, save=meeting(each.save)) for each in PROJECTIONS]
    with closing(Aside(DEADLINE)) as aside:
        Worker(worker_engine, projections, 10)._fold_each(
            [Behind(each, "spring", 0, 1) for each in projections], threading.Event(), lambda _is_read: None, aside
        )
    assert not both.broken
    assert (folded(logged), folded(logged, "registrations")) == (["spring"], ["spring"])


def test_a_projection_waits_for_the_other_one_of_its_source_but_not_for_ever(
    logged: str, worker_engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    model.append(logged, [model.body(2)], "spring")
    enough = threading.Event()

    def save(connection: Connection, track: Track, states: Sequence[Any]) -> None:
        enough.wait(DEADLINE)
        PARTICIPANTS.save(connection, track, states)

    projections = [replace(PARTICIPANTS, save=save), REGISTRATIONS]
    counted = "select position from checkpoint where projection = 'registrations' and source = 'spring'"
    with closing(Aside(0.01)) as aside:
        worker = Worker(worker_engine, projections, 1)

        def fold() -> None:
            behind = [Behind(each, "spring", 0, 2) for each in projections]
            worker._fold_each(behind, threading.Event(), lambda _: None, aside)

        try:
            fold()
            until(lambda: query(logged, counted) == [(1,)])
            until(lambda: aside.longest([("registrations", "spring")]) == 0)
            fold()
            assert aside.longest([("registrations", "spring")]) == 0
            assert query(logged, counted) == [(1,)]
            monkeypatch.setattr("projections.folding.worker._TOGETHER_SECONDS", 0.0)
            fold()
            until(lambda: query(logged, counted) == [(2,)])
        finally:
            enough.set()


def test_a_worker_says_in_the_database_that_it_is_there_and_goes_on_if_it_cannot(
    logged: str, worker_engine: Engine, caplog: pytest.LogCaptureFixture
) -> None:
    with psycopg.connect(logged) as connection:
        connection.execute(f"revoke insert on worker_seen from {WORKER_ROLE}")
    with working(worker_engine, 10):
        until(lambda: len(folded(logged)) == len(SOURCES))
        assert query(logged, "select * from worker_seen") == []
        with psycopg.connect(logged) as connection:
            connection.execute(f"grant insert on worker_seen to {WORKER_ROLE}")
        until(lambda: query(logged, "select * from worker_seen"))
    assert caplog.text.count("this worker's heartbeat could not be written") == 1


def test_a_source_waits_for_the_end_of_its_pause(
    logged: str, worker_engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    may_try = Pace.may_try
    waits = {"spring"}
    monkeypatch.setattr(Pace, "may_try", lambda pace, lane, now: lane[1] not in waits and may_try(pace, lane, now))
    monkeypatch.setattr(Pace, "may_share", lambda _pace, lane: lane[1] not in waits)
    with working(worker_engine, 10):
        until(lambda: len(folded(logged)) == 2)
        assert folded(logged) == ["autumn", "summer"]
        waits.clear()
        until(lambda: len(folded(logged)) == 3)


def test_a_build_of_another_definition_is_not_written_into(logged: str, worker_engine: Engine) -> None:
    assert run_once(worker_engine, OTHER, "spring", 10) == 0
    Worker(worker_engine, [OTHER, REGISTRATIONS], 10)._tries._park_next(OTHER, "spring", "a reason")
    assert (folded(logged), query(logged, "select * from quarantine")) == ([], [])


def test_a_source_whose_batch_took_too_long_is_not_waited_for(
    logged: str, worker_engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Pace, "is_suspect", lambda _pace, lane: lane[1] == "spring")
    worker, behind = (
        Worker(worker_engine, PROJECTIONS, 10),
        [Behind(PARTICIPANTS, source, 0, 1) for source in SOURCES[1:]],
    )
    with closing(Aside(DEADLINE)) as aside:
        counted = worker._fold_each(behind, threading.Event(), lambda _is_read: None, aside)
    assert (counted, folded(logged)) == (1, ["spring", "summer"]), "what is counted was waited for"


def test_after_an_event_was_parked_its_source_is_folded_as_before(logged: str, worker_engine: Engine) -> None:
    worker, lane = Worker(worker_engine, PROJECTIONS, 10), ("participants", "spring")
    for _ in range(6):
        worker._tries.pace.failed(lane, 0.0, is_to_blame=True)
    assert worker._tries.pace.limit(lane) == 1
    worker._tries._park_next(PARTICIPANTS, "spring", "a reason")
    assert query(logged, "select source, reason from quarantine") == [("spring", "a reason")]
    assert worker._tries.pace.limit(lane) == 10


def test_a_batch_that_takes_long_again_keeps_all_its_time(
    logged: str, worker_engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    worker, lane = Worker(worker_engine, PROJECTIONS, 1), ("participants", "spring")
    model.append(logged, [model.body(2)], "spring")
    for _ in range(2):
        worker._tries.pace.failed(lane, 0.0, is_to_blame=False, took_long=True)
    for long_seconds, has_all in ((0.0, True), (DEADLINE, False)):
        monkeypatch.setattr("projections.folding.tries._LONG_SECONDS", long_seconds)
        assert worker._tries.fold(PARTICIPANTS, "spring") == 1
        assert (worker._tries.pace.share(lane) == 1) == has_all


def test_a_fault_in_our_own_code_parks_its_event_and_ends_no_worker(logged: str, worker_engine: Engine) -> None:
    def save(connection: Connection, track: Track, states: Sequence[Any]) -> None:
        if track.source == "autumn":
            raise KeyError("canary")
        PARTICIPANTS.save(connection, track, states)

    with working(worker_engine, 10, projections=[replace(PARTICIPANTS, save=save), REGISTRATIONS]):
        until(lambda: len(folded(logged)) == len(SOURCES))
    assert query(logged, "select source, reason from quarantine") == [("autumn", f"{TRIED_AGAIN}KeyError")]


def test_an_event_that_cannot_be_parked_keeps_its_own_source_alone(
    logged: str, worker_engine: Engine, caplog: pytest.LogCaptureFixture
) -> None:
    def save(connection: Connection, track: Track, states: Sequence[Any]) -> None:
        if track.source == "autumn":
            raise KeyError
        PARTICIPANTS.save(connection, track, states)

    with psycopg.connect(logged) as connection:
        connection.execute(f"revoke insert on quarantine from {WORKER_ROLE}")
    with working(worker_engine, 10, projections=[replace(PARTICIPANTS, save=save), REGISTRATIONS]):
        until(lambda: "an event could not be parked" in caplog.text)
        model.append(logged, [model.body(2)], "spring")
        until(lambda: len(query(logged, "select * from participants where source = 'spring'")) == 2)
    assert folded(logged) == ["spring", "summer"]
    assert caplog.text.count("a batch failed") == 1, "the same once in ten seconds"


def test_the_same_is_said_once_in_ten_seconds_and_of_each_source(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 100.0
    monkeypatch.setattr("projections.folding.complaints.time", SimpleNamespace(monotonic=lambda: now))
    complaints = Complaints()
    for _ in range(3):
        for source in SOURCES:
            complaints.say("a batch failed", {"source": source}, None)
    assert len(caplog.records) == len(SOURCES)
    now += 10.0
    complaints.say("a batch failed", {"source": "spring"}, None)
    assert len(caplog.records) == len(SOURCES) + 1
    assert len(complaints._said) == 1, "what was said before is forgotten"


def test_a_new_source_is_found_within_a_second(logged: str, worker_engine: Engine) -> None:
    with working(worker_engine, 10):
        until(lambda: len(folded(logged)) == len(SOURCES))
        model.append(logged, [model.body(1)], "winter")
        until(lambda: "winter" in folded(logged))
