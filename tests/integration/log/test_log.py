"""The log's promises (design points 1-6), each on a real PostgreSQL and each with its guard tried off."""

import threading
from concurrent.futures import ThreadPoolExecutor, wait

import psycopg
import pytest
from psycopg import errors

from ingest.database import sync_engine
from ingest.log.read import HoleInLog, heads, read_after
from tests import DEADLINE, model

ROLES = ("rosterlog_ingest", "rosterlog_worker", "rosterlog_api")


def bodies(number: int, prefix: str = "") -> list[bytes]:
    return [model.body(index, note=prefix) for index in range(number)]


def test_promise_1_any_verified_bytes_are_kept_exactly(database: str) -> None:
    hostile = [b"", b"\xff\x00", b"[" * 100_000, b'{"type": "\\u0000"}', model.body("x" * 5000), b"x" * 1_048_576]
    assert model.append(database, hostile) == [(position, True) for position in range(1, len(hostile) + 1)]
    assert model.stored_bodies(database) == hostile


def test_promise_2_a_commit_is_durable_even_if_the_session_says_otherwise(database: str) -> None:
    with psycopg.connect(database) as connection:
        connection.execute("set synchronous_commit = off")
        model.append_on(connection, [b"1"])
        row = connection.execute("show synchronous_commit").fetchone()
        assert row is not None
        assert row[0] == "on"


def race(database: str, writers: int, each: int) -> list[list[int]]:
    """Concurrent appenders, and a reader that only ever asks for what follows; gives what each reading saw."""
    done = threading.Event()
    seen: list[list[int]] = []

    def write(number: int) -> None:
        with psycopg.connect(database, autocommit=True) as connection:
            for index in range(each):
                model.append_on(connection, [model.body(f"{number}-{index}-{copy}") for copy in range(3)])

    def read() -> None:
        engine = sync_engine(database)
        last, finished = 0, False
        while not finished:
            finished = done.is_set()
            with engine.connect() as connection:
                positions = [event.position for event in read_after(connection, "movemint", last, 50)]
            seen.append(positions)
            last = positions[-1] if positions else last
            finished = finished and not positions
        engine.dispose()

    with ThreadPoolExecutor(writers + 1) as pool:
        reading = pool.submit(read)
        writing = [pool.submit(write, number) for number in range(writers)]
        wait(writing, timeout=DEADLINE)
        done.set()
        for future in (*writing, reading):
            future.result(timeout=DEADLINE)
    return seen


def test_promise_3_concurrent_appenders_and_a_running_reader_skip_nothing(database: str) -> None:
    seen = race(database, writers=8, each=25)
    assert [position for positions in seen for position in positions] == list(range(1, 8 * 25 * 3 + 1))
    assert len(seen) > 3


def test_promise_3_without_the_lock_appenders_collide(database: str) -> None:
    """The hazard with its guard off: the very same race fails as soon as the function takes no lock."""
    with psycopg.connect(database, autocommit=True) as connection:
        row = connection.execute("select pg_get_functiondef('append_events'::regproc)").fetchone()
        assert row is not None
        unguarded = row[0].replace("perform pg_advisory_xact_lock", "perform hashtext(in_source), pg_sleep(0.001), abs")
        unguarded = unguarded.replace("abs(1919906927, hashtext(in_source))", "abs(1919906927)")
        assert unguarded != row[0]
        connection.execute(unguarded.encode())
    with pytest.raises(errors.UniqueViolation):
        race(database, writers=8, each=25)


def test_promise_3_a_snapshot_from_before_the_lock_is_refused(database: str) -> None:
    with psycopg.connect(database) as connection:
        connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        with pytest.raises(errors.InvalidTransactionState):
            model.append_on(connection, [b"1"])


