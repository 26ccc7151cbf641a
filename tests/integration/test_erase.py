"""Erasure (design point 7): the bodies go, the proof stays, the person is in no projection, and does not come back."""

import threading
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from psycopg import errors
from sqlalchemy import Engine, text
from sqlalchemy.exc import DBAPIError

from ingest.database import OPERATOR_ROLE, WORKER_ROLE, sync_engine
from ingest.log import erase as erasing
from ingest.log.register import read_register, write_register
from ingest.migrate import migrate
from projections import checkpoint, worker
from projections.refold import hold, refold
from tests import model
from tests.integration.test_verify import prove, unguarded
from tests.integration.test_worker import drain, query

NAME = "Zoë Unmistakable"
LATE = model.body(7, first_name=NAME, status="deferred")
BODIES = [
    model.body(5, first_name="Ann"),
    model.body(7, first_name=NAME, email="zoe@example.org"),
    b'{"type": "event.participant.created", "data": {"object": {"id": 7, "first_name": "\\ud83d Unmistakable"}}}',
    model.body(7, first_name=NAME, bib="12"),
    b'{"type": "event.participant.moved", "data": {"object": {"id": 7, "first_name": "Unmistakable"}}}',
    model.body(8, first_name="Bo"),
    b'{"type": "event.participant.created", "data": {"object": {"id": 7, "first_name": "Unmistakable\\ud83d"}}}',
]
THEIRS = [2, 3, 4, 5, 7]


@pytest.fixture
def operator(database: str) -> Iterator[Engine]:
    engine = sync_engine(database, OPERATOR_ROLE)
    yield engine
    engine.dispose()


def erase(operator: Engine, subject: str = "7", source: str = "movemint") -> list[int]:
    with operator.begin() as connection:
        return erasing.erase(connection, source, subject, "an operator", "asked for it")


def lift(operator: Engine, subject: str = "7") -> None:
    with operator.begin() as connection:
        connection.execute(text(f"set local role {WORKER_ROLE}"))
        last = hold(connection, "movemint")
        connection.execute(text(f"set local role {OPERATOR_ROLE}"))
        assert erasing.lift(connection, "movemint", subject, "another operator") == 1
        connection.execute(text(f"set local role {WORKER_ROLE}"))
        refold(connection, "movemint", subject, last, 2)


def traces(database: str, word: str) -> set[str]:
    """The tables of the database that hold a word anywhere, bodies included."""
    with psycopg.connect(database) as connection:
        tables = connection.execute(
            "select oid::regclass::text from pg_class where relkind in ('r', 'm', 'p') and relpersistence = 'p' "
            "and relnamespace not in ('pg_catalog'::regnamespace, 'information_schema'::regnamespace)"
        ).fetchall()
        found = set()
        for (table,) in tables:
            row = connection.execute(
                f"select count(*) from {table} t where to_jsonb(t)::text ilike %(word)s "
                "or encode(convert_to(to_jsonb(t)::text, 'UTF8'), 'hex') like %(hex)s".encode(),
                {"word": f"%{word}%", "hex": f"%{word.encode().hex().encode().hex()}%"},
            ).fetchone()
            assert row is not None
            if row[0]:
                found.add(table)
        sampled = connection.execute(
            "select distinct tablename::text from pg_stats "
            "where most_common_vals::text ilike %(word)s or histogram_bounds::text ilike %(word)s "
            "or histogram_bounds::text like %(hex)s or most_common_vals::text like %(hex)s",
            {"word": f"%{word}%", "hex": f"%{word.encode().hex()}%"},
        )
    return found | {f"the statistics of {row[0]}" for row in sampled}


def everything_else(database: str) -> list[tuple[Any, ...]]:
    columns = "source, position, received_at, event_type, subject, digest, signature, chain"
    return query(database, f"select {columns} from event_log order by position")


def test_promise_7_the_person_is_gone_and_everything_else_is_kept(
    database: str, worker_engine: Engine, operator: Engine
) -> None:
    model.append(database, BODIES)
    model.append(database, [BODIES[1]], "other")
    drain(worker_engine)
    drain(worker_engine, "other")
    assert {"event_log", "participants"} <= traces(database, "Unmistakable")
    assert query(database, "select participant_id from quarantine") == [("7",)]
    before = everything_else(database)
    assert erase(operator) == THEIRS
    assert everything_else(database) == before
    assert query(database, "select position from event_log where source = 'movemint' and body is null order by 1") == [
        (position,) for position in THEIRS
    ]
    assert set(model.stored_roster(database)) == {"5", "8"}
    assert set(model.stored_roster(database, "other")) == {"7"}, "another source is another person"
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute("delete from participants where source = 'other'")
        connection.execute("alter table event_log disable trigger all")
        connection.execute("delete from event_log where source = 'other'")
    assert traces(database, "Unmistakable") == set()
    assert query(database, "select * from quarantine") == []
    proof = prove(operator, secrets=[model.SECRET])
    assert (proof.problems, proof.erased) == ([], len(THEIRS))


