"""Schema `reporting`: what its views show, to whom, and that they stay through rebuild, rollback and upgrade."""

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from sqlalchemy import Engine

from ingest.database import REPORTING_ROLE, sync_engine
from ingest.migrate import migrate
from migrations.columns import BASELINE, COLUMNS
from projections.participants.table import PARTICIPANT_COLUMNS
from projections.rebuild.swap import swap
from projections.reports.dictionary import dictionary
from tests import ROOT, model
from tests.erased_person import erase
from tests.fold_all import PARTICIPANTS, build_anew, drain, query
from tests.other_definition import OTHER, PEOPLE, live_before
from tests.secret_people import VIEWS, somebody, take

DOCS = ROOT / "docs" / "dictionary.md"


def test_the_views_are_these_and_every_object_has_a_comment(asking: psycopg.Connection[Any]) -> None:
    views = asking.execute("select viewname from pg_views where schemaname = 'reporting' order by viewname").fetchall()
    assert [row[0] for row in views] == VIEWS
    assert "None" not in dictionary_of(asking)
    assert asking.execute("select obj_description('reporting'::regnamespace)").fetchone() != (None,)


def dictionary_of(asking: psycopg.Connection[Any]) -> str:
    return "\n".join(
        str(row)
        for row in asking.execute("""
            select c.relname, a.attname, col_description(c.oid, a.attnum), obj_description(c.oid)
            from pg_class c
            join pg_attribute a on a.attrelid = c.oid and a.attnum > 0
            where c.relnamespace = 'reporting'::regnamespace
            union all
            select p.proname, '', obj_description(p.oid), ''
            from pg_proc p where p.pronamespace = 'reporting'::regnamespace
        """).fetchall()
    )


def test_docs_have_the_dictionary_of_the_database(engine: Engine) -> None:
    with engine.connect() as connection:
        assert dictionary(connection) in DOCS.read_text(encoding="utf-8"), "make docs writes it"


def test_column_names_need_no_quotes(asking: psycopg.Connection[Any]) -> None:
    quoted = asking.execute("""
        select column_name from information_schema.columns
        where table_schema = 'reporting'
          and (
            column_name !~ '^[a-z][a-z0-9_]*$'
            or column_name in (select word from pg_get_keywords() where catcode = 'R')
          )
    """).fetchall()
    assert quoted == []


def test_participants_have_the_columns_of_everywhere_and_an_age_band(asking: psycopg.Connection[Any]) -> None:
    names = asking.execute("""
        select a.attname from pg_attribute a
        where a.attrelid = 'reporting.participants'::regclass and a.attnum > 0 order by a.attnum
    """).fetchall()
    later = ["origin", "unlisted_at"]  # at a view's end
    later += [column.name for column in COLUMNS if column.since != BASELINE]
    first = [column.name for column in PARTICIPANT_COLUMNS if column.name not in later]
    assert [row[0] for row in names] == ["source", *first, "age_band", "age_basis", *later]


def test_history_has_every_state_and_when_it_held(asking: psycopg.Connection[Any]) -> None:
    states = asking.execute("""
        select bib, valid_from_position, valid_to_position, valid_from, valid_to
        from reporting.participant_history where participant_id = '1' order by valid_from_position
    """).fetchall()
    arrived = dict(asking.execute("select position, received_at from reporting.deliveries").fetchall())
    assert states == [("12", 1, 13, arrived[1], arrived[13]), ("13", 13, None, arrived[13], None)]
    assert asking.execute("select count(*) from reporting.participant_history").fetchone() == (14,)


def test_the_roster_as_of_a_time_is_a_fresh_fold_of_the_log_up_to_there(database: str, worker_engine: Engine) -> None:
    """Of people who change, whose older payloads arrive late, and whom events do not tell."""
    moments = ["2026-03-01T00:00:00Z", "2026-03-02T00:00:00Z", None]
    bodies = [model.body(number * 5 % 7, bib=str(number), updated_at=moments[number * 2 % 3]) for number in range(40)]
    model.append(database, bodies)
    drain(worker_engine)
    arrived = query(database, "select received_at from event_log order by position")
    for position in (1, 7, 20, 39, 40):
        roster = query(
            database,
            "select participant_id, first_position, position from reporting.participants_as_of(%s)",
            arrived[position - 1][0],
        )
        assert {id_: (first, at) for id_, first, at in roster} == {
            id_: row[:2] for id_, row in model.roster(bodies[:position]).items()
        }


def test_deliveries_show_what_arrived_and_nothing_of_it(reported: str, operator: Engine) -> None:
    [(body,)] = query(reported, "select body from event_log where position = 3")
    model.append(reported, [body] * 2)
    erase(operator, "12")
    deliveries = query(
        reported,
        """
        select position, event_type, participant_id, size_bytes > 100, is_erased, is_quarantined, redeliveries,
          last_redelivered_at is not null
        from reporting.deliveries where position in (3, 12, 14) order by position
        """,
    )
    created = "event.participant.created"
    assert deliveries == [
        (3, created, "3", True, False, False, 2, True),
        (12, created, "12", None, True, False, 0, False),
        (14, None, None, False, False, True, 0, False),
    ]


