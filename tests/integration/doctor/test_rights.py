"""Roles, grants, owner, triggers and login: each departure from what the migrations grant is found."""

from collections.abc import Iterator

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from sqlalchemy import Connection, Engine, text

from ingest.database import sync_engine
from projections.doctor.finding import DoctorFinding
from projections.doctor.grants import GRANTS
from projections.doctor.rights import check_login, check_ownership, check_rights
from tests.findings import only, worst


@pytest.fixture(scope="module")
def owner(shared: str) -> Iterator[Engine]:
    engine = sync_engine(shared)
    yield engine
    engine.dispose()


@pytest.fixture
def undone(owner: Engine) -> Iterator[Connection]:
    """A connection in a transaction that is rolled back, whatever was granted in it."""
    with owner.connect() as connection:
        yield connection
        connection.rollback()


def rights(connection: Connection) -> list[DoctorFinding]:
    return [*check_rights(connection), *check_ownership(connection)]


def test_what_the_migrations_grant_is_what_the_list_says(undone: Connection) -> None:
    """The list and the catalog, each way: a grant in a migration needs its line in the list."""
    assert worst(rights(undone)) == []
    assert f"all {len(GRANTS)} are as they should be" in only(rights(undone), "grants")[1]
    assert len(GRANTS) > 100


DEPARTURES = {
    "a grant is missing": (
        "revoke select on checkpoint from rosterlog_worker", "grants", "fail", "select on checkpoint"
    ),
    "a column's grant is missing": (
        "revoke update (lifted_by) on erasures from rosterlog_operator", "grants", "fail", "on erasures(lifted_by)"
    ),
    "a function's grant is missing": (
        "revoke execute on function count_refused from rosterlog_ingest", "grants", "fail", "execute on count_refused"
    ),
    "the webhook may read": (
        "grant select on participants to rosterlog_ingest", "grants", "fail", "to rosterlog_ingest"
    ),
    "the webhook may execute more": (
        "grant execute on function apply_erasure to rosterlog_ingest", "grants", "fail", "execute on apply_erasure"
    ),
    "everybody may append": (
        "grant execute on function append_events to public", "grants", "fail", "execute on append_events to public"
    ),
    "everybody may publish": (
        "grant execute on function publish_these to public", "grants", "fail", "execute on publish_these to public"
    ),
    "everybody may read tokens": (
        "grant select on api_token to public", "grants", "fail", "select on api_token to public"
    ),
    "the webhook reaches a table by everybody's grant": (
        "create table another (a int); grant select on another to public", "grants", "fail", "can reach another"
    ),
    "somebody may write the log": (
        "create role scribe; grant insert (body) on event_log to scribe", "grants", "fail", "insert on event_log(body)"
    ),
    "a service may write the log": (
        "grant update on event_log to rosterlog_worker", "grants", "fail", "update on event_log"
    ),
    "a service may erase": (
        "grant execute on function apply_erasure to rosterlog_api", "grants", "fail", "execute on apply_erasure"
    ),
    "a function was made anew, which everybody may execute": (
        "update pg_proc set proacl = null where proname = 'publish_these'", "grants", "fail", "publish_these to public"
    ),
    "the webhook can empty a table": (
        "create table another (a int); grant truncate on another to public", "grants", "fail", "can reach another"
    ),
    "a service may read more": (
        "grant select on event_log to rosterlog_api", "grants", "warn", "select on event_log"
    ),
    "a role is missing": (
        "alter role rosterlog_reporting rename to gone", "roles", "fail", "missing: rosterlog_reporting"
    ),
    **{
        f"a role is powerful: {power}": (f"alter role rosterlog_api {power}", "roles", "fail", "rosterlog_api: may do")
        for power in ("superuser", "createrole", "createdb", "replication", "bypassrls")
    },
    "a role is in another": (
        "grant rosterlog_operator to rosterlog_ingest", "roles", "fail", "rosterlog_ingest in rosterlog_operator"
    ),
    "a service owns the log": (
        "alter table event_log owner to rosterlog_worker", "owner", "fail", "rosterlog_worker owns"
    ),
    "a function has another owner": (
        "create role other; grant create on schema public to other; alter function count_refused owner to other",
        "owner", "fail", "count_refused: owned by another"
    ),
    "a trigger is off": (
        "alter table event_log disable trigger event_log_is_append_only", "triggers", "fail", "the log can be changed"
    ),
    "a trigger is not always on": (
        "alter table erasures enable trigger erasures_are_kept", "triggers", "fail", "the log can be changed"
    ),
}  # fmt: skip


@pytest.mark.parametrize(("change", "check", "level", "says"), DEPARTURES.values(), ids=DEPARTURES.keys())
def test_each_departure_is_found(undone: Connection, change: str, check: str, level: str, says: str) -> None:
    undone.execute(text(change))
    found_level, said = only(rights(undone), check)
    assert found_level == level
    assert says in said
    assert not said.endswith(": ")


def test_a_person_may_let_others_read(undone: Connection) -> None:
    """Grants to logins of one's own, and what other programs have in the database, are nobody's business."""
    undone.execute(text("create role visitor; grant select on participants, event_log to visitor"))
    undone.execute(text("create function theirs() returns int language sql return 1"))
    undone.execute(text("create table of_extension (a int); grant select on of_extension to public"))
    extension = "'pg_extension'::regclass, (select oid from pg_extension limit 1), 0, 'e'"
    undone.execute(text(f"insert into pg_depend select 'pg_class'::regclass, 'of_extension'::regclass, 0, {extension}"))
    assert worst(rights(undone)) == []


def test_a_superuser_is_for_the_embedded_database_alone(undone: Connection) -> None:
    level, said = only(check_login(undone, is_embedded=True), "login")
    assert (level, "the superuser of the embedded database" in said) == ("ok", True)
    assert only(check_login(undone, is_embedded=False), "login")[0] == "warn"


@pytest.mark.parametrize(("roles", "level"), [("", "fail"), (" in role rosterlog_ingest", "ok")])
def test_a_login_needs_a_role(shared: str, roles: str, level: str) -> None:
    user = f"plain_{conninfo_to_dict(shared)['dbname']}"
    with psycopg.connect(shared, autocommit=True) as connection:
        connection.execute(f"create role {user} login password 'p'{roles}".encode())
        engine = sync_engine(make_conninfo(shared, user=user, password="p"))
        try:
            with engine.connect() as plain:
                found_level, said = only(check_login(plain, is_embedded=False), "login")
        finally:
            engine.dispose()
            connection.execute(f"drop role {user}".encode())
    assert found_level == level
    assert "rosterlog_ingest" in said