def test_promise_7_an_erasure_says_who_when_why_and_which_and_nothing_personal(database: str, operator: Engine) -> None:
    model.append(database, BODIES)
    erase(operator)
    [row] = query(database, "select operator, reason, positions, erased_at, to_jsonb(erasures)::text from erasures")
    assert row[:3] == ("an operator", "asked for it", THEIRS)
    assert row[3] is not None
    assert "Unmistakable" not in row[4]
    assert "example.org" not in row[4]


def test_promise_7_a_redelivery_of_an_erased_body_is_a_duplicate(database: str, operator: Engine) -> None:
    model.append(database, BODIES)
    erase(operator)
    assert model.append(database, [BODIES[3]]) == [(4, False)]
    assert traces(database, "Unmistakable") == set()


@pytest.mark.parametrize("role", ["rosterlog_ingest", "rosterlog_worker", "rosterlog_api"])
def test_promise_7_only_the_operator_may_erase(database: str, operator: Engine, role: str) -> None:
    model.append(database, BODIES)
    erase(operator)
    [(erasure_id,)] = query(database, "select erasure_id from erasures")
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute(f"set role {role}".encode())
        for statement in (
            "select apply_erasure('movemint', '{id}')",
            "insert into erasures (source, subject) values ('movemint', '5')",
            "update erasures set lifted_at = now(), lifted_by = 'x'",
            "update event_log set body = null",
            "delete from erasures",
        ):
            with pytest.raises(errors.InsufficientPrivilege):
                connection.execute(statement.format(id=erasure_id).encode())


def test_promise_7_the_operator_can_change_nothing_but_through_the_door(database: str, operator: Engine) -> None:
    model.append(database, BODIES)
    erase(operator)
    for statement in (
        "update event_log set body = null",
        "delete from event_log",
        "insert into event_log (source) values ('x')",
        "delete from erasures",
        "update erasures set reason = 'another'",
        "delete from participants",
    ):
        with operator.connect() as connection, pytest.raises(DBAPIError, match="permission denied"):
            connection.execute(text(statement))


def test_promise_5_a_body_goes_only_where_an_erasure_names_it(database: str, operator: Engine) -> None:
    model.append(database, BODIES)
    erase(operator)
    with psycopg.connect(database, autocommit=True) as connection:
        for statement in (
            "update event_log set body = null where position = 1",
            "update event_log set body = '' where position = 4",
            "update event_log set body = null, subject = null where position = 4",
            "update event_log set body = null",
        ):
            with pytest.raises(errors.RestrictViolation, match="append-only"):
                connection.execute(statement.encode())
            connection.execute("set session_replication_role = replica")
            with pytest.raises(errors.RestrictViolation, match="append-only"):
                connection.execute(statement.encode())
            connection.execute("reset session_replication_role")


def test_promise_5_without_the_trigger_any_body_can_go(database: str) -> None:
    """The hazard with its guard off."""
    model.append(database, BODIES)
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute("drop trigger event_log_body_is_only_erased on event_log")
        assert connection.execute("update event_log set body = null where position = 1").rowcount == 1


def test_promise_7_what_arrives_later_is_kept_withheld_and_reported(
    database: str, worker_engine: Engine, operator: Engine
) -> None:
    model.append(database, BODIES)
    drain(worker_engine)
    erase(operator)
    assert model.append(database, [LATE, model.body(9)]) == [(8, True), (9, True)]
    drain(worker_engine)
    assert set(model.stored_roster(database)) == {"5", "8", "9"}
    assert traces(database, "deferred") == {"event_log"}
    with operator.connect() as connection:
        [(erasure, arrived)] = erasing.listed(connection)
    assert (erasure.subject, arrived) == ("7", [8])
    assert prove(operator).problems == []


