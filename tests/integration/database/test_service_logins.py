"""A login per service: it is its role, and its session has no way to more."""

from contextlib import closing
from typing import Any

import psycopg
import pytest
from psycopg import errors
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from sqlalchemy import text

from ingest import postgres
from ingest.database import (
    API_ROLE,
    INGEST_ROLE,
    OPERATOR_ROLE,
    ROLES,
    SERVICE_ROLES,
    WORKER_ROLE,
    connect,
    driver_connection,
    sync_engine,
)
from ingest.migrate import check_migrated, revisions
from ingest.service_logins import SERVICES, address_for, make_logins
from ingest.sqlstate import DatabaseUnusable
from projections.doctor.grants import MEANT
from projections.doctor.services import check_services
from tests.findings import of
from tests.program import environ, run
from tests.unmarked import unmarked, without_logins

# What each may not do, though another role or the owner may.
REFUSED = {
    INGEST_ROLE: ("select from event_log", "select from participants", "select apply_erasure('', gen_random_uuid())"),
    WORKER_ROLE: ("update event_log set body = null", "select body from event_log", "select from api_token"),
    API_ROLE: ("select body from event_log", "delete from participants_build", "select end_overdue()"),
    OPERATOR_ROLE: (
        "delete from event_log",
        "select from participants",
        "select count_refused('', '', now(), 1, now())",
    ),
}
EVERYBODY = ("create table mine ()", "create role another", "copy (select 1) to program 'true'")


