"""An upgrade of a filled database by a version that is to come: made of the template, it adds columns everywhere."""

import shutil
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import psycopg
import pytest
from alembic import command
from alembic.config import Config
from psycopg.conninfo import make_conninfo
from sqlalchemy import Engine

import migrations
from ingest.database import sync_engine
from ingest.migrate import migrate
from ingest.session import LONG
from projections.folding.heartbeat import Heartbeat
from projections.participants.keys import CUT
from projections.rebuild.swap import swap
from tests import DEADLINE, HEAD, NEXT, model
from tests.fold_all import PARTICIPANTS, build_anew, contents, drain, live, query
from tests.program import environ, until
from tests.revisions import as_before
from tests.secret_people import SECRETS, take

WAITING = "select 1 from pg_locks where not granted"
LATER = f"{NEXT}_later"
ROWS = f'''
    Column("shirt", "text", "Size of the shirt.", since="{LATER}"),
    Column("passport", "text", "Number of the passport.", is_personal=True, since="{LATER}"),
)
'''
EVERYWHERE = ("participants", "participants_keyed", "participant_history", "reporting.participants",
              "reporting.participant_history", "reporting.participants_as_of(now())")  # fmt: skip


KEYED_PEOPLE: list[dict[str, object]] = [
    {"last_name": "O‘Brien", "first_name": "Łukasz", "bib": "010", "team": "Night  Owls ", "email": "L@x.org"},
    {"last_name": "Gal·la d`Arc", "first_name": "ΓΙΏΡΓΟΣ", "bib": "9", "team": "Runner's #1 / “Club”"},
    {"last_name": "de la Cruz", "first_name": "ジョン・スミス", "bib": "A7", "email": "ﬁn@x.org"},
    {"last_name": "כֹּהֵן", "first_name": "مُحَمَّد", "bib": "12a", "team": "한국 📣"},
    {"last_name": "\u200b", "first_name": " \x07 x\t", "bib": "１07", "team": "日本語" * 90},
    {"last_name": "x" * 150, "first_name": "ﷺ" * 20, "bib": "0" * 30, "team": "---"},
    {"last_name": None, "bib": "9" * 25},
]


@pytest.fixture
def release(tmp_path: Path) -> Path:
    """A folder with the migrations of a release to come, as a developer would make them."""
    made = tmp_path / "migrations"
    shutil.copytree(Path(migrations.__file__).parent, made, ignore=shutil.ignore_patterns("__pycache__"))
    listed = (made / "columns.py").read_text(encoding="utf-8")
    (made / "columns.py").write_text(listed.replace("\n)\n", ROWS, 1), encoding="utf-8")
    config = Config()
    config.set_main_option("script_location", str(made))
    config.set_main_option("path_separator", "os")
    config.set_main_option("file_template", "%%(rev)s")
    command.revision(config, "Adds the shirt and the passport", rev_id=LATER)
    return tmp_path


def upgrade(release: Path, database: str) -> str:
    """Run that release's `rosterlog migrate`."""
    return subprocess.run(
        [sys.executable, "-m", "projections", "migrate"],
        cwd=release,
        env=environ(DATABASE_URL=database),
        check=True,
        stdout=subprocess.PIPE,
        text=True,
        timeout=DEADLINE,
    ).stdout


def columns_of(database: str, row: str) -> list[str]:
    with psycopg.connect(database) as connection:
        return [column.name for column in connection.execute(f"select * from {row} limit 0".encode()).description or ()]


def test_a_column_is_added_to_a_filled_database_at_the_end_of_everything(reported: str, release: Path) -> None:
    before = {row: (columns_of(reported, row), query(reported, f"table {row}")) for row in EVERYWHERE[:-1]}
    with psycopg.connect(reported) as analyst:
        analyst.execute("create view mine as select bib, age_band from reporting.participants")
        analyst.execute("create view past as select bib from reporting.participants_as_of(now())")
        analyst.execute("create view everything as select * from reporting.participant_history")
    assert upgrade(release, reported) == f"migrated from {HEAD} to {LATER}\n"
    for row in EVERYWHERE:
        assert columns_of(reported, row)[-2:] == ["shirt", "passport"]
    for row, (columns, rows) in before.items():
        assert columns_of(reported, row) == [*columns, "shirt", "passport"]
        shown = query(reported, f"select {', '.join(columns)} from {row}")
        assert sorted(map(str, shown)) == sorted(map(str, rows))
    published = columns_of(reported, "published_participants")
    assert (published[-1], "passport" in published) == ("shirt", False)
    assert query(reported, "select (select count(*) from mine), (select count(*) from past)") == [(12, 12)]
    assert upgrade(release, reported) == f"already at {LATER}\n"