def test_promise_7_lifting_shows_what_arrived_since_and_brings_nothing_back(
    database: str, worker_engine: Engine, operator: Engine
) -> None:
    model.append(database, BODIES)
    drain(worker_engine)
    erase(operator)
    model.append(database, [LATE, model.body(7, first_name="Zoë", note="second"), model.body(9)])
    drain(worker_engine)
    lift(operator)
    lifted = model.stored_roster(database)
    assert lifted["7"] == (8, 9, "Zoë")
    model.append(database, [model.body(7, first_name="Zoë", note="third")])
    drain(worker_engine)
    assert model.stored_roster(database)["7"] == (8, 11, "Zoë")
    [(lifted_by,)] = query(database, "select lifted_by from erasures where lifted_at is not null")
    assert lifted_by == "another operator"
    assert erase(operator) == [8, 9, 11], "and may be erased again"
    assert set(model.stored_roster(database)) == {"5", "8", "9"}


@pytest.mark.parametrize("is_lifted", [False, True])
def test_promise_7_folding_all_again_does_not_bring_the_person_back(
    database: str, worker_engine: Engine, operator: Engine, *, is_lifted: bool
) -> None:
    model.append(database, BODIES)
    drain(worker_engine)
    erase(operator)
    model.append(database, [LATE])
    drain(worker_engine)
    if is_lifted:
        lift(operator)
    before = query(database, "select * from participants order by participant_id")
    with psycopg.connect(database) as connection:
        connection.execute("truncate participants, checkpoint, quarantine, passed_event_type")
    drain(worker_engine)
    assert query(database, "select * from participants order by participant_id") == before
    assert ("7" in model.stored_roster(database)) == is_lifted
    assert traces(database, "Unmistakable") == ({"event_log", "participants"} if is_lifted else {"event_log"})


def test_promise_7_a_worker_in_the_middle_of_a_batch_does_not_bring_the_person_back(
    database: str, operator: Engine
) -> None:
    """It has read the body and written the row, not yet committed, in the source's first batch: the erasure waits."""
    model.append(database, BODIES)
    with psycopg.connect(database, autocommit=True) as gate:
        gate.execute(
            "create function wait_at_gate() returns trigger language plpgsql as "
            "$$ begin perform pg_advisory_xact_lock_shared(4711); return new; end $$"
        )
        gate.execute("create trigger gate before update on checkpoint for each row execute function wait_at_gate()")
        gate.execute("select pg_advisory_lock(4711)")
        engine = sync_engine(database, WORKER_ROLE)
        folding = threading.Thread(target=worker.run_once, args=(engine, "movemint", 100))
        folding.start()
        waits(gate, "advisory")
        erasing_ = threading.Thread(target=erase, args=(operator,))
        erasing_.start()
        waits(gate, "relation")
        gate.execute("select pg_advisory_unlock(4711)")
        folding.join(timeout=20)
        erasing_.join(timeout=20)
        engine.dispose()
    assert query(database, "select positions from erasures") == [(THEIRS,)]
    assert query(database, "select position from checkpoint") == [(7,)]
    assert set(model.stored_roster(database)) == {"5", "8"}
    assert traces(database, "Unmistakable") == set()


def waits(connection: psycopg.Connection[Any], kind: str) -> None:
    """Return once another session of this database waits for a lock of this kind."""
    for _ in range(500):
        row = connection.execute(
            "select exists (select from pg_stat_activity where datname = current_database() "
            "and wait_event_type = 'Lock' and wait_event = %s)",
            [kind],
        ).fetchone()
        if row == (True,):
            return
        threading.Event().wait(0.02)
    raise AssertionError(f"nobody waits for a lock of the kind {kind}")


def test_promise_7_an_erasure_that_dies_in_the_middle_changed_nothing(
    database: str, worker_engine: Engine, operator: Engine
) -> None:
    model.append(database, BODIES)
    drain(worker_engine)
    before = query(database, "select * from event_log order by position"), model.stored_roster(database)
    with psycopg.connect(database) as connection:
        connection.execute(
            "create function die() returns trigger language plpgsql security definer as $$ "
            "begin perform pg_terminate_backend(pg_backend_pid()); return old; end $$"
        )
        connection.execute("create trigger die before delete on participants for each row execute function die()")
    with pytest.raises(DBAPIError, match="terminat"):
        erase(operator)
    assert (query(database, "select * from event_log order by position"), model.stored_roster(database)) == before
    assert query(database, "select * from erasures") == []


