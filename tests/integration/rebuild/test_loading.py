"""Rebuild (design points 12 and 13): what is loaded, what is parked, what is left over, what is compared."""

from dataclasses import replace

import psycopg
import pytest
from sqlalchemy import Engine
from sqlalchemy.exc import DBAPIError

from ingest.log.event import Event
from ingest.log.read import HoleInLog
from ingest.log.scan import Share, by_subject, single_events, snapshot
from projections.folding import builds
from projections.folding.projection import Projection
from projections.rebuild import steps
from projections.rebuild.compare import compare
from projections.rebuild.drop import drop_beside
from projections.rebuild.load import load_shares
from projections.rebuild.swap import swap
from tests import model, roster_model
from tests.fold_all import PARTICIPANTS, PROJECTIONS, build_anew, drain, live, query
from tests.other_definition import OTHER, begin, bibs


def test_what_depends_on_an_old_builds_table_is_named_and_stops_no_rebuild(folded: str, worker_engine: Engine) -> None:
    with psycopg.connect(folded) as owner:
        owner.execute("create view theirs as select * from participants_build_1")
    for _ in range(2):
        swap(worker_engine, PARTICIPANTS, build_anew(worker_engine, PARTICIPANTS), 100)
    [held_back] = drop_beside(worker_engine, "participants")
    assert "view theirs depends on table participants_build_1" in held_back
    with steps.only_one(worker_engine, "participants") as again:
        assert again == [held_back]


def test_promise_12_a_row_postgres_refuses_parks_only_its_participant_in_a_rebuild_too(
    database: str, worker_engine: Engine
) -> None:
    bodies = [model.body(n % 20, first_name=f"poison{n}" if n in (3, 24, 44) else f"ok{n}") for n in range(60)]
    model.append(database, bodies)
    build, up_to = begin(worker_engine)
    with psycopg.connect(database) as connection:
        connection.execute(f"alter table {build.table('participants_build')} add check (first_name not like 'poison%')")
    load_shares(worker_engine, PARTICIPANTS, build, [Share("movemint", up_to["movemint"], 0, 1)], lambda _: None)
    steps.attach_tables(worker_engine, PARTICIPANTS, build, up_to, 100)
    swap(worker_engine, PARTICIPANTS, build, 100)
    good = [body for n, body in enumerate(bodies) if n not in (3, 24, 44)]
    names = {id_: row[2] for id_, row in roster_model.roster(good).rows().items()}
    assert {id_: row[2] for id_, row in model.stored_roster(database).items()} == names
    assert query(database, "select position from quarantine where build = %s order by 1", build.number) == [
        (25,), (45,)
    ]  # fmt: skip


def test_promise_12_a_fault_in_the_fold_parks_only_its_participant_in_a_rebuild_too(
    database: str, worker_engine: Engine
) -> None:
    def faulty(event: Event) -> object:
        if event.subject == "3":
            raise ZeroDivisionError("somebody's name")
        return PARTICIPANTS.fold(event)

    model.append(database, [model.body(number) for number in range(6)])
    build = build_anew(worker_engine, replace(PARTICIPANTS, fold=faulty))
    assert query(database, f"select count(*) from {build.table('participants_build')}") == [(5,)]
    assert query(database, "select participant_id, reason from quarantine") == [
        ("3", "the fold failed with ZeroDivisionError")
    ]


def test_promise_13_what_a_rebuild_left_unfinished_is_dropped_by_the_next(folded: str, worker_engine: Engine) -> None:
    unattached, _ = begin(worker_engine)
    attached = build_anew(worker_engine, PARTICIPANTS)
    with steps.only_one(worker_engine, "participants"):
        with worker_engine.connect() as connection:
            assert builds.beside(connection, "participants") == []
        left = f"select count(*) from pg_class where relname ~ '_build_({unattached.number}|{attached.number})'"
        assert query(folded, left) == [(0,)]
        assert query(folded, "select distinct build from checkpoint") == [(1,)]
        with (
            pytest.raises(steps.AnotherRebuild, match="under way"),
            steps.only_one(worker_engine, "participants"),
        ):
            pass
    assert bibs(folded) == [("old", 300)]


