"""The server: what is durable, what stands in the way of its upkeep, and settings that hurt. Each made to happen."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from sqlalchemy import Connection, Engine, text

from ingest import postgres
from ingest.database import sync_engine
from ingest.failures import Failure
from projections.doctor import database as checks
from projections.doctor import upkeep
from projections.doctor.durability import check_commit, check_files, check_standbys
from projections.doctor.examination import DEADLINES
from projections.doctor.upkeep import check_autovacuum, check_settings, check_slots, check_transactions
from tests.conftest import create
from tests.findings import of, only, worst
from tests.fold_all import query
from tests.program import until
from tests.proxy import Proxy


@pytest.fixture(scope="module")
def shared_engine(shared: str) -> Iterator[Engine]:
    engine = sync_engine(shared)
    yield engine
    engine.dispose()


@pytest.fixture
def connection(shared_engine: Engine) -> Iterator[Connection]:
    with shared_engine.connect() as connection:
        yield connection
        connection.rollback()


@contextmanager
def system(shared: str, name: str, value: str) -> Iterator[None]:
    """A setting of the whole server, for this block."""
    with psycopg.connect(shared, autocommit=True) as admin:

        def becomes(value: str) -> None:
            admin.execute("select pg_reload_conf()")
            until(lambda: query(shared, "select current_setting(%s)", name) == [(value,)])

        [before] = admin.execute("select current_setting(%s)", [name]).fetchone() or [""]
        try:
            admin.execute(f"alter system set {name} = '{value}'".encode())
            becomes(value)
            yield
        finally:
            admin.execute(f"alter system reset {name}".encode())
            becomes(before)


@contextmanager
def here(shared: str, name: str, value: str) -> Iterator[Connection]:
    """A new connection to the database, whose default the setting is."""
    dbname = conninfo_to_dict(shared)["dbname"]
    with psycopg.connect(shared, autocommit=True) as admin:
        admin.execute(f"alter database {dbname} set {name} = '{value}'".encode())
        engine = sync_engine(shared)
        try:
            with engine.connect() as connection:
                yield connection
        finally:
            engine.dispose()
            admin.execute(f"alter database {dbname} reset {name}".encode())


def test_a_server_that_is_well(connection: Connection, shared: str) -> None:
    found = [
        *checks.check_server_kind(connection), checks.check_schema(connection), check_standbys(connection),
        checks.check_clock(connection, lambda: datetime.now(UTC)), check_commit(shared, DEADLINES),
        check_autovacuum(connection), check_transactions(connection), *check_slots(connection),
        *check_settings(connection), *(each for each in check_files(connection) if each.check != "fsync"),
    ]  # fmt: skip
    assert worst(found) == []
    assert len(found) == 12


def test_an_old_version_and_another_encoding_are_refused(
    server: postgres.Server, connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    with psycopg.connect(server.conninfo, autocommit=True) as admin:
        admin.execute("create database latin encoding 'LATIN1' locale 'C' template template0")
    engine = sync_engine(make_conninfo(server.conninfo, dbname="latin"))
    with engine.connect() as latin:
        assert only(checks.check_server_kind(latin), "encoding")[0] == "fail"
        assert only(checks.check_schema(latin), "migrated")[0] == "fail"
    engine.dispose()
    monkeypatch.setattr(checks, "OLDEST_SERVER", 990_000)
    assert "is too old" in only(checks.check_server_kind(connection), "version")[1]


def test_a_database_that_is_not_migrated_is_told_the_command(server: postgres.Server) -> None:
    engine = sync_engine(create(server, "template0"))
    with engine.connect() as empty:
        level, said = only(checks.check_schema(empty), "migrated")
    engine.dispose()
    assert (level, said.endswith(": run rosterlog migrate")) == ("fail", True)


@pytest.mark.parametrize(("seconds", "side"), [(90, "behind"), (-90, "ahead of")])
def test_clocks_that_differ_are_told(connection: Connection, seconds: int, side: str) -> None:
    level, said = only(checks.check_clock(connection, lambda: datetime.now(UTC) + timedelta(seconds=seconds)), "clock")
    assert level == "warn"
    assert f"90 s {side}" in said


@pytest.mark.parametrize("seconds", [0.0, 0.5])
def test_a_slow_way_to_the_database_is_no_clock_that_differs(
    shared: str, seconds: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whether the question or the answer takes its time; the question's is made by a clock that was read earlier."""
    monkeypatch.setattr(checks, "CLOCK_SECONDS", 0.15)
    with Proxy(shared).running() as proxy:
        engine = sync_engine(proxy.conninfo)
        with engine.connect() as connection:
            connection.execute(text("select 1"))
            proxy.delay = 0.5
            earlier = timedelta(seconds=seconds)
            level, _ = only(checks.check_clock(connection, lambda: datetime.now(UTC) - earlier), "clock")
            proxy.delay = 0.0
        engine.dispose()
    assert level == "ok"