def test_what_is_set_aside_is_shown(reported: str, worker_engine: Engine) -> None:
    model.append(reported, [somebody(4, first_name="a\x00b", updated_at={"not": "a time"})])
    drain(worker_engine)
    parked = {row[0] for row in query(reported, "select position from quarantine where projection = 'participants'")}
    shown = query(reported, "select position from reporting.deliveries where is_quarantined")
    assert {row[0] for row in shown} == parked
    [(head, checkpoint, lag, quarantined)] = query(
        reported, "select head, checkpoint, lag, quarantined from reporting.freshness"
    )
    assert (head, checkpoint, lag, quarantined) == (16, 16, 0, len(parked))
    model.append(reported, [b"later"])
    assert query(reported, "select head, lag from reporting.freshness") == [(17, 1)]


def test_events_and_days_are_counted_and_named_by_the_newest_delivery(
    database: str, engine: Engine, worker_engine: Engine
) -> None:
    del engine

    def told(id_: int, created: str | None = None, sub_event: str | None = None, **event: object) -> bytes:
        sub_event_id = 7 if event.get("id") == 5 else None
        return model.body(id_, event=event, created_at=created, sub_event_id=sub_event_id, sub_event_name=sub_event)

    first = [
        told(1, "2026-03-01T23:30:00-02:00", "A", id=5, name="Old", start_date="2026-06-01"),
        told(2, "2026-03-02T10:00:00Z", "B", id=5, name="New", start_date="2026-06-02T09:00:00Z"),
        told(3, "2026-03-04T10:00:00Z", id=6, name="Six", start_date="2026-02-30"),
        told(4, "2026-03-03T10:00:00Z", id=5),
        told(5),
    ]
    model.append(database, first)
    drain(worker_engine)
    events_ = query(
        database, "select event_id, event_name, participants, starts_on::text from reporting.events order by 1"
    )
    assert events_ == [("5", "New", 3, "2026-06-02"), ("6", "Six", 1, None)]
    model.append(database, [told(6, "2026-03-03T11:00:00Z", id=5, start_date="2026-06-03T09:00:00Z")])
    drain(worker_engine)
    assert query(database, "select starts_on::text from reporting.events where event_id = '5'") == [("2026-06-03",)]
    assert query(database, "select event_id, sub_event_id, sub_event_name, participants from reporting.sub_events") == [
        ("5", "7", "B", 4)
    ]
    days = (
        "select day::text, registrations, cumulative from reporting.registrations_daily where event_id = '5' order by 1"
    )
    assert query(database, days) == [("2026-03-02", 2, 2), ("2026-03-03", 2, 4)]


@pytest.mark.parametrize(
    ("dob", "age", "band"),
    [
        ("2008-03-03", None, "under 18"),
        ("2008-03-02", None, "18-24"),
        ("1961-03-03", 5, "55-64"),
        ("1961-03-02", None, "65+"),
        (None, 44, "35-44"),
        (None, None, None),
        (None, 999, None),
        ("2030-01-01", None, None),
        ("2030-01-01", 44, "35-44"),
        ("1880-01-01", 44, "35-44"),
        (None, -1, None),
        (None, 120, "65+"),
        (None, 121, None),
    ],
)
def test_an_age_band_is_that_of_the_day_of_registration(
    database: str, worker_engine: Engine, dob: str | None, age: int | None, band: str | None
) -> None:
    model.append(database, [model.body(1, dob=dob, age=age, created_at="2026-03-02T08:00:00Z")])
    drain(worker_engine)
    assert query(database, "select age_band from reporting.participants") == [(band,)]


def test_views_and_what_users_built_on_them_stay_through_rebuild_rollback_and_migrate(
    empty: Engine, empty_database: str
) -> None:
    """With the same columns, for a session that stays open, with a prepared statement of its own."""
    migrate(empty)
    model.append(empty_database, PEOPLE)
    drain(empty)
    with psycopg.connect(empty_database, autocommit=True) as owner:
        owner.execute("create schema theirs")
        owner.execute("grant all on schema theirs to rosterlog_reporting")
    with psycopg.connect(empty_database, autocommit=True) as open_:
        take(open_, REPORTING_ROLE)
        counted = "select bib, count(*) as number from {} group by bib"
        open_.execute(f"create view theirs.bibs as {counted.format('reporting.participants')}".encode())
        open_.execute("create materialized view theirs.kept as select * from reporting.participants")
        open_.execute("create view theirs.then as select * from reporting.participants_as_of(now())")
        open_.execute("prepare mine as select bib, count(*) from reporting.participants group by bib")

        def seen() -> list[Any]:
            open_.execute("refresh materialized view theirs.kept")
            tables = [counted.format(view) for view in ("theirs.kept", "theirs.then")]
            asked = ["execute mine", "table theirs.bibs", *tables]
            [result] = {str(open_.execute(statement.encode()).fetchall()) for statement in asked}
            return [result, columns(empty_database)]

        as_it_was = seen()
        assert as_it_was[0] == "[('old', 300)]"
        swap(empty, OTHER, build_anew(empty, OTHER), 100)
        assert seen() == ["[('new', 300)]", as_it_was[1]]
        swap(empty, PARTICIPANTS, live_before(empty), 100)
        assert seen() == as_it_was
        migrate(empty)
        assert seen() == as_it_was
        swap(empty, OTHER, build_anew(empty, OTHER), 100)
        assert seen() == ["[('new', 300)]", as_it_was[1]]


def columns(conninfo: str) -> list[Any]:
    return query(
        conninfo,
        "select table_name, column_name, data_type from information_schema.columns where table_schema = 'reporting' "
        "order by table_name, ordinal_position",
    )


@pytest.fixture
def empty(empty_database: str) -> Iterator[Engine]:
    engine = sync_engine(empty_database)
    yield engine
    engine.dispose()