def test_promise_3_a_hole_is_an_alarm(database: str) -> None:
    model.append(database, bodies(5))
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute("alter table event_log disable trigger all")
        connection.execute("delete from event_log where position = 3")
    engine = sync_engine(database)
    with engine.connect() as connection_:
        assert [event.position for event in read_after(connection_, "movemint", 3, 10)] == [4, 5]
        with pytest.raises(HoleInLog, match="position 3"):
            read_after(connection_, "movemint", 0, 10)
    engine.dispose()


def test_sources_have_positions_of_their_own(database: str) -> None:
    for source in ("autumn", "spring"):
        assert model.append(database, bodies(3), source) == [(1, True), (2, True), (3, True)]
    engine = sync_engine(database)
    with engine.connect() as connection:
        assert heads(connection) == {"autumn": 3, "spring": 3}
    engine.dispose()


def test_a_batch_of_large_bodies_is_read_in_parts(database: str) -> None:
    model.append(database, [bytes([number]) * 3_000_000 for number in range(4)])
    engine = sync_engine(database)
    with engine.connect() as connection:
        assert [event.position for event in read_after(connection, "movemint", 0, 100)] == [1, 2]
        assert [event.position for event in read_after(connection, "movemint", 2, 100)] == [3, 4]
    engine.dispose()


@pytest.mark.parametrize(
    "statement", ["update event_log set subject = 'x'", "delete from event_log", "truncate event_log"]
)
@pytest.mark.parametrize("replica", [False, True])
def test_promise_5_change_raises_for_the_owner_and_the_superuser(
    database: str, statement: str, *, replica: bool
) -> None:
    model.append(database, bodies(2))
    with psycopg.connect(database, autocommit=True) as connection:
        if replica:
            connection.execute("set session_replication_role = replica")
        with pytest.raises(errors.RestrictViolation, match="append-only"):
            connection.execute(statement.encode())
        connection.execute("create role an_owner_of_the_log")
        connection.execute("grant create on schema public to an_owner_of_the_log")
        connection.execute("alter table event_log owner to an_owner_of_the_log")
        connection.execute("set role an_owner_of_the_log")
        with pytest.raises(errors.RestrictViolation, match="append-only"):
            connection.execute(statement.encode())
        connection.execute("reset role")
        connection.execute("drop owned by an_owner_of_the_log cascade")
        connection.execute("drop role an_owner_of_the_log")


def test_promise_5_without_the_trigger_the_log_can_be_changed(database: str) -> None:
    model.append(database, bodies(2))
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute("drop trigger event_log_is_append_only on event_log")
        assert connection.execute("update event_log set subject = 'x'").rowcount == 2


def test_promise_5_the_ingest_role_can_do_nothing_but_append(database: str) -> None:
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute("set role rosterlog_ingest")
        assert model.append_on(connection, [b"1"]) == [(1, True)]
        rows = connection.execute(
            "select relname, relkind from pg_class "
            "where relnamespace = 'public'::regnamespace and relkind in ('r', 'v', 'S')"
        ).fetchall()
        assert ("event_log", "r") in rows
        for name, kind in rows:
            privileges = ("usage", "select") if kind == "S" else ("select", "insert", "update", "delete", "truncate")
            check = "has_sequence_privilege" if kind == "S" else "has_table_privilege"
            for privilege in privileges:
                row = connection.execute(f"select {check}(%s, %s)".encode(), (name, privilege)).fetchone()
                assert row == (False,), f"{privilege} on {name}"
        with pytest.raises(errors.InsufficientPrivilege):
            connection.execute("insert into event_log (source) values ('x')")
        with pytest.raises(errors.InsufficientPrivilege):
            connection.execute("create table own (a int)")


@pytest.mark.parametrize("role", ROLES[1:])
def test_promise_5_no_other_role_can_append(database: str, role: str) -> None:
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute(f"set role {role}".encode())
        with pytest.raises(errors.InsufficientPrivilege):
            model.append_on(connection, [b"1"])
        with pytest.raises(errors.InsufficientPrivilege):
            connection.execute("insert into event_log (source) values ('x')")