def test_why_there_is_no_session_is_told_with_what_to_do() -> None:
    told = [checks.unreachable("database", Failure(f"it fails{mark}do this")) for mark in (": ", "; ")]
    assert [(finding.says, finding.do) for finding in told] == [("it fails", "do this")] * 2


def test_what_a_power_cut_would_lose_is_told(connection: Connection, shared: str) -> None:
    """The server of the tests runs without fsync as it is."""
    assert only(check_files(connection), "fsync")[0] == "fail"
    assert "alter system set fsync = on" in only(check_files(connection), "fsync")[1]
    with system(shared, "full_page_writes", "off"):
        assert only(check_files(connection), "full_page_writes")[0] == "fail"


def instead(connection: Connection, *statements: str) -> None:
    """What stands before the server's own views and functions, for what takes a server of another kind."""
    for statement in statements:
        connection.execute(text(statement))
    connection.execute(text("set local search_path = public, pg_catalog"))


def test_missing_checksums_are_told(connection: Connection) -> None:
    others = "select name, setting from pg_catalog.pg_settings where name <> 'data_checksums'"
    instead(connection, f"create view public.pg_settings as {others} union all select 'data_checksums', 'off'")
    assert only(check_files(connection), "checksums")[0] == "warn"


def test_a_replica_is_told(connection: Connection) -> None:
    instead(connection, "create function public.pg_is_in_recovery() returns bool language sql return true")
    assert only(checks.check_server_kind(connection), "primary")[0] == "fail"


def test_several_hosts_of_which_any_is_taken_are_told() -> None:
    several = "postgresql://a,b/rosterlog"
    assert only(checks.check_hosts(several), "hosts")[0] == "warn"
    for right in (f"{several}?target_session_attrs=read-write", f"{several}?target_session_attrs=primary", "host=a"):
        assert list(checks.check_hosts(right)) == []


@pytest.mark.parametrize(("value", "level"), [("off", "warn"), ("local", "warn"), ("remote_apply", "ok")])
def test_a_default_that_waits_for_no_disk_is_told(shared: str, value: str, level: str) -> None:
    with here(shared, "synchronous_commit", value):
        found, said = only(check_commit(shared, DEADLINES), "synchronous_commit")
    assert (found, said.startswith(value)) == (level, True)


def test_autovacuum_that_is_off_is_told(connection: Connection, shared: str) -> None:
    with system(shared, "autovacuum", "off"):
        assert "off: tables grow" in only(check_autovacuum(connection), "autovacuum")[1]
    with here(shared, "track_counts", "off") as uncounted:
        assert "off: tables grow" in only(check_autovacuum(uncounted), "autovacuum")[1]
    connection.execute(text("alter table checkpoint set (autovacuum_enabled = false)"))
    assert "switched off for checkpoint" in only(check_autovacuum(connection), "autovacuum")[1]


def test_a_transaction_that_stays_open_is_told(connection: Connection, shared: str) -> None:
    with psycopg.connect(make_conninfo(shared, application_name="forgotten")) as open_one:
        open_one.execute("select 1")
        assert only(check_transactions(connection), "transactions")[0] == "ok"
        level, said = only(check_transactions(connection, longest=0), "transactions")
    assert level == "warn"
    assert "(forgotten)" in said


