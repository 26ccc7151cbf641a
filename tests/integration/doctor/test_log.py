"""The log and the roster: secrets, holes, made-up people, keys that no column reads, what status watches."""

from collections.abc import Iterator

import psycopg
import pytest
from sqlalchemy import Connection, Engine, text

from ingest import postgres
from ingest.database import sync_engine
from ingest.log.read import heads
from ingest.simulator.demo import WISHES
from ingest.simulator.plan import plan
from projections.doctor.finding import DoctorFinding
from projections.doctor.log import check_demo, check_holes, check_secrets
from projections.doctor.sample import check_fields
from projections.doctor.watched import check_watched
from projections.folding.health import read_health
from projections.folding.heartbeat import Heartbeat
from projections.folding.needs import needs
from projections.folding.projection import Projection
from projections.participants.fields import DECLARED
from tests import model
from tests.conftest import create
from tests.findings import of, only, worst
from tests.fold_all import PROJECTIONS, REGISTRATIONS, drain
from tests.other_definition import OTHER

LENGTH = 20


@pytest.fixture(scope="module")
def long_log(server: postgres.Server, template: str) -> Iterator[Engine]:
    """A log of twenty events, of which half are folded."""
    conninfo = create(server, template)
    model.append(conninfo, [model.body(number) for number in range(LENGTH // 2)])
    engine = sync_engine(conninfo)
    drain(engine)
    model.append(conninfo, [model.body(number) for number in range(LENGTH // 2, LENGTH)])
    with engine.begin() as connection:  # what was folded into a build that is not live is nobody's next
        number = connection.scalar(text("select begin_build('participants', 'another', '[]')"))
        values = {"build": number, "position": 13}
        connection.execute(
            text("insert into checkpoint values ('movemint', 'participants', :build, :position)"), values
        )
    yield engine
    engine.dispose()


@pytest.mark.parametrize(
    ("missing", "is_seen"), [(1, True), (2, True), (5, False), (11, True), (12, True), (15, False), (19, True)]
)
def test_a_hole_is_found_where_it_is_looked_for(long_log: Engine, missing: int, *, is_seen: bool) -> None:
    """At the beginning, at the end, and where the worker goes on: two positions at each of these places."""
    with long_log.connect() as connection:
        connection.execute(text("alter table event_log disable trigger all"))
        connection.execute(text("delete from event_log where position = :missing"), {"missing": missing})
        level, said = only(check_holes(connection, heads(connection), size=2), "holes")
        all_level, all_said = only(check_holes(connection, heads(connection)), "holes")
        connection.rollback()
    assert level == ("fail" if is_seen else "ok")
    assert (f"has no position {missing}:" in said) == is_seen
    assert (all_level, f"has no position {missing}:" in all_said) == ("fail", True)


def test_what_was_looked_at_is_said(long_log: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    with long_log.connect() as connection:
        level, said = only(check_holes(connection, heads(connection), size=2), "holes")
        assert only(check_holes(connection, heads(connection)), "holes")[0] == "ok", "a log shorter than a window"
        assert (level, "the first and the last 2 positions of 1 sources" in said) == ("ok", True)
        monkeypatch.setattr("projections.doctor.log._MOST_SOURCES", 1)
        assert "of 1 sources" in only(check_holes(connection, {"movemint": LENGTH, "other": 1}), "holes")[1]


def test_a_log_that_ends_before_what_was_folded_is_told(long_log: Engine) -> None:
    """Also one that is empty; and beside it, what is missing of the part that is left."""
    with long_log.connect() as connection:
        connection.execute(text("alter table event_log disable trigger all"))
        connection.execute(
            text("insert into checkpoint select 'spring', p.projection, p.live, 3 from projection p where p.live = 1")
        )
        spring = of(check_holes(connection, heads(connection)), "holes")
        assert all("spring ends at position 0, and " in said for _, said in spring)
        connection.execute(text("delete from checkpoint where source = 'spring'"))
        folded = LENGTH // 2
        for last, first_missing in ((folded, None), (5, None), (4, 3), (0, None)):
            missing = {"last": last, "missing": first_missing}
            connection.execute(text("delete from event_log where position > :last or position = :missing"), missing)
            found = of(check_holes(connection, heads(connection)), "holes")
            lost = [said for level, said in found if level == "fail" and "will not be folded" in said]
            assert len(lost) == (0 if last == folded else 2), "of each projection"
            for said, projection in zip(lost, ("participants", "registrations"), strict=False):
                assert f"movemint ends at position {last}, and {projection} has folded position {folded} of it" in said
                assert f"rosterlog rebuild {projection} folds what is left" in said
            assert len(found) == max(len(lost) + (first_missing is not None), 1)
        connection.rollback()


def test_a_log_without_made_up_people_has_none(long_log: Engine) -> None:
    with long_log.connect() as connection:
        level, said = only(check_demo(connection, heads(connection)), "demo")
    assert (level, "none of the demo's" in said) == ("ok", True)


def test_secrets_and_events_are_compared() -> None:
    logged = {"movemint": 3, "spring": 2}
    levels = [level for level, _ in of(check_secrets({"movemint": (b"x",), "summer": (b"y", b"z")}, logged), "secrets")]
    assert levels == ["ok", "ok", "warn"]
    [_, summer, spring] = of(check_secrets({"movemint": (b"x",), "summer": (b"y", b"z")}, logged), "secrets")
    assert summer[1].startswith("summer has 2 secrets, no delivery was ever stored")
    assert "spring: events in the log and no secret here" in spring[1]
    assert only(check_secrets({}, logged), "secrets")[0] == "warn"
    assert only(check_secrets({"movemint": (b"x",)}, None), "secrets") == ("ok", "movemint has 1 secret: ")


def test_made_up_people_among_real_ones_are_told(database: str, engine: Engine) -> None:
    def demo() -> tuple[str, str]:
        with engine.connect() as connection:
            return only(check_demo(connection, heads(connection)), "demo")

    assert demo()[0] == "ok"
    model.append(database, [planned.body for planned in plan(WISHES)[:5]])
    assert (demo()[0], "only made-up people" in demo()[1]) == ("ok", True)
    model.append(database, [model.body("real")])
    assert (demo()[0], "among 1 others" in demo()[1]) == ("warn", True)
    model.append(database, [plan(WISHES)[0].body], "spring")
    assert "among 2 others" in demo()[1], "the demo delivers to one source"


def test_keys_that_no_column_reads_are_told_where_a_column_is_empty(database: str, engine: Engine) -> None:
    def fields() -> list[tuple[str, str]]:
        with engine.connect() as connection:
            return of(check_fields(connection, DECLARED, heads(connection)), "fields")

    assert fields()[0][0] == "ok"
    model.append(database, [model.body(1, first_name="Ada")])
    assert fields()[0][0] == "ok"
    model.append(database, [model.body(2, **{"race\x1b[2J": "Unmistakable"}, dob="Unmistakable")])
    [odd, unread] = fields()
    assert (odd[0], "values of dob" in odd[1]) == ("warn", True)
    assert (unread[0], "no column reads race\\u001b[2J in" in unread[1]) == ("warn", True)
    assert "Unmistakable" not in str(fields())


def test_of_all_keys_the_newest_events_of_some_sources_are_looked_at(
    long_log: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    with long_log.connect() as connection:

        def said() -> str:
            [(_, line)] = of(check_fields(connection, DECLARED, heads(connection)), "fields")
            return line

        assert f"the newest {LENGTH} deliveries" in said()
        monkeypatch.setattr("projections.doctor.sample.NEWEST", 3)
        assert "the newest 3 deliveries" in said()
        connection.execute(text("alter table event_log disable trigger all"))
        connection.execute(text(f"delete from event_log where position = {LENGTH - 1}"))
        assert "no delivery about a participant has arrived yet" in said(), "a hole is a finding of its own"
        connection.rollback()
        monkeypatch.setattr("projections.doctor.sample._MOST_SOURCES", 0)
        assert "no delivery about a participant has arrived yet" in said()


def test_a_key_that_no_column_reads_is_only_named_where_every_column_has_its_own(database: str, engine: Engine) -> None:
    model.append(database, [model.body(1, **dict.fromkeys(DECLARED.keys, None), race="x")])
    with engine.connect() as connection:
        level, said = only(check_fields(connection, DECLARED, heads(connection)), "fields")
    assert (level, "kept, and read by no column: race" in said) == ("ok", True)
    model.append(database, [model.body(2, dob="Unmistakable")])
    with engine.connect() as connection:
        assert only(check_fields(connection, DECLARED, heads(connection)), "fields")[0] == "warn"


def watched(connection: Connection, projections: tuple[Projection, ...] = PROJECTIONS) -> list[DoctorFinding]:
    health = read_health(connection, projections, ["movemint"])
    found = [*check_watched(health)]
    assert len(of(found, "status")) == len(needs(health))
    return found


def test_what_status_watches_is_told_in_its_words(folded: str, engine: Engine, worker_engine: Engine) -> None:
    Heartbeat().note(worker_engine, None)
    with engine.connect() as connection:
        found = watched(connection)
        assert worst(found) == []
        assert [finding.check for finding in found] == ["refused", "worker", "definitions", "lag", "compared", "parked"]
    with psycopg.connect(folded, autocommit=True) as admin:
        admin.execute("select count_refused('movemint', 'signature_wrong', now(), 7, now())")
    with engine.connect() as connection:
        level, said = only(watched(connection), "status")
        assert (level, "was the secret rotated?" in said) == ("fail", True)
        assert of(watched(connection), "refused") == []


def test_of_a_source_without_deliveries_nothing_is_said(database: str, engine: Engine) -> None:
    with engine.connect() as connection:
        found = watched(connection)
    assert (of(found, "refused"), worst(found)) == ([], [])
    assert "none was ever seen" in only(found, "worker")[1]
    assert "0 live builds" in only(found, "definitions")[1]
    with psycopg.connect(database) as admin:
        admin.execute(
            "insert into worker_seen (worker, host, pid, version, seen_at) "
            "values ('w', 'h', 1, 'v', now() - interval '1 day')"
        )
    with engine.connect() as connection:
        found = watched(connection)
        assert of(found, "worker") == []
        assert only(found, "status")[1].startswith("nothing runs")
    with engine.connect() as connection, psycopg.connect(database, application_name="rosterlog"):
        found = watched(connection)
        assert (of(found, "worker"), only(found, "status")[0]) == ([], "fail")
    with psycopg.connect(database) as admin:
        admin.execute("update worker_seen set seen_at = now() + interval '100 seconds'")
    with engine.connect() as connection:
        assert "one was seen 0 s ago, on h" in only(watched(connection), "worker")[1], "clocks that differ"


def test_a_changed_definition_and_a_parked_event_are_told(folded: str, engine: Engine, worker_engine: Engine) -> None:
    Heartbeat().note(worker_engine, None)
    with engine.connect() as connection:
        found = watched(connection, (OTHER, REGISTRATIONS))
    assert (of(found, "definitions"), "nothing is folded" in only(found, "status")[1]) == ([], True)
    model.append(folded, [b'{"type": "event.participant.created", "data": {"object": {"first_name": "No id"}}}'])
    drain(worker_engine)
    with engine.connect() as connection:
        found = watched(connection)
    assert of(found, "parked") == []
    assert all("1 parked event: rosterlog quarantine list" in said for _, said in of(found, "status"))


def test_what_is_alike_of_many_sources_is_told_of_the_first_few_and_counted_of_the_others(
    database: str, engine: Engine, worker_engine: Engine
) -> None:
    names = [f"s{number}" for number in range(9)]
    for name in names:
        model.append(database, [b'{"type": "event.participant.created", "data": {"object": {}}}'], name)
        drain(worker_engine, name)
    Heartbeat().note(worker_engine, None)
    with engine.connect() as connection:
        health = read_health(connection, PROJECTIONS, names)
        secrets = of(check_secrets(dict.fromkeys(names, (b"x",)), heads(connection)), "secrets")
    parked = of(check_watched(health), "status")
    assert len(needs(health)) == 4
    for found, first in ((parked, "s0: 1 parked event:"), (secrets, "s0 has 1 secret, 1 events")):
        assert [level for level, _ in found] == [found[0][0]] * 4
        assert found[0][1].startswith(first)
        assert found[3][1].startswith("6 more likewise: s3, s4, s5, s6, s7 and 1 more: ")
    assert "rosterlog quarantine list" in parked[3][1]
    arrivals = of(check_watched(health), "refused")
    assert ("s0: the last delivery came" in arrivals[0][1], len(arrivals)) == (True, 4)


def test_events_that_wait_for_a_worker_are_told(database: str, engine: Engine) -> None:
    model.append(database, [model.body(1)])
    with psycopg.connect(database, autocommit=True) as admin:
        admin.execute("alter table event_log disable trigger all")
        admin.execute("update event_log set received_at = now() - interval '10 minutes'")
    with engine.connect() as connection:
        found = watched(connection)
    said = " ".join(line for _, line in of(found, "status"))
    assert "no worker was seen ever" in said
    assert "waits to be folded for 10 min" in said
    assert {finding.check for finding in found} & {"worker", "lag"} == set()