def test_promise_7_whatever_table_is_kept_by_participant_loses_them(database: str, operator: Engine) -> None:
    model.append(database, BODIES)
    with psycopg.connect(database) as connection:
        connection.execute("create table a_later_projection (source text, participant_id text, note text)")
        connection.execute("insert into a_later_projection values ('movemint', '7', 'x'), ('movemint', '5', 'x')")
    erase(operator)
    assert query(database, "select participant_id from a_later_projection") == [("5",)]


def test_nobody_erases_whom_the_log_does_not_know(database: str, operator: Engine) -> None:
    model.append(database, BODIES)
    with operator.begin() as connection:
        assert erasing.bodies_of(connection, "movemint", "nobody") is None
        assert erasing.erase(connection, "movemint", "nobody", "x", "y") == []
    erase(operator)
    with operator.begin() as connection:
        assert erasing.bodies_of(connection, "movemint", "7") == []
        assert erasing.erase(connection, "movemint", "7", "x", "y") == []
    assert query(database, "select count(*) from erasures") == [(1,)]


@pytest.mark.parametrize("is_lifted", [False, True])
def test_promise_7_erasures_are_carried_out_again_on_a_database_from_before_them(
    database: str, empty_database: str, operator: Engine, *, is_lifted: bool
) -> None:
    """As in an older backup: the bodies are there, the erasures are not, and positions went another way since."""
    model.append(database, BODIES)
    erase(operator)
    model.append(database, [LATE])
    if is_lifted:
        lift(operator)
    with operator.connect() as connection:
        exported = write_register([one for one, _ in erasing.listed(connection)])

    owner = sync_engine(empty_database)
    migrate(owner)
    owner.dispose()
    restored, folding = sync_engine(empty_database, OPERATOR_ROLE), sync_engine(empty_database, WORKER_ROLE)
    model.append(empty_database, [*BODIES[:3], model.body(10), BODIES[4], LATE])
    drain(folding)
    with restored.begin() as connection:
        assert erasing.take_over(connection, read_register(exported)) == 1
        assert erasing.take_over(connection, read_register(exported)) == 0
    assert [problem.position for problem in prove(restored).problems] == [2, 3, 5]
    with restored.begin() as connection:
        [(erasure, _)] = erasing.listed(connection)
        assert erasing.carry_out(connection, "movemint", erasure.erasure_id) == [2, 3, 5]
        connection.execute(text(f"set local role {WORKER_ROLE}"))
        refold(connection, "movemint", "7", hold(connection, "movemint"), 10)
    assert prove(restored).problems == []
    assert query(empty_database, "select positions from erasures") == [([2, 3, 5],)]
    assert set(model.stored_roster(empty_database)) == ({"5", "7", "10"} if is_lifted else {"5", "10"})
    assert traces(empty_database, "Unmistakable") == ({"event_log", "participants"} if is_lifted else {"event_log"})
    with restored.begin() as connection:
        assert erasing.carry_out(connection, "movemint", erasure.erasure_id) == []
    restored.dispose()
    folding.dispose()


def test_an_erasure_lifted_elsewhere_is_lifted_by_its_export(database: str, operator: Engine) -> None:
    model.append(database, BODIES)
    erase(operator)
    with operator.connect() as connection:
        before = write_register([one for one, _ in erasing.listed(connection)])
    lift(operator)
    with operator.connect() as connection:
        after = write_register([one for one, _ in erasing.listed(connection)])
    with unguarded(database) as connection_:
        connection_.execute("update erasures set lifted_at = null, lifted_by = null")
    with operator.begin() as connection:
        erasing.take_over(connection, read_register(after))
    [(lifted_at,)] = query(database, "select lifted_at from erasures")
    assert lifted_at is not None
    with operator.begin() as connection:
        erasing.take_over(connection, read_register(before))
    assert query(database, "select lifted_at from erasures") == [(lifted_at,)]


def test_the_old_row_versions_are_gone_from_the_tables_too(
    database: str, worker_engine: Engine, operator: Engine
) -> None:
    model.append(database, BODIES)
    drain(worker_engine)
    erase(operator)
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute("create extension pageinspect")

    def versions(table: str) -> int:
        [(count,)] = query(
            database, f"select count(*) from heap_page_items(get_raw_page('{table}', 0)) where t_data is not null"
        )
        return int(count)

    assert (versions("event_log"), versions("participants")) == (len(BODIES) + len(THEIRS), 3)
    with operator.connect().execution_options(isolation_level="AUTOCOMMIT") as connection_:
        connection_.execute(text("reset role"))
        erasing.sweep(connection_)
    assert (versions("event_log"), versions("participants")) == (len(BODIES), 2)