def test_an_added_column_is_described_masked_and_published(reported: str, release: Path) -> None:
    upgrade(release, reported)
    meaning = "select col_description('reporting.{}'::regclass, attnum) from pg_attribute where attname = 'passport'"
    for view in ("participants", "participant_history"):
        described = query(reported, f"{meaning.format(view)} and attrelid = 'reporting.{view}'::regclass")
        assert described == [("Number of the passport. Personal: null without rosterlog_reporting_pii.",)]
    with psycopg.connect(reported, autocommit=True) as connection:
        connection.execute("update participants_build set shirt = 'M', passport = 'X1' where participant_id = '1'")
        connection.execute("select publish_these('movemint', '{1}')")
        asked = "select shirt, passport, email from reporting.participants where participant_id = '1'"
        take(connection, "rosterlog_reporting")
        assert connection.execute(asked.encode()).fetchall() == [("M", None, None)]
        take(connection, "rosterlog_reporting_pii")
        assert connection.execute(asked.encode()).fetchall() == [("M", "X1", SECRETS["email"])]
    assert query(reported, "select shirt from published_participants") == [("M",)]


def test_after_an_upgrade_the_roster_is_folded_and_rebuilt_as_before(
    reported: str, worker_engine: Engine, release: Path
) -> None:
    upgrade(release, reported)
    model.append(reported, [model.body(1, first_name="Newest")])
    drain(worker_engine)
    before = model.stored_roster(reported)
    assert before["1"][2] == "Newest"
    swap(worker_engine, PARTICIPANTS, build_anew(worker_engine, PARTICIPANTS), 100)
    assert model.stored_roster(reported) == before


def upgraded_from(database: str, revision: str) -> None:
    """Migrate a database that a release before this revision has filled."""
    before = as_before(database, revision)
    engine = sync_engine(database, deadlines=LONG)
    assert migrate(engine) == (before, HEAD)
    engine.dispose()


def test_deliveries_are_kept_while_the_roster_is_written_anew(reported: str) -> None:
    before = as_before(reported, "0008_without_subject")
    upgraded: list[tuple[str | None, str | None]] = []
    with psycopg.connect(reported) as reader:
        reader.execute("select 1 from participants_build limit 1")  # what changes this table has to wait
        engine = sync_engine(reported, deadlines=LONG)
        thread = threading.Thread(target=lambda: upgraded.append(migrate(engine)))
        thread.start()
        until(lambda: query(reported, f"{WAITING} and relation = 'participants_build'::regclass"))
        model.append(make_conninfo(reported, options="-c lock_timeout=2s"), [model.body("while it waits")])
        reader.rollback()
        thread.join(DEADLINE)
        engine.dispose()
    assert upgraded == [(before, HEAD)]
    assert model.body("while it waits") in model.stored_bodies(reported)


def test_what_operators_look_at_is_added_to_a_filled_database(reported: str, worker_engine: Engine) -> None:
    """Refused deliveries, the workers that were seen, dismissed events."""
    before = model.stored_roster(reported)
    upgraded_from(reported, "0005_operations")
    assert model.stored_roster(reported) == before
    with psycopg.connect(reported, autocommit=True) as connection:
        connection.execute("set role rosterlog_ingest")
        connection.execute("select count_refused('movemint', 'signature_wrong', now(), 2, now())")
    Heartbeat().note(worker_engine, None)
    assert query(reported, "select count, run from refused_delivery") == [(2, 2)]
    assert len(query(reported, "select * from worker_seen")) == 1


def test_dismissals_are_added_to_a_filled_database_whose_quarantine_stays(reported: str, worker_engine: Engine) -> None:
    model.append(reported, [b"no json either"])
    drain(worker_engine)
    parked = query(reported, "table quarantine")
    upgraded_from(reported, "0006_dismissed")
    assert query(reported, "table quarantine") == parked
    with psycopg.connect(reported, autocommit=True) as connection:
        connection.execute("set role rosterlog_operator")
        connection.execute(
            "insert into dismissed_event (source, position, operator, reason) "
            "select source, position, 'ops', 'no JSON' from quarantine"
        )
    assert query(reported, "select quarantined from reporting.freshness") == [(0,)]


def test_builds_of_before_have_their_days_in_utc(reported: str, worker_engine: Engine) -> None:
    """The roster and the daily counts that the release before has folded."""
    days = "select day::text, registrations from registrations_daily order by 1"
    before = query(reported, days)
    upgraded_from(reported, "0010_days")
    assert query(reported, days) == before
    assert query(reported, "select projection, event_id, time_zone from event_calendar order by 1") == [
        ("participants", None, "UTC"), ("registrations", None, "UTC"),
    ]  # fmt: skip
    seen = "select distinct age_band, age_basis, time_zone from reporting.participants, reporting.calendar"
    assert query(reported, seen) == [("35-44", "registration", "UTC")]
    swap(worker_engine, PARTICIPANTS, build_anew(worker_engine, PARTICIPANTS), 100)
    assert query(reported, seen) == [("35-44", "registration", "UTC")]


