"""The examination as a whole: it changes nothing, and a database that is away or refuses does not end it."""

from collections.abc import Iterator

import psycopg
import pytest
from psycopg import errors
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError

from ingest.log.read import heads
from ingest.settings import Settings, read_settings
from projections.doctor.examination import examine, reading
from projections.doctor.finding import DoctorFinding
from tests import model
from tests.findings import of, only, worst
from tests.fold_all import query
from tests.program import until
from tests.proxy import Proxy

MINE = """
select count(*) from pg_stat_activity where application_name = 'rosterlog doctor' and datname = current_database()
"""


def settings_of(conninfo: str) -> Settings:
    return read_settings({"DATABASE_URL": conninfo, "MOVEMINT_WEBHOOK_SECRET": model.SECRET.decode()})


@pytest.fixture
def plain(shared: str) -> Iterator[str]:
    """A login that may connect, and nothing else."""
    user = f"stranger_{conninfo_to_dict(shared)['dbname']}"
    with psycopg.connect(shared, autocommit=True) as owner:
        owner.execute(f"create role {user} login password 'p'".encode())
        try:
            yield make_conninfo(shared, user=user, password="p")
        finally:
            owner.execute(f"drop role {user}".encode())


def test_everything_is_looked_at_and_only_what_is_true_is_told(shared: str) -> None:
    """The login is a superuser, the server of the tests does not sync, and their people have odd keys."""
    found = [*examine(settings_of(shared))]
    assert {check for check, _ in worst(found)} <= {"account", "login", "fsync", "secrets", "status", "fields"}
    assert {finding.check for finding in found} >= {
        "database", "version", "clock", "standbys", "autovacuum", "transactions", "slots", "settings", "migrated",
        "roles", "grants", "owner", "triggers", "synchronous_commit", "secrets", "holes", "demo", "definitions",
        "fields", "backups", "account", "fsync", "full_page_writes", "checksums", "log", "refused", "encoding",
        "complete",
    }  # fmt: skip
    assert all(finding.do for finding in found if finding.level.value != "ok")


def test_its_session_can_write_nothing(shared: str) -> None:
    with reading(shared) as connection:
        with pytest.raises(DBAPIError) as error:
            connection.execute(text("delete from worker_seen"))
        assert isinstance(error.value.orig, errors.ReadOnlySqlTransaction)


def test_its_own_sessions_are_not_taken_for_a_server(shared: str) -> None:
    """Nothing else is connected, so that no worker is missed; another examination is none of a server either."""
    names = "select distinct application_name from pg_stat_activity where datname = current_database() and pid <> "
    found = []
    for finding in examine(settings_of(shared)):
        found.append(finding)
        if finding.check == "database":
            assert query(shared, f"{names} pg_backend_pid()") == [("rosterlog doctor",)]
    assert [said for _, said in of(found, "status") if "worker" in said] == []


def test_a_login_with_few_rights_hears_what_could_not_be_looked_at(plain: str) -> None:
    found = [*examine(settings_of(plain))]
    assert only(found, "login")[0] == "fail"
    refused = [finding for finding in found if "could not be looked at" in finding.says]
    assert {finding.check for finding in refused} >= {"synchronous_commit", "log", "status"}
    assert not any("25P02" in finding.says for finding in refused), "one that is refused refuses no other"
    assert {finding.check for finding in found} & {"secrets", "holes", "demo", "fields"} == set()
    assert only(found, "version")[0] == "ok"
    assert only(found, "backups")[0] == "ok"


def test_a_database_that_goes_away_meanwhile_is_told_once(shared: str) -> None:
    with Proxy(shared).running() as proxy:
        found: list[DoctorFinding] = []
        for finding in examine(settings_of(proxy.conninfo)):
            found.append(finding)
            if finding.check == "database":
                proxy.refuses = True
                proxy.cut()
                until(lambda: query(shared, MINE) == [(0,)])
    assert [level for level, _ in of(found, "database")] == ["ok", "fail"]
    assert only(found, "secrets")[0] == "ok"
    assert of(found, "grants") == []


def test_a_database_that_goes_away_while_the_log_is_read_is_told(shared: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def lost(connection: Connection) -> dict[str, int]:
        query(shared, "select pg_terminate_backend(%s)", connection.scalar(text("select pg_backend_pid()")))
        return heads(connection)

    monkeypatch.setattr("projections.doctor.examination.heads", lost)
    found = [*examine(settings_of(shared))]
    assert [level for level, _ in of(found, "database")] == ["ok", "fail"]


def test_of_a_database_that_is_not_migrated_nothing_more_is_asked(empty_database: str) -> None:
    found = [*examine(settings_of(empty_database))]
    level, said = only(found, "migrated")
    assert (level, said.endswith("run rosterlog migrate")) == ("fail", True)
    assert not any("could not be looked at" in finding.says for finding in found)
    assert {finding.check for finding in found} & {"roles", "log", "status", "secrets"} == set()


@pytest.mark.parametrize(
    ("change", "level", "says"),
    [
        ({}, "ok", "answers; it is no replica"),
        ({"port": "1"}, "fail", "is READ_DATABASE_URL right"),
        ({"dbname": "postgres"}, "fail", "is not migrated"),
    ],
)
def test_the_database_of_the_read_api_is_looked_at(shared: str, change: dict[str, str], level: str, says: str) -> None:
    read = make_conninfo(shared, **{"host": "127.0.0.1", **change})
    settings = read_settings({"DATABASE_URL": shared, "READ_DATABASE_URL": read})
    found_level, said = only(examine(settings), "replica")
    assert (found_level, says in said) == (level, True)


AWAY = {
    "nothing listens": ({"port": "1"}, "does PostgreSQL run there?"),
    "another password": ({"password": "another"}, "are the user and the password right?"),
    "no such database": ({"dbname": "nothing"}, "make it, or name another"),
    "no such host": ({"host": "host.invalid"}, "its host is not known here"),
}


@pytest.mark.parametrize(("place", "hint"), AWAY.values(), ids=AWAY.keys())
def test_a_database_that_cannot_be_reached_is_told_with_a_hint(shared: str, place: dict[str, str], hint: str) -> None:
    conninfo = make_conninfo(shared, **{"host": "127.0.0.1", "connect_timeout": "5", **place})
    found = [*examine(settings_of(conninfo))]
    level, said = only(found, "database")
    assert (level, hint in said) == ("fail", True), said
    assert str(conninfo_to_dict(shared)["password"]) not in said
    assert "\n" not in said
    assert [finding.check for finding in found] == ["account", "database", "secrets"]