def test_the_planners_statistics_keep_no_sample_of_the_person(
    database: str, worker_engine: Engine, operator: Engine
) -> None:
    model.append(database, [model.body(number, first_name=f"Unmistakable {number:03}") for number in range(150)])
    drain(worker_engine)
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute("alter table event_log alter column body set statistics -1")
        connection.execute("analyze event_log, participants")
        assert len(traces(database, "Unmistakable")) == 4, "the hazard with its guard off"
        connection.execute("delete from pg_statistic where starelid = 'event_log'::regclass")
        connection.execute("alter table event_log alter column body set statistics 0")
    for subject in ("0", "77", "149"):
        erase(operator, subject)
    with operator.connect().execution_options(isolation_level="AUTOCOMMIT") as connection_:
        connection_.execute(text("reset role"))
        erasing.sweep(connection_)
    for subject in ("000", "077", "149"):
        assert traces(database, f"Unmistakable {subject}") == set()


def test_the_column_of_the_bodies_has_no_statistics(database: str) -> None:
    assert query(
        database, "select attstattarget from pg_attribute where attrelid = 'event_log'::regclass and attname = 'body'"
    ) == [(0,)]


def test_promise_7_an_erasure_of_one_person_empties_nobody_elses_bodies(database: str, operator: Engine) -> None:
    model.append(database, BODIES)
    with operator.begin() as connection:
        connection.execute(
            text(
                "insert into erasures (source, subject, operator, reason, positions, digests) "
                "select 'movemint', 'nobody', 'x', 'y', '{6}', array[digest] from event_log where position = 6"
            )
        )
        [(erasure, _)] = erasing.listed(connection)
        assert erasing.carry_out(connection, "movemint", erasure.erasure_id) == []
    with psycopg.connect(database) as owner, pytest.raises(errors.RestrictViolation):
        owner.execute("update event_log set body = null where position = 6")
    with unguarded(database) as owner:
        owner.execute("update event_log set body = null where position = 6")
    assert [problem.position for problem in prove(operator).problems] == [6]


def test_promise_7_after_a_lifting_one_can_erase_again_before_anything_arrives(
    database: str, worker_engine: Engine, operator: Engine
) -> None:
    model.append(database, BODIES)
    drain(worker_engine)
    erase(operator)
    lift(operator)
    assert erase(operator) == []
    assert query(database, "select count(*) from erasures where lifted_at is null") == [(1,)]
    model.append(database, [LATE])
    drain(worker_engine)
    assert "7" not in model.stored_roster(database)


def test_promise_7_an_erased_body_delivered_again_to_an_older_backup_is_withheld_even_if_lifted(
    database: str, empty_database: str, operator: Engine
) -> None:
    model.append(database, BODIES)
    erase(operator)
    lift(operator)
    with operator.connect() as connection:
        exported = write_register([one for one, _ in erasing.listed(connection)])
    owner = sync_engine(empty_database)
    migrate(owner)
    owner.dispose()
    restored, folding = sync_engine(empty_database, OPERATOR_ROLE), sync_engine(empty_database, WORKER_ROLE)
    with restored.begin() as connection:
        erasing.take_over(connection, read_register(exported))
    model.append(empty_database, [BODIES[1], model.body(10), LATE])
    drain(folding)
    assert model.stored_roster(empty_database)["7"] == (3, 3, NAME)
    assert [problem.position for problem in prove(restored).problems] == [1]
    restored.dispose()
    folding.dispose()


def test_promise_7_an_erasure_covers_one_source(database: str, worker_engine: Engine, operator: Engine) -> None:
    model.append(database, BODIES)
    erase(operator)
    model.append(database, [BODIES[1], LATE], "other")
    drain(worker_engine, "other")
    assert set(model.stored_roster(database, "other")) == {"7"}


def test_promise_7_only_rosterlogs_own_tables_are_touched(database: str, operator: Engine) -> None:
    """Somebody else's trigger would run with the owner's rights, and somebody else's table is not ours to empty."""
    model.append(database, BODIES)
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute("create table by_number (source text, participant_id bigint)")
        connection.execute("insert into by_number values ('movemint', 7)")
        connection.execute("create table parts (source text, participant_id text) partition by list (source)")
        connection.execute("create table part partition of parts for values in ('movemint')")
        connection.execute("insert into parts values ('movemint', '7'), ('movemint', '5')")
        connection.execute("create role a_stranger")
        connection.execute("create table strange (source text, participant_id text)")
        connection.execute("insert into strange values ('movemint', '7')")
        connection.execute("alter table strange owner to a_stranger")
        assert erase(operator) == THEIRS
        assert query(database, "select participant_id from strange") == [("7",)]
        assert query(database, "select participant_id from by_number") == [(7,)]
        assert query(database, "select participant_id from parts") == [("5",)]
        connection.execute("drop owned by a_stranger")
        connection.execute("drop role a_stranger")