def test_the_api_role_reads_no_body(database: str) -> None:
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute("set role rosterlog_api")
        connection.execute("select source, position, received_at, event_type from event_log")
        for column in ("body", "subject", "signature", "digest"):
            with pytest.raises(errors.InsufficientPrivilege):
                connection.execute(f"select {column} from event_log".encode())


def test_promise_5_the_chain_is_sha256_over_the_previous_and_every_other_column(database: str) -> None:
    model.append(database, [model.body(1), b"not JSON", model.body("Zoë"), b'{"type": "x"}'])
    with psycopg.connect(database) as connection:
        stored = connection.execute("select chain from event_log order by position").fetchall()
    assert [row[0] for row in stored] == model.chains(database)


def test_received_at_never_goes_back(database: str) -> None:
    model.append(database, bodies(20))
    with psycopg.connect(database) as connection:
        times = [row[0] for row in connection.execute("select received_at from event_log order by position")]
    assert times == sorted(times)


def test_promise_6_redeliveries_are_counted_also_within_a_batch(database: str) -> None:
    with psycopg.connect(database, autocommit=True) as connection:
        assert model.append_on(connection, [b"a", b"b", b"a"]) == [(1, True), (2, True), (1, False)]
        assert model.append_on(connection, [b"b", b"a"]) == [(2, False), (1, False)]
        counted = connection.execute("select position, redeliveries from event_redelivery order by position").fetchall()
    assert counted == [(1, 2), (2, 1)]
    assert model.stored_bodies(database) == [b"a", b"b"]


def test_a_batch_of_new_known_and_repeated_deliveries_gets_a_receipt_each(database: str) -> None:
    old, new, other = (model.body(number) for number in range(3))
    with psycopg.connect(database, autocommit=True) as connection:
        model.append_on(connection, [old])
        receipts = model.append_on(connection, [new, old, new, other, old, other, new])
        counted = connection.execute("select position, redeliveries from event_redelivery order by 1").fetchall()
        assert model.append_on(connection, []) == []
        chains = [row[0] for row in connection.execute("select chain from event_log order by position")]
    assert receipts == [(2, True), (1, False), (2, False), (3, True), (1, False), (3, False), (2, False)]
    assert counted == [(1, 2), (2, 2), (3, 1)]
    assert model.stored_bodies(database) == [old, new, other]
    assert chains == model.chains(database)


def test_promise_6_the_same_delivery_in_another_source_is_another_event(database: str) -> None:
    assert model.append(database, [b"a"], "autumn") == model.append(database, [b"a"], "spring") == [(1, True)]


@pytest.mark.parametrize(("bodies", "signatures"), [([b"1", None], ["x", "x"]), ([b"1", b"2"], ["x", None])])
def test_a_delivery_without_a_body_or_a_signature_is_refused_with_all_that_came_with_it(
    database: str, bodies: list[bytes | None], signatures: list[str | None]
) -> None:
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute("set role rosterlog_ingest")
        with pytest.raises(errors.NullValueNotAllowed, match="its body and its signature"):
            connection.execute(
                "select append_events('movemint', %s::bytea[], %s::text[], '{a,b}', '{a,b}')", [bodies, signatures]
            )
    assert model.stored_bodies(database) == []


def test_the_worker_reads_bodies_in_the_view_alone(database: str) -> None:
    model.append(database, [b"1"])
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute("set role rosterlog_worker")
        assert connection.execute("select body from readable_log").fetchall() == [(b"1",)]
        for column in ("body", "*", "signature", "chain", "octet_length(body)"):
            with pytest.raises(errors.InsufficientPrivilege):
                connection.execute(f"select {column} from event_log".encode())
        for view in ("participants", "participants_keyed", "participant_history"):  # which show a body's object
            with pytest.raises(errors.InsufficientPrivilege):
                connection.execute(f"select attributes from {view}".encode())