def test_transactions_that_are_out_of_sight_are_told(connection: Connection) -> None:
    """Out of this login's, or out of the owner's, by whose rights metrics and status ask. Any plain role will do."""
    connection.execute(text("set local role rosterlog_worker"))
    level, said = only(check_transactions(connection), "transactions")
    assert (level, "as far as this login sees (grant pg_monitor)" in said) == ("ok", True)
    connection.execute(text("reset role"))
    assert "as far as" not in only(check_transactions(connection), "transactions")[1]
    connection.execute(text("grant create on schema public to rosterlog_worker"))
    connection.execute(text("alter function oldest_transaction() owner to rosterlog_worker"))
    level, said = only(check_transactions(connection), "transactions")
    assert (level, "grant pg_read_all_stats to rosterlog_worker" in said) == ("warn", True)


def test_a_slot_that_nobody_uses_is_told(connection: Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    """However little it holds."""
    monkeypatch.setattr(upkeep, "MUCH_WAL", 2**60)
    connection.execute(text("select pg_create_physical_replication_slot('abandoned', true)"))
    try:
        [(level, said)] = of(check_slots(connection), "slots")
    finally:
        connection.execute(text("select pg_drop_replication_slot('abandoned')"))
    assert level == "warn"
    assert "the slot abandoned holds" in said
    assert "up to max_slot_wal_keep_size: nobody uses it" in said
    assert "pg_drop_replication_slot('abandoned')" in said


def test_a_slot_that_has_lost_its_log_is_told(connection: Connection) -> None:
    columns = "'lost'::name as slot_name, false as active, false as temporary, 'lost' as wal_status"
    instead(connection, f"create view public.pg_replication_slots as select {columns}, null::pg_lsn as restart_lsn")
    assert "begin the subscriber anew" in only(check_slots(connection), "slots")[1]


def test_a_slot_without_a_bound_is_told(connection: Connection) -> None:
    slot = "'endless'::name as slot_name, false as active, false as temporary, 'extended' as wal_status"
    instead(
        connection,
        f"create view public.pg_replication_slots as select {slot}, '0/1'::pg_lsn as restart_lsn",
        "create function public.current_setting(text) returns text language sql return '-1'",
    )
    assert "without a bound (max_slot_wal_keep_size)" in only(check_slots(connection), "slots")[1]


def test_on_a_replica_a_slot_holds_what_was_replayed_since(connection: Connection) -> None:
    """What was received and not replayed yet is not held back by the slot."""
    instead(
        connection,
        "create function public.pg_is_in_recovery() returns bool language sql return true",
        "create function public.pg_last_wal_replay_lsn() returns pg_lsn language sql return '3/0'::pg_lsn",
        "create function public.pg_last_wal_receive_lsn() returns pg_lsn language sql return '5/0'::pg_lsn",
        "create view public.pg_replication_slots as select 'cascade'::name as slot_name, true as active, "
        "'reserved' as wal_status, '1/0'::pg_lsn as restart_lsn, false as temporary",
    )
    assert "the slot cascade holds 8.0 GB" in only(check_slots(connection), "slots")[1]


HURTING = [
    ("zero_damaged_pages", "on", "fail"),
    ("ignore_checksum_failure", "on", "fail"),
    ("session_replication_role", "replica", "fail"),
    ("log_statement", "all", "warn"),
    ("log_statement", "mod", "warn"),
    ("log_min_duration_statement", "100", "warn"),
    ("enable_indexscan", "off", "warn"),
]


def test_statements_that_are_logged_without_their_values_hurt_nobody(connection: Connection) -> None:
    connection.execute(text("set local log_statement = 'all'"))
    connection.execute(text("set local log_parameter_max_length = 0"))
    assert only(check_settings(connection), "settings")[0] == "ok"


@pytest.mark.parametrize(("name", "value", "level"), HURTING)
def test_a_setting_that_hurts_is_told(shared: str, name: str, value: str, level: str) -> None:
    with here(shared, name, value) as connection:
        found, said = only(check_settings(connection), "settings")
    assert found == level
    assert name in said