def test_answers_of_the_release_before_are_found_by_their_questions(reported: str, worker_engine: Engine) -> None:
    long = "I have read all of this. " * 20
    rows = [{"question_id": "Ł7", "question": "Meal", "answer": "M"}, {"question": long, "answer": "yes"},
            {"question": long[:200], "answer": None}]  # fmt: skip
    model.append(reported, [model.body(99, answers=rows), model.body(98, event_id="ü", answers=rows)])
    drain(worker_engine)
    kept = "select participant_id, place, question_key, event_id from participant_answers order by 1, 2"
    before = query(reported, kept)
    assert {key[0] for _, _, key, _ in before} == {"i", "w", "h"}
    upgraded_from(reported, "0011_sorts")
    assert query(reported, kept) == before
    assert len(query(reported, "select * from newest_questions('movemint', null)")) > 4


def test_states_of_the_release_before_come_from_deliveries(reported: str, worker_engine: Engine) -> None:
    """Nothing is written anew; a worker that knows no origin goes on; and the next observation is folded."""
    with psycopg.connect(reported, autocommit=True) as connection:
        connection.execute("select publish_these('movemint', array(select participant_id from participants))")
    files = "select relname, relfilenode from pg_class where relname ~ '^(participant|published).*' order by 1"
    build = live(worker_engine, PARTICIPANTS)
    folded, held = contents(reported, PARTICIPANTS, build), query(reported, files)
    published = query(reported, "select source, participant_id, origin, unlisted_at from published_participants")
    upgraded_from(reported, "0018_observed")
    assert contents(reported, PARTICIPANTS, build) == folded
    # All but the indexes that versions after it make.
    later = ("event_id_bib_key", "athlete")
    kept = {name: file for name, file in held if "_build" in name and not any(part in name for part in later)}
    assert dict(query(reported, files)).items() >= kept.items()
    assert (
        query(reported, "select source, participant_id, origin, unlisted_at from published_participants") == published
    )
    with psycopg.connect(reported, autocommit=True) as connection:
        model.append_own(connection, model.own_body(1, 1, is_listed=False))
        connection.execute(
            "insert into participants_build (source, participant_id, first_position, position, received_at, "
            "field_errors, build) values ('movemint', 'by the release before', 1, 1, now(), '{}', %s)",
            [build.number],
        )
    drain(worker_engine)
    by_origin = "select origin, unlisted_at is null, count(*) from participants group by 1, 2 order by 3"
    assert query(reported, by_origin) == [
        ("observation", False, 1), ("delivery", True, len(folded["participants_build"])),
    ]  # fmt: skip


def unmarked(held: dict[str, list[dict[str, Any]]]) -> dict[str, list[dict[str, Any]]]:
    """What a build holds, its words without the mark, in an order of their own."""
    return {
        table: [{**row, "words": sorted((row.get("words") or "").replace(CUT, "").split(" "))} for row in rows]
        for table, rows in held.items()
    }


def test_the_keys_of_a_filled_database_are_those_that_the_fold_writes(database: str, worker_engine: Engine) -> None:
    """For everybody, now and in the past. Only the mark of a word that was cut is for the rebuild to write."""
    model.append(database, [model.body(number, **person) for number, person in enumerate(KEYED_PEOPLE * 2)])
    model.append(database, [model.body(number, **person) for number, person in enumerate(reversed(KEYED_PEOPLE))])
    drain(worker_engine)
    build = live(worker_engine, PARTICIPANTS)
    folded = contents(database, PARTICIPANTS, build)
    upgraded_from(database, "0012_keys")
    upgraded = contents(database, PARTICIPANTS, build)
    assert upgraded != folded
    assert unmarked(upgraded) == unmarked(folded)
    assert {row["bib_key"] for row in folded["participants_build"]} >= {"19", "210", "3107", "a17", "212a"}


def test_the_table_of_letters_is_renewed(database: str) -> None:
    letters = query(database, "select letter, key, divides from letter order by letter")
    upgraded_from(database, "0016_letters")
    assert query(database, "select letter, key, divides from letter order by letter") == letters


def test_the_index_of_athletes_is_made_beside_readers_and_all_builds_have_it(
    database: str, engine: Engine, worker_engine: Engine
) -> None:
    model.append(database, [model.body(number, athlete_id=f"a{number}") for number in range(3)])
    drain(worker_engine)
    swap(worker_engine, PARTICIPANTS, build_anew(worker_engine, PARTICIPANTS), 100)
    as_before(database, "0019_operations_page")
    with psycopg.connect(database) as reading:
        assert reading.execute("select count(*) from participants").fetchone() == (3,)
        migrate(engine)
        assert reading.execute("select count(*) from participants where athlete_id = 'a1'").fetchone() == (1,)
    swap(worker_engine, PARTICIPANTS, build_anew(worker_engine, PARTICIPANTS), 100)
    of_build = "tablename ~ '^participants_build_' and strpos(indexdef, 'athlete_id') > 0"
    made = f"select count(*) from pg_indexes where {of_build}"
    built = "select count(*) from projection_build where projection = 'participants'"
    assert query(database, made) == query(database, built) == [(3,)]
