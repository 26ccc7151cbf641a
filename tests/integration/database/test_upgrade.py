"""An upgrade of a filled database by a version that is to come: made of the template, it adds columns everywhere."""

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import psycopg
import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import Engine

import migrations
from ingest.database import sync_engine
from ingest.migrate import migrate
from ingest.session import LONG
from projections.folding.heartbeat import Heartbeat
from projections.participants.keys import KEY_COLUMNS
from projections.rebuild.swap import swap
from tests import DEADLINE, HEAD, NEXT, ROOT, model
from tests.fold_all import PARTICIPANTS, build_anew, contents, drain, live, query
from tests.secret_people import SECRETS, take

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
        env={**os.environ, "DATABASE_URL": database},
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


def test_what_operators_look_at_is_added_to_a_filled_database_of_the_release_before(
    reported: str, worker_engine: Engine
) -> None:
    """Revisions 0005 and 0006: refused deliveries, the workers that were seen, dismissed events."""
    with psycopg.connect(reported, autocommit=True) as connection:
        before_0006(connection)
        connection.execute("drop function count_refused(text, text, timestamptz, bigint, timestamptz)")
        connection.execute("drop table refused_delivery, worker_seen")
        connection.execute("update alembic_version set version_num = '0004_reporting'")
    before = model.stored_roster(reported)
    engine = sync_engine(reported, deadlines=LONG)
    assert migrate(engine) == ("0004_reporting", HEAD)
    engine.dispose()
    assert model.stored_roster(reported) == before
    with psycopg.connect(reported, autocommit=True) as connection:
        connection.execute("set role rosterlog_ingest")
        connection.execute("select count_refused('movemint', 'signature_wrong', now(), 2, now())")
    Heartbeat().note(worker_engine, None)
    assert query(reported, "select count, run from refused_delivery") == [(2, 2)]
    assert len(query(reported, "select * from worker_seen")) == 1


def test_dismissals_are_added_to_a_filled_database_whose_quarantine_stays(reported: str, worker_engine: Engine) -> None:
    """Revision 0006, over events that the release before has parked."""
    model.append(reported, [b"no json either"])
    drain(worker_engine)
    parked = query(reported, "table quarantine")
    with psycopg.connect(reported, autocommit=True) as connection:
        before_0006(connection)
        connection.execute("update alembic_version set version_num = '0005_operations'")
    engine = sync_engine(reported, deadlines=LONG)
    assert migrate(engine) == ("0005_operations", HEAD)
    engine.dispose()
    assert query(reported, "table quarantine") == parked
    with psycopg.connect(reported, autocommit=True) as connection:
        connection.execute("set role rosterlog_operator")
        connection.execute(
            "insert into dismissed_event (source, position, operator, reason) "
            "select source, position, 'ops', 'no JSON' from quarantine"
        )
    assert query(reported, "select quarantined from reporting.freshness") == [(0,)]


def test_the_keys_of_a_filled_database_are_those_that_the_fold_writes(database: str, worker_engine: Engine) -> None:
    """Revision 0008: for everybody, now and in the past."""
    model.append(database, [model.body(number, **person) for number, person in enumerate(KEYED_PEOPLE * 2)])
    model.append(database, [model.body(number, **person) for number, person in enumerate(reversed(KEYED_PEOPLE))])
    drain(worker_engine)
    build = live(worker_engine, PARTICIPANTS)
    folded = contents(database, PARTICIPANTS, build)
    with psycopg.connect(database, autocommit=True) as connection:
        before_0008(connection)
        connection.execute("update alembic_version set version_num = '0007_progress'")
    engine = sync_engine(database, deadlines=LONG)
    assert migrate(engine) == ("0007_progress", HEAD)
    engine.dispose()
    assert contents(database, PARTICIPANTS, build) == folded
    assert {row["bib_key"] for row in folded["participants_build"]} >= {"19", "210", "3107", "a17", "212a"}


def before_0008(connection: psycopg.Connection[Any]) -> None:
    """Take back what revision 0008 does, rows and all."""
    frozen = (ROOT / "migrations" / "versions" / "0003_roster.sql").read_text(encoding="utf-8")
    connection.execute(frozen[: frozen.index("-- Every build has")].encode())
    connection.execute("drop view participants_keyed, participant_history_keyed")
    connection.execute("drop function reporting.text_key(text)")
    connection.execute("drop function text_key_by_letter(text)")
    connection.execute("drop table letter")
    for table in ("participants_build", "participant_history_build"):
        dropped = ", ".join(f"drop column {column}" for column in KEY_COLUMNS)
        connection.execute(f"alter table {table} {dropped}".encode())
    connection.execute(
        "alter table participants_build add column words tsvector "
        "generated always as (search_words(first_name, last_name, bib, team)) stored"
    )
    for column in ("last_name", "first_name", "email", "bib"):
        key = f"{'bib' if column == 'bib' else 'sort'}_key({column})"
        columns = f'source, ({key} collate "C"), participant_id'
        connection.execute(f"create index participants_build_{column} on participants_build ({columns})".encode())
    connection.execute("create index participants_build_words on participants_build using gin (words)")


def before_0006(connection: psycopg.Connection[Any]) -> None:
    """Take back what revisions 0006 to 0008 do."""
    before_0008(connection)
    connection.execute("drop table verification")
    connection.execute(
        "alter table projection_build drop column loaded_events, drop column events_to_load, drop column moved_at"
    )
    connection.execute("drop view reporting.freshness")
    connection.execute("drop table dismissed_event")
    connection.execute("revoke select on projection, quarantine from rosterlog_operator")
