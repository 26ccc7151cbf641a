"""What needs a person where it cannot be waited for in a test: the sentences, over a health that was read and aged."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest
from sqlalchemy import Engine

from ingest.database import sync_engine
from ingest.log.figures import log_readings
from ingest.log.read import HoleInLog
from ingest.log.refused import NOTHING_REFUSED, Refused
from ingest.log.verification import Verified
from ingest.metrics import MISSING_POSITION, OLDEST_UNFOLDED, REFUSED_IN_A_ROW
from projections.folding.figures import projection_readings
from projections.folding.health import Health, read_health
from projections.folding.heartbeat import Heartbeat, SeenWorker
from projections.folding.needs import needs
from projections.folding.tries import run_once
from tests import model
from tests.fold_all import PARTICIPANTS, PROJECTIONS, REGISTRATIONS
from tests.program import until


def test_what_keeps_a_database_from_its_work_is_said_with_the_next_step(database: str, engine: Engine) -> None:
    model.append(database, [model.body(1)])
    with engine.connect() as connection:
        health = read_health(connection, PROJECTIONS, ["movemint"])
    assert needs(health) == []
    assert health.open_seconds == 0
    [said] = needs(replace(health, open_seconds=7_300.0))
    assert said.startswith("a transaction has been open for 2 h")
    assert said.endswith("rosterlog doctor names it; end its program")
    [said] = needs(replace(health, answer_seconds=0.7))
    assert said.startswith("the database answers slowly, a statement that does nothing takes 0.7 s: look at its disk")
    now = datetime.now(UTC)
    verified = {"movemint": Verified(now, 2, with_signatures=False), "other": Verified(now, 0, with_signatures=True)}
    [said] = needs(replace(health, verified=verified))
    assert said.startswith("movemint: verify found 2 problems in the log: rosterlog verify names them")
    [said] = needs(replace(health, verified={"gone": Verified(now, 1, with_signatures=True)}))
    assert said.startswith("gone: verify found 1 problem in the log: rosterlog verify --signatures names them")
    [said] = needs(replace(health, slots={"warehouse": 11 * 2**30, "other": 2**30}))
    assert said.startswith("the slot warehouse holds back 11.0 GB of the write-ahead log: start what reads from it")


def test_a_log_that_nobody_verifies_is_said(database: str, engine: Engine) -> None:
    """From eight days after its first event, or after the last verification."""
    model.append(database, [model.body(1)])
    with engine.connect() as connection:
        health = read_health(connection, PROJECTIONS, ["movemint"])
    long_ago = datetime.now(UTC) - timedelta(days=9)
    old = replace(health, sources=[replace(source, first_received_at=long_ago) for source in health.sources])
    [said] = needs(old)
    assert said == "movemint: the log was never verified: run rosterlog verify, once a week by a timer"
    assert needs(replace(old, verified={"movemint": Verified(datetime.now(UTC), 0, with_signatures=False)})) == []
    [said] = needs(replace(old, verified={"movemint": Verified(long_ago, 0, with_signatures=False)}))
    assert said.startswith("movemint: the log was verified 9 d ago: run rosterlog verify")


def test_when_nothing_runs_it_is_said_since_when_and_how_it_is_started(
    database: str, engine: Engine, worker_engine: Engine
) -> None:
    def said() -> list[str]:
        with engine.connect() as connection:
            return needs(read_health(connection, PROJECTIONS, ["movemint"]))

    assert said() == [], "nothing has ever run"
    Heartbeat().note(worker_engine, None)
    worker_engine.dispose()
    until(lambda: said() == [])
    with psycopg.connect(database, autocommit=True) as admin:
        admin.execute("update worker_seen set seen_at = now() - interval '3 hours'")
    [nothing_runs] = said()
    assert nothing_runs.startswith(
        "nothing runs, no server is connected to this database and no worker was seen for 3 h"
    )
    assert ": start rosterlog up, or rosterlog ingest, api and worker; " in nothing_runs
    with sync_engine(database).connect() as of_a_server:
        assert said() == ["no worker was seen for 3 h: start rosterlog worker, or look at its log"]
        of_a_server.invalidate()


def test_the_oldest_open_transaction_is_read(engine: Engine) -> None:
    with engine.connect() as opened, engine.connect() as connection:
        opened.exec_driver_sql("select 1")
        assert 0 < read_health(connection, PROJECTIONS, ()).open_seconds < 3_600


def test_a_hole_in_the_log_is_said_at_once_and_never_looks_as_if_all_were_folded(
    database: str, engine: Engine, worker_engine: Engine
) -> None:
    model.append(database, [model.body(number) for number in range(5)])
    with psycopg.connect(database, autocommit=True) as admin:
        admin.execute("alter table event_log disable trigger all")
        admin.execute("delete from event_log where position = 3")
    assert run_once(worker_engine, PARTICIPANTS, "movemint", 2) == 2
    assert run_once(worker_engine, REGISTRATIONS, "movemint", 2) == 2
    with pytest.raises(HoleInLog):
        run_once(worker_engine, PARTICIPANTS, "movemint", 2)
    with engine.connect() as connection:
        said = needs(read_health(connection, PROJECTIONS, ["movemint"]))
        found = {(each.metric.name, each.labels): each.value for each in projection_readings(connection, PROJECTIONS)}
    assert said[0].startswith("movemint: the log has no position 3, so nothing after it is folded: it was damaged")
    assert (OLDEST_UNFOLDED.name, ("movemint", "participants")) in found
    assert found[MISSING_POSITION.name, ("movemint",)] == 3


def test_refusals_that_say_nothing_of_a_sender_are_in_no_run(database: str, engine: Engine) -> None:
    """Neither what came for a source that nobody knows, nor what the database could not take."""
    with psycopg.connect(database, autocommit=True) as connection:
        for source, reason in (("", "unknown_source"), ("movemint", "unavailable"), ("other", "signature_wrong")):
            connection.execute("select count_refused(%s, %s, now(), 7, now())", (source, reason))
    with engine.connect() as reading:
        runs = {each.labels[0]: each.value for each in log_readings(reading) if each.metric is REFUSED_IN_A_ROW}
        said = needs(read_health(reading, PROJECTIONS, ["movemint", "other"]))
    assert runs == {"movemint": 0, "other": 7}
    assert sorted(sentence.split(" ")[0] for sentence in said) == ["movemint:", "other:"]
    assert next(sentence for sentence in said if "answered 503" in sentence).startswith("movemint: 7 deliveries")


@pytest.fixture
def well(database: str, engine: Engine) -> Health:
    """A health that was read, of which nothing needs a person."""
    model.append(database, [model.body(1)])
    with engine.connect() as connection:
        health = replace(read_health(connection, PROJECTIONS, ["movemint"]), is_used=True, worker=seen(5))
    assert needs(health) == []
    return health


def seen(seconds: float) -> SeenWorker:
    """A worker that was seen so many seconds ago."""
    return SeenWorker("w", "h", 1, "v", datetime.now(UTC) - timedelta(seconds=seconds), None)


def refused(run: int, *, unavailable_before: float | None = None) -> Refused:
    now = datetime.now(UTC)
    at = None if unavailable_before is None else now - timedelta(seconds=unavailable_before)
    reasons = {"signature_wrong": run} if run else {}
    return replace(
        NOTHING_REFUSED, run=run, run_since=now, run_reason="signature_wrong", by_reason=reasons, unavailable_at=at
    )


def with_source(well: Health, **changes: Any) -> Health:  # noqa: ANN401 - whatever a source has
    [source] = well.sources
    return replace(well, sources=[replace(source, **changes)])


def check(cases: Sequence[tuple[Health, str]]) -> None:
    """Each health needs what is said of it; "": nothing."""
    for health, expected in cases:
        told = " / ".join(needs(health))
        assert expected in told, expected
        assert bool(told) == bool(expected), told


def test_a_worker_that_is_missing_or_behind_needs_a_person_from_a_bound_on_and_not_before(well: Health) -> None:
    [behind] = with_source(well, seconds_behind=61.0).sources
    check([
        (replace(well, worker=seen(28)), ""),
        (replace(well, worker=seen(33)), "no worker was seen for 33 s"),
        (replace(well, worker=None), "no worker was seen ever"),
        (replace(well, worker=None, is_used=False), ""),
        (replace(well, worker=seen(33), is_used=False), "nothing runs"),
        (replace(well, worker=None, is_used=False, sources=[behind]), "no worker was seen ever"),
        (with_source(well, seconds_behind=60.0), ""),
        (with_source(well, seconds_behind=61.0), "waits to be folded for 61 s"),
        (with_source(well, missing=7), "the log has no position 7"),
    ])  # fmt: skip


def test_a_database_needs_a_person_from_a_bound_on_and_not_before(well: Health) -> None:
    check([
        (replace(well, answer_seconds=0.5), ""),
        (replace(well, answer_seconds=0.51), "the database answers slowly"),
        (replace(well, open_seconds=3_600.0), ""),
        (replace(well, open_seconds=7_300.0), "open for 2 h"),
        (replace(well, is_read_only=True), "the database is read-only"),
        (replace(well, is_read_only=True, free_bytes=0), "the disk of the database is full"),
    ])  # fmt: skip


def test_what_was_refused_or_parked_needs_a_person_from_a_bound_on_and_not_before(well: Health) -> None:
    [source] = well.sources
    check([
        (with_source(well, refused=refused(4)), ""),
        (with_source(well, refused=refused(5)), "5 of 6 deliveries in the last hour were refused"),
        (with_source(well, refused=refused(1), last_received_at=None), "1 of 2 deliveries in the last hour was"),
        (with_source(well, refused=refused(0, unavailable_before=310)), ""),
        (with_source(well, refused=refused(0, unavailable_before=290)), "0 deliveries were answered 503"),
        (with_source(well, refused=replace(refused(0, unavailable_before=9), by_reason={"unavailable": 1})),
         "1 delivery was answered 503 in the last hour"),
        (with_source(well, status=replace(source.status, quarantined=2)), "2 parked events: "),
        (with_source(well, status=replace(source.status, quarantined=1)), "1 parked event: "),
    ])  # fmt: skip


def test_the_most_urgent_need_comes_first(engine: Engine) -> None:
    with engine.connect() as connection:
        health = read_health(connection, PROJECTIONS, ["movemint"], free_bytes=0)
    [source] = health.sources
    said = needs(
        replace(
            health, verified={name: Verified(datetime.now(UTC), 1, with_signatures=False) for name in "ba"},
            is_used=True, answer_seconds=1.0,
            sources=[replace(source, missing=3, seconds_behind=100, status=replace(source.status, quarantined=1))],
        )
    )  # fmt: skip
    words = ("disk", "no position 3", "a: verify", "b: verify", "no worker", "waits", "answers slowly", "parked")
    assert [word for sentence, word in zip(said, words, strict=True) if word in sentence] == [*words]