@pytest.fixture(params=SERVICE_ROLES)
def role(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def who(connection: psycopg.Connection[Any]) -> Any:  # noqa: ANN401 - a row
    """The login, whose rights it has, and the role that was taken."""
    return connection.execute("select session_user, current_user, current_setting('role')").fetchone()


def has_no_way_to_more(address: str, role: str) -> None:
    with closing(connect(address, role)) as connection:
        connection.autocommit = True
        assert who(connection) == (role, role, "none")
        superuser = conninfo_to_dict(address)["user"]
        others = {*ROLES, "pg_read_all_data", "rosterlog" if superuser == role else superuser} - {role}
        for other in others - {taken for service, taken in MEANT if service == role}:
            with pytest.raises(errors.InsufficientPrivilege):
                connection.execute(f"set role {other}".encode())
            with pytest.raises(errors.InsufficientPrivilege):
                connection.execute(f"set session authorization {other}".encode())
        for back in ("reset role", "reset session authorization", "discard all"):
            connection.execute(back.encode())
            assert who(connection) == (role, role, "none")
        for statement in (*REFUSED[role], *EVERYBODY):
            with pytest.raises(errors.InsufficientPrivilege):
                connection.execute(statement.encode())


def test_a_service_of_the_embedded_database_has_no_way_to_more(database: str, role: str) -> None:
    has_no_way_to_more(database, role)


def test_a_login_that_was_made_for_a_service_has_no_way_to_more(database: str) -> None:
    """As `migrate --logins` prints them, once, on a server that has no such logins yet."""
    with without_logins(database) as owner:
        lines = run("migrate", "--roles", "--logins", env=environ(DATABASE_URL=owner)).splitlines()
        addresses = dict(line.split(maxsplit=1) for line in lines if line.partition(" ")[0] in SERVICES)
        again = run("migrate", "--logins", env=environ(DATABASE_URL=owner))
        for service, role in SERVICES.items():
            assert f"{role} can log in already: " in again
            has_no_way_to_more(addresses[service], role)
    assert "postgresql://" not in again


def test_a_new_password_ends_the_one_before(database: str) -> None:
    with without_logins(database) as owner:
        engine = sync_engine(owner)
        with engine.begin() as connection:
            [before, *_] = make_logins(driver_connection(connection), owner)
        with engine.begin() as connection:
            renewed = [*make_logins(driver_connection(connection), owner, ["ingest"])]
        engine.dispose()
        assert [login.service for login in renewed if login.address is not None] == ["ingest"]
        assert before.address is not None
        with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
            connect(before.address, INGEST_ROLE)
        connect(str(renewed[0].address), INGEST_ROLE).close()


def test_a_service_by_its_own_login_sees_that_the_schema_is_another(database: str, role: str) -> None:
    engine = sync_engine(postgres.as_login(database, role))
    with psycopg.connect(database, autocommit=True) as owner, engine.connect() as connection:
        assert connection.execute(text("select session_user")).scalar_one() == role
        check_migrated(connection)
        owner.execute("update alembic_version set version_num = %s", [revisions()[-2]])
        if role == INGEST_ROLE:  # may read nothing, so its first append tells
            check_migrated(connection)
        else:
            with pytest.raises(DatabaseUnusable, match="run rosterlog migrate"):
                check_migrated(connection)
    engine.dispose()


def test_renewing_goes_with_logins(database: str) -> None:
    assert "--renew goes with --logins" in run("migrate", "--renew", "api", env=environ(DATABASE_URL=database), code=2)


def test_the_embedded_database_has_nothing_to_copy(database: str) -> None:
    """Its services' logins are kept right, whatever happened to them, and are not touched where they are."""
    with psycopg.connect(database, autocommit=True) as connection:
        stored = "select rolpassword from pg_authid where rolname = any (%s) order by rolname"
        before = connection.execute(stored, [[*SERVICE_ROLES]]).fetchall()
        postgres.keep_logins(connection, SERVICE_ROLES)
        assert connection.execute(stored, [[*SERVICE_ROLES]]).fetchall() == before
        connection.execute(f"alter role {API_ROLE} password 'another'".encode())
        postgres.keep_logins(connection, SERVICE_ROLES)
    connect(database, API_ROLE).close()


def test_one_login_for_all_takes_each_role_as_before(database: str, role: str) -> None:
    with closing(connect(unmarked(database), role)) as connection:
        assert who(connection) == ("rosterlog", role, role)


@pytest.mark.parametrize(
    ("also", "takes"),
    [
        ("", "none"),
        (f"grant {WORKER_ROLE} to {{}}", INGEST_ROLE),
        ("grant select on participants to {}", INGEST_ROLE),
        ("create table theirs (); alter table theirs owner to {}", INGEST_ROLE),
        *(
            (f"alter role {{}} {more}", INGEST_ROLE)
            for more in ("superuser", "createrole", "createdb", "replication", "bypassrls")
        ),
    ],
)
def test_a_login_that_can_do_more_than_its_role_takes_it(database: str, also: str, takes: str) -> None:
    """One that has a role's rights and no other needs no `set role`, from which there would be no way back."""
    user = f"one_{conninfo_to_dict(database)['dbname']}"
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute(f"create role {user} login password 'p' in role {INGEST_ROLE}".encode())
        connection.execute(also.format(user).encode() or b"select")
        with closing(connect(make_conninfo(database, user=user, password="p"), INGEST_ROLE)) as service:
            assert who(service) == (user, user if takes == "none" else takes, takes)
        connection.execute(f"drop owned by {user}; drop role {user}".encode())


ADDRESSES = {
    "postgresql://owner:secret@db.example.org/roster": "@db.example.org:5432/roster",
    "postgresql://owner@one,two:6000/roster?target_session_attrs=read-write":
        "@one:5432,two:6000/roster?target_session_attrs=read-write",
    "host=one,two port=6000 dbname=r sslmode=require sslcert=mine": "@one:6000,two:6000/r?sslmode=require",
    "postgresql://[::1]:6000/a%20b?application_name=mine": "@[::1]:6000/a%20b",
    "host=/run/postgresql dbname=r user=owner passfile=passwords": "@127.0.0.1:5432/r",
    "host=/run/postgresql,db.example.org dbname=r": "@/r?host=%2Frun%2Fpostgresql%2Cdb.example.org&port=5432",
}  # fmt: skip


@pytest.mark.parametrize(("address", "rest"), ADDRESSES.items())
def test_an_address_keeps_all_but_the_login(database: str, address: str, rest: str) -> None:
    with psycopg.connect(unmarked(database)) as connection:
        made = address_for(address, connection, INGEST_ROLE, "a/b")
        usual = made.replace(str(connection.info.port), "5432")
    assert usual == f"postgresql://{INGEST_ROLE}:a%2Fb{rest}"
    assert conninfo_to_dict(made)["password"] == "a/b"


def test_doctor_says_which_service_could_do_more_than_it_needs(database: str) -> None:
    owner = unmarked(database)
    engine = sync_engine(database)
    with engine.connect() as connection:
        assert of(check_services(connection), "services")[0][1].startswith("none is connected now")
        connection.rollback()  # who is connected is looked at once in a transaction
        with closing(connect(database, INGEST_ROLE)), closing(connect(database, OPERATOR_ROLE)):
            [(level, said)] = of(check_services(connection), "services")
            assert (level, said.split(":")[0]) == (
                "ok", "ingest as rosterlog_ingest, operator as rosterlog_operator"
            )  # fmt: skip
            connection.rollback()
            with closing(connect(owner, WORKER_ROLE)):
                found = of(check_services(connection), "services")
    engine.dispose()
    assert [level for level, _ in found] == ["warn", "ok"]
    assert found[0][1].startswith("worker is connected as rosterlog, which is a superuser")
    assert "rosterlog migrate --roles --logins" in found[0][1]


@pytest.mark.parametrize(("made", "says"), [
    (f"grant {API_ROLE} to {{}}", f"can take {API_ROLE}, too"),
    ("grant pg_read_all_data to {}", "has rights of its own, or those of yet another role"),
    ("grant select on api_token to {}", "has rights of its own, or those of yet another role"),
    ("alter table event_log owner to {}; grant create on schema public to {}", "owns the log"),
])  # fmt: skip
def test_doctor_sees_each_way_to_more(database: str, made: str, says: str) -> None:
    user = f"more_{conninfo_to_dict(database)['dbname']}"
    engine = sync_engine(database)
    with engine.connect() as connection, psycopg.connect(database, autocommit=True) as admin:
        admin.execute(f"create role {user} login password 'p' in role {WORKER_ROLE}".encode())
        admin.execute(made.format(user, user).encode())
        with closing(connect(make_conninfo(database, user=user, password="p"), WORKER_ROLE)):
            [(level, said)] = of(check_services(connection), "services")
        admin.execute("alter table event_log owner to current_user")
        admin.execute(f"drop owned by {user}; drop role {user}".encode())
    engine.dispose()
    assert level == "warn"
    assert f"worker is connected as {user}, which {says}" in said
