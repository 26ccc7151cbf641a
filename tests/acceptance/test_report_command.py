"""`rosterlog report` as people use it: ready questions, bad input, logins."""

import csv
import io
import json
import re
from pathlib import Path

import psycopg
import pytest
from psycopg import errors
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from sqlalchemy import Engine

from tests import model
from tests.doc_examples import DELIVERIES
from tests.fold_all import drain
from tests.program import environ, run

pytestmark = pytest.mark.acceptance

INJECTION = """x"; drop schema reporting cascade; --'"""


@pytest.fixture
def env(database: str, worker_engine: Engine) -> dict[str, str]:
    model.append(database, DELIVERIES)
    drain(worker_engine)
    return environ(DATABASE_URL=database)


def test_without_a_name_it_lists_a_line_a_report(env: dict[str, str]) -> None:
    lines = run("report", env=env).splitlines()
    assert len(lines) >= 12
    [teams] = [line for line in lines if line.startswith("teams ")]
    assert re.fullmatch(r"teams +The teams of each event by size, .*\. \(event, least\)", teams)


def test_a_table_is_even_where_letters_are_wide(env: dict[str, str], database: str, worker_engine: Engine) -> None:
    wide = {"team": "日本語ランナーズ", "event_id": 7, "event_name": "駅伝"}
    model.append(database, [model.body(number, **wide) for number in range(2)])
    drain(worker_engine)
    assert run("report", "teams", env=env).splitlines() == [
        "event_id  event_name  team              members",
        "--------  ----------  ----------------  -------",
        "7         駅伝        日本語ランナーズ        2",
        "(1 row)",
    ]


def test_every_format(env: dict[str, str]) -> None:
    assert "Marathon" in run("report", "sub_events_by_status", env=env)
    [row] = csv.DictReader(io.StringIO(run("report", "sub_events_by_status", "event=501", "--format", "csv", env=env)))
    assert (row["sub_event_name"], row["participants"]) == ("Marathon", "2")
    [row] = json.loads(run("report", "sub_events_by_status", "event=501", "--format", "json", env=env))
    assert (row["sub_event_name"], row["participants"]) == ("Marathon", 2)
    dialect = ["separator=;", "decimal=,", "bom=true"]
    said = run("report", "answers", *dialect, "--format", "csv", env=env)
    assert said.startswith("\ufeffquestion;question_id;answer;participants;percent\nShirt size;;M;2;66,7\n")


def test_a_question_that_nobody_was_asked_is_told_beside_the_checklist(env: dict[str, str]) -> None:
    said = run("report", "checklist", "questions=Nope\x1b,Shirt size", "--format", "csv", env=env)
    assert "bib,last_name,first_name,sub_event,status,Shirt size\n" in said
    assert "rosterlog: Nope\\u001b: nobody was asked this question; questions are compared exactly\n" in said


@pytest.mark.parametrize(
    ("args", "says"),
    [
        (["nope"], "there is no report nope; there is answers, bibs"),
        (["teams", "least=x"], "least takes a whole number"),
        (["teams", "least"], "write each parameter once, as NAME=VALUE"),
        (["teams", "--format", "xml"], "'table', 'csv', 'json'"),
        (["teams", "event="], "event is empty: leave it out"),
        (["teams", "--grant", "somebody"], "ask for one thing"),
        (["--pii"], "--pii belongs to --grant USER"),
        (["--grant", "a", "--revoke", "a"], "ask for one thing"),
        (["--revoke", "rosterlog_api"], "is reserved"),
        (["teams", "separator=;"], "teams has no parameter separator"),
        (["teams", "separator=:", "--format", "csv"], "separator takes one of , ; | and tab."),
        (["checklist", 'questions="open'], "questions takes texts with commas between"),
        (["--grant", "pg_monitor"], "is reserved"),
    ],
)
def test_bad_input_is_answered_with_the_choices_before_any_database_is_asked(args: list[str], says: str) -> None:
    assert says in run("report", *args, env=environ(DATABASE_URL="postgresql://nowhere.invalid/"), code=2)


@pytest.mark.parametrize("user", ["select", INJECTION, 'Ana Müller "a:b@c/d?e'])
def test_a_login_reads_reporting_and_nothing_else(env: dict[str, str], user: str) -> None:
    user = f"{user}{conninfo_to_dict(env['DATABASE_URL'])['dbname']}"  # logins are the server's
    said = run("report", "--grant", user, env=env).splitlines()
    with psycopg.connect(said[-1], autocommit=True) as analyst:
        assert analyst.info.user == user
        assert analyst.execute("select count(*), count(email) from participants").fetchone() == (3, 0)
        assert analyst.execute("select bib from reporting.participants where participant_id = '101'").fetchone() == (
            "112",
        )
        assert analyst.execute("show statement_timeout").fetchone() == ("1min",)
        for statement in ("table public.event_log", "create table public.mine (id int)", "create role mine"):
            with pytest.raises(errors.InsufficientPrivilege):
                analyst.execute(statement.encode())
        assert "personal data" in run("report", "--grant", user, "--pii", env=env)
        analyst.execute("reset all")
        assert sees_personal_data(analyst)
        again = run("report", "--grant", user, env=env).splitlines()
        assert not sees_personal_data(analyst)
    assert "keeps its password" in again[-2]
    assert again[-1] == said[-1].replace(f":{conninfo_to_dict(said[-1])['password']}@", "@")
    with psycopg.connect(said[-1]) as analyst:
        assert analyst.execute("select count(*) from participants").fetchone() == (3,)


def sees_personal_data(connection: psycopg.Connection[tuple[object, ...]]) -> bool:
    row = connection.execute("select reporting.sees_personal_data()").fetchone()
    return row == (True,)


def test_what_was_granted_is_taken_back(env: dict[str, str]) -> None:
    user = f"gone_{conninfo_to_dict(env['DATABASE_URL'])['dbname']}"
    with psycopg.connect(run("report", "--grant", user, "--pii", env=env).splitlines()[-1], autocommit=True) as analyst:
        assert analyst.execute("select count(*) from participants").fetchone() == (3,)
        assert "the login is dropped" in run("report", "--revoke", user, env=env)
        with pytest.raises(psycopg.Error):
            analyst.execute("select count(*) from reporting.participants")
    assert "there is no login" in run("report", "--revoke", user, env=env, code=2)


def test_the_password_gets_into_no_log_of_the_server(env: dict[str, str]) -> None:
    """Even of one that writes down every statement."""
    user = f"quiet_{conninfo_to_dict(env['DATABASE_URL'])['dbname']}"
    logging = make_conninfo(env["DATABASE_URL"], options="-c log_statement=all")
    said = run("report", "--grant", user, env={**env, "DATABASE_URL": logging}).splitlines()[-1]
    with psycopg.connect(env["DATABASE_URL"]) as owner:
        [data] = owner.execute("show data_directory").fetchone() or [""]
    written = (Path(data).parent / "postgres.log").read_text()
    assert f'create role "{user}" login password' in written
    assert str(conninfo_to_dict(said)["password"]) not in written


def test_the_dictionary_is_printed(env: dict[str, str]) -> None:
    assert "### reporting.participants\n" in run("report", "--dictionary", env=env)
