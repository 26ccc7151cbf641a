"""`rosterlog source copy` and `move` on real databases, and what the webhook of a moved source answers."""

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict

from ingest import postgres
from ingest.database import OPERATOR_ROLE
from ingest.postgres import as_login
from tests import model
from tests.acceptance.test_erase_command import VERSIONS
from tests.conftest import create
from tests.fold_all import query
from tests.program import deliver, environ, free_port, run, running, said, status_json, status_of, until
from tests.unmarked import unmarked

pytestmark = pytest.mark.acceptance

SECRETS = {"ROSTERLOG_SOURCES": f'{{"movemint": ["{model.SECRET.decode()}"], "spring": ["{model.SECRET.decode()}"]}}'}


@pytest.fixture
def other(server: postgres.Server, template: str) -> str:
    return create(server, template)


def test_a_moved_source_is_answered_503_at_the_old_place_and_taken_at_the_new_one(database: str, other: str) -> None:
    env = environ(DATABASE_URL=database, ROSTERLOG_TO_DATABASE_URL=other, **SECRETS)
    old, new = free_port(), free_port()
    contents = [model.body(number) for number in range(3)]
    with (
        running("ingest", "--port", str(old), env=env),
        running("ingest", "--port", str(new), env=environ(DATABASE_URL=other, **SECRETS)),
    ):
        until(lambda: status_of(old, "/readyz") == status_of(new, "/readyz") == 200)
        assert [deliver(old, content)[1]["position"] for content in contents[:2]] == [1, 2]
        printed = run("source", "copy", "movemint", env=env)
        assert len({line.split("chain ")[1].split()[0] for line in printed.splitlines() if "  ok  " in line}) == 1
        status, answer = deliver(new, contents[0])
        assert (status, answer["code"]) == (503, "moved")
        assert deliver(old, contents[2])[1]["position"] == 3
        printed = run("source", "move", "movemint", env=env)
        assert "now have the proxy send /webhooks/movemint to the server of" in printed
        for content in (contents[0], model.body("new")):
            status, answer = deliver(old, content)
            assert (status, answer["code"]) == (503, "moved")
            assert "deliver again" in answer["detail"]
        assert deliver(old, contents[0], source="spring")[0] == 200, "another source of the old place"
        assert status_of(old, "/readyz") == 200
        again = [deliver(new, content)[1] for content in [*contents, model.body("new")]]
        assert [(each["status"], each["position"]) for each in again] == [
            ("duplicate", 1), ("duplicate", 2), ("duplicate", 3), ("stored", 4),
        ]  # fmt: skip
    listed = run("source", "list", env=env)
    assert "movemint  1 in the environment  3 events  /webhooks/movemint\n  moved to" in listed
    assert f"moved to {conninfo_to_dict(other)['dbname']} at" in said("status", env=env)
    shown = {each["source"]: each["moved_to"] for each in status_json(env)["sources"]}
    assert shown["spring"] is None
    assert str(conninfo_to_dict(other)["dbname"]) in shown["movemint"]
    assert "do it there" in run("erase", "1", "--reason", "asked", "--yes", env=env, code=1)
    assert "has taken deliveries of movemint since" in run("source", "move", "movemint", "--back", env=env, code=2)


def test_a_login_of_the_operator_moves_a_source_and_takes_it_back(database: str, other: str) -> None:
    model.append(database, [model.body(1)])
    logins = {
        "DATABASE_URL": unmarked(as_login(database, OPERATOR_ROLE)),
        "ROSTERLOG_TO_DATABASE_URL": unmarked(as_login(other, OPERATOR_ROLE)),
    }
    env = environ(**logins, **SECRETS)
    run("source", "move", "movemint", env=env)
    assert "is taken at" in run("source", "move", "movemint", "--back", env=env)
    assert model.append(database, [model.body(2)]) == [(2, True)]


def test_what_an_erasure_between_two_copies_empties_is_vacuumed_there(database: str, other: str) -> None:
    """Also if the second copy fails after that, as the third has no erasure to copy any more."""
    model.append(database, [model.body(1), model.body(2)])
    env = environ(DATABASE_URL=database, ROSTERLOG_TO_DATABASE_URL=other, **SECRETS)
    run("source", "copy", "movemint", env=env)
    run("erase", "1", "--reason", "asked", "--yes", env=env)
    run("token", "create", "reader", "--source", "movemint", env=env)
    run("token", "create", "reader", "--source", "spring", env={**env, "DATABASE_URL": other})
    assert "revoke one of the two" in run("source", "copy", "movemint", env=env, code=2)
    with psycopg.connect(other, autocommit=True) as connection:
        connection.execute("create extension pageinspect")
        assert connection.execute(VERSIONS).fetchone() == (2,), "no old row versions are left"


def test_wrong_usage_says_what_to_do_and_shows_no_password(database: str, other: str, empty_database: str) -> None:
    model.append(database, [model.body(1)])
    env = environ(DATABASE_URL=database, **SECRETS)
    password = str(conninfo_to_dict(database)["password"])
    for to, name, expected in (
        ("", "movemint", "set ROSTERLOG_TO_DATABASE_URL to the other database"),
        (database, "movemint", "leads to the database that the source is in"),
        (empty_database, "movemint", ", with that address as DATABASE_URL"),
        (other, "autumn", "there is no source autumn"),
        (other, "spring", "has no event in"),
    ):
        for command in ("copy", "move"):
            printed = run("source", command, name, env={**env, "ROSTERLOG_TO_DATABASE_URL": to}, code=2)
            assert expected in printed
            assert password not in printed
    nowhere = "postgresql://me:hidden@127.0.0.1:1/none"
    printed = run("source", "copy", "movemint", env={**env, "ROSTERLOG_TO_DATABASE_URL": nowhere}, code=1)
    assert "ROSTERLOG_TO_DATABASE_URL right" in printed
    assert "hidden" not in printed
    assert query(other, "select count(*) from source") == [(0,)]