def test_the_comparison_names_rows_and_columns(folded: str, worker_engine: Engine) -> None:
    build = build_anew(worker_engine, OTHER)
    with psycopg.connect(folded) as connection:
        connection.execute("delete from participants_build_2 where participant_id in ('5', '6')")
        connection.execute("delete from participants_build_1 where participant_id = '7'")
    model.append(folded, [model.body(8, bib="later"), model.body(2000)])
    drain(worker_engine)
    with worker_engine.connect().execution_options(isolation_level="REPEATABLE READ") as connection_:
        people, answers = compare(connection_, OTHER, live(worker_engine, PARTICIPANTS), build)
    assert (people.table, people.added, people.removed, people.changed, people.later) == ("participants", 1, 2, 296, 2)
    assert people.columns == {"bib": 296}
    assert [example for example in people.examples if example.kind != "changed"] == [
        replace(people.examples[0], kind="added", id="7", columns=""),
        replace(people.examples[0], kind="removed", id="5", columns=""),
        replace(people.examples[0], kind="removed", id="6", columns=""),
    ]
    changed = [example for example in people.examples if example.kind == "changed"]
    assert len(changed) == 20
    assert {example.columns for example in changed} == {"bib"}
    assert not answers.is_any


def test_a_hole_in_the_log_stops_a_rebuild(folded: str, worker_engine: Engine) -> None:
    with psycopg.connect(folded) as connection:
        connection.execute("alter table event_log disable trigger all")
        connection.execute("delete from event_log where position = 7")
    with pytest.raises(HoleInLog, match="position 7"), steps.whole_log(worker_engine):
        pass


def test_shares_cover_every_event_once_whatever_arrives_between_them(database: str, worker_engine: Engine) -> None:
    model.append(database, [model.body(n % 40 if n % 2 else 1000 + n) for n in range(120)] + [b"not JSON"])
    positions = []
    with steps.whole_log(worker_engine) as log, worker_engine.connect() as connection:
        reading = connection.connection.driver_connection
        assert isinstance(reading, psycopg.Connection)
        for share in range(3):
            with snapshot(reading, log.snapshot):
                for read in (single_events, by_subject):
                    for events in read(reading, Share("movemint", log.heads["movemint"], share, 3)):
                        positions += [event.position for event in events]
            model.append(database, [model.body(1000 + n, share=share) for n in range(0, 120, 2)])
    assert sorted(positions) == list(range(1, log.heads["movemint"] + 1))


@pytest.mark.parametrize("projection", PROJECTIONS, ids=lambda projection: projection.name)
def test_indexes_made_beforehand_are_taken_over(folded: str, worker_engine: Engine, projection: Projection) -> None:
    """Also one that a user has added; putting a table in its place makes none a second time."""
    query_ = "select count(*), count(distinct indexdef) from pg_indexes where tablename = %s"
    with psycopg.connect(folded) as owner:
        owner.execute('create index "By wave" on participants_build (lower(wave))')
    build = steps.begin_build(worker_engine, projection)
    steps.make_indexes(worker_engine, projection, build, 3)
    made = {table: query(folded, query_, build.table(table)) for table in projection.columns}
    steps.attach_tables(worker_engine, projection, build, {}, 100)
    assert made == {table: query(folded, query_, build.table(table)) for table in projection.columns}
    assert made == {table: query(folded, query_, table) for table in projection.columns}


@pytest.mark.parametrize(
    ("table", "index"), [("event_log", "event_log_pkey"), ("participants_build", "event_log_pkey")]
)
def test_no_other_index_can_be_made(folded: str, worker_engine: Engine, table: str, index: str) -> None:
    del folded
    build = steps.begin_build(worker_engine, PARTICIPANTS)
    with worker_engine.begin() as connection, pytest.raises(DBAPIError, match="no index of build"):
        builds.make_index(connection, build, table, index)


def test_no_other_table_can_be_put_in_its_place(folded: str, worker_engine: Engine) -> None:
    del folded
    build = steps.begin_build(worker_engine, PARTICIPANTS)
    with worker_engine.begin() as connection, pytest.raises(DBAPIError, match="event_log is no table of build"):
        builds.attach(connection, build, "event_log")
