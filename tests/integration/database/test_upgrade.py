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
from projections.rebuild.swap import swap
from tests import DEADLINE, HEAD, NEXT, model
from tests.fold_all import PARTICIPANTS, build_anew, drain, query
from tests.secret_people import SECRETS, take

LATER = f"{NEXT}_later"
ROWS = f'''
    Column("shirt", "text", "Size of the shirt.", since="{LATER}"),
    Column("passport", "text", "Number of the passport.", is_personal=True, since="{LATER}"),
)
'''
EVERYWHERE = ("participants", "participants_searched", "participant_history", "reporting.participants",
              "reporting.participant_history", "reporting.participants_as_of(now())")  # fmt: skip


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


def test_answers_of_the_release_before_are_found_by_their_questions(reported: str, worker_engine: Engine) -> None:
    """Revision 0010 writes into the rows that there are what the fold writes into new ones."""
    long = "I have read all of this. " * 20
    rows = [{"question_id": "Ł7", "question": "Meal", "answer": "M"}, {"question": long, "answer": "yes"},
            {"question": long[:200], "answer": None}]  # fmt: skip
    model.append(reported, [model.body(99, answers=rows), model.body(98, event_id="ü", answers=rows)])
    drain(worker_engine)
    kept = "select participant_id, place, question_key, event_id from participant_answers order by 1, 2"
    before = query(reported, kept)
    assert {key[0] for _, _, key, _ in before} == {"i", "w", "h"}
    with psycopg.connect(reported, autocommit=True) as connection:
        before_0010(connection)
        connection.execute("update alembic_version set version_num = '0007_progress'")
    engine = sync_engine(reported, deadlines=LONG)
    assert migrate(engine) == ("0007_progress", HEAD)
    engine.dispose()
    assert query(reported, kept) == before
    assert len(query(reported, "select * from newest_questions('movemint', null)")) > 4


def before_0010(connection: psycopg.Connection[Any]) -> None:
    """Take back what revision 0010 does."""
    connection.execute("drop function newest_questions")
    connection.execute("drop view past_answers, participant_answers, participant_history cascade")
    connection.execute("alter table participant_answers_build drop column question_key, drop column event_id")
    connection.execute("alter table participant_history_build drop column answers")
    connection.execute("drop index participants_build_checked_in, participants_build_age")
    connection.execute(
        "create index participant_answers_build_question on participant_answers_build "
        """(source, ("left"(question, 100)), ("left"(answer, 100)), participant_id)"""
    )


def before_0006(connection: psycopg.Connection[Any]) -> None:
    """Take back what revisions 0006 and later do."""
    before_0010(connection)
    connection.execute("drop table verification")
    connection.execute(
        "alter table projection_build drop column loaded_events, drop column events_to_load, drop column moved_at"
    )
    connection.execute("drop view reporting.freshness")
    connection.execute("drop table dismissed_event")
    connection.execute("revoke select on projection, quarantine from rosterlog_operator")