def test_lifting_waits_for_a_worker_in_a_sources_first_batch(database: str, operator: Engine) -> None:
    """It has read the events as withheld and passes them; only then can they be folded again."""
    model.append(database, BODIES)
    erase(operator)
    model.append(database, [LATE])
    with psycopg.connect(database, autocommit=True) as gate:
        gate.execute(
            "create function wait_at_gate() returns trigger language plpgsql as "
            "$$ begin perform pg_advisory_xact_lock_shared(4711); return new; end $$"
        )
        gate.execute("create trigger gate before update on checkpoint for each row execute function wait_at_gate()")
        gate.execute("select pg_advisory_lock(4711)")
        engine = sync_engine(database, WORKER_ROLE)
        folding = threading.Thread(target=worker.run_once, args=(engine, "movemint", 100))
        folding.start()
        waits(gate, "advisory")
        lifting = threading.Thread(target=lift, args=(operator,))
        lifting.start()
        waits(gate, "transactionid")
        gate.execute("select pg_advisory_unlock(4711)")
        folding.join(timeout=20)
        lifting.join(timeout=20)
        engine.dispose()
    assert model.stored_roster(database)["7"] == (8, 8, NAME)


def test_lifting_waits_for_a_worker_in_a_later_batch(database: str, worker_engine: Engine, operator: Engine) -> None:
    model.append(database, BODIES)
    drain(worker_engine)
    erase(operator)
    model.append(database, [LATE])
    with worker_engine.begin() as connection:
        assert checkpoint.take(connection, "participants", "movemint") == 7
        lifting = threading.Thread(target=lift, args=(operator,))
        lifting.start()
        with psycopg.connect(database, autocommit=True) as watch:
            waits(watch, "transactionid")
        checkpoint.move(connection, "participants", "movemint", 8)
    lifting.join(timeout=20)
    assert model.stored_roster(database)["7"] == (8, 8, NAME)


def test_who_asked_stays_as_it_was_written_down(database: str, operator: Engine) -> None:
    model.append(database, BODIES)
    erase(operator)
    [(login,)] = query(database, "select recorded_by from erasures where recorded_at = erased_at")
    assert login == psycopg.conninfo.conninfo_to_dict(database)["user"]
    with psycopg.connect(database, autocommit=True) as owner:
        for change in (
            "update erasures set reason = 'x'", "update erasures set digests = '{}'", "delete from erasures",
            "truncate erasures", "update erasures set recorded_by = 'x'",
        ):  # fmt: skip
            with pytest.raises(errors.RestrictViolation):
                owner.execute(change.encode())


@pytest.mark.parametrize(
    "column", ["source", "position", "received_at", "event_type", "subject", "digest", "signature", "chain", "body"]
)
def test_promise_5_no_column_can_be_changed(database: str, column: str) -> None:
    model.append(database, BODIES)
    with psycopg.connect(database) as connection, pytest.raises(errors.RestrictViolation, match="append-only"):
        connection.execute(f"update event_log set {column} = {column}".encode())


def test_the_function_that_erases_runs_on_its_own_search_path_and_waits_for_some_seconds(database: str) -> None:
    [(settings,)] = query(database, "select proconfig from pg_proc where proname = 'apply_erasure'")
    assert sorted(settings) == ["lock_timeout=15s", "search_path=pg_catalog, public, pg_temp"]


def test_the_log_is_vacuumed_for_every_dead_row_and_every_hundred_thousand_new_ones(database: str) -> None:
    """A log of 100 million events would wait for 20 million more otherwise."""
    [(options, toasted)] = query(
        database,
        "select c.reloptions, t.reloptions from pg_class c join pg_class t on t.oid = c.reltoastrelid "
        "where c.relname = 'event_log'",
    )
    for found in (options, toasted):
        assert set(found) == {
            "autovacuum_vacuum_scale_factor=0", "autovacuum_vacuum_threshold=0", "autovacuum_freeze_min_age=0",
            "autovacuum_vacuum_insert_scale_factor=0", "autovacuum_vacuum_insert_threshold=100000",
        }  # fmt: skip
