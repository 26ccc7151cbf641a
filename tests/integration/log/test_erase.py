"""Erasure (design point 7): the bodies go, the proof stays, and the person is in no projection."""

import threading
from typing import Any

import psycopg
import pytest
from sqlalchemy import Engine
from sqlalchemy.exc import DBAPIError

from ingest.database import WORKER_ROLE, sync_engine
from ingest.log import erase as erasing
from ingest.log import listing
from projections.folding import tries
from projections.participants.fold import REGISTERED
from tests import DEADLINE, model
from tests.erased_person import BODIES, THEIRS, erase, gate, traces, waits
from tests.fold_all import PARTICIPANTS, drain, query
from tests.integration.log.test_verify import prove


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
        connection.execute("delete from participants_build where source = 'other'")
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


@pytest.mark.parametrize("folded_before", [[], ["other"], ["other", "movemint"]])
def test_promise_7_a_worker_in_the_middle_of_a_batch_does_not_bring_the_person_back(
    database: str, operator: Engine, worker_engine: Engine, folded_before: list[str]
) -> None:
    """It has read the body and written the row, not yet committed: the erasure waits.

    In the batch that makes the first build, in the source's first batch, and in a later one.
    """
    for source in folded_before:
        model.append(database, [model.body(4)], source)
        drain(worker_engine, source)
    model.append(database, BODIES)
    before = folded_before.count("movemint")  # events of the source
    with gate(database, "checkpoint", "update") as held:
        engine = sync_engine(database, WORKER_ROLE)
        folding = threading.Thread(target=tries.run_once, args=(engine, PARTICIPANTS, "movemint", 100))
        folding.start()
        waits(held, "advisory")
        erasing_ = threading.Thread(target=erase, args=(operator,))
        erasing_.start()
        waits(held, "transactionid")
        held.execute("select pg_advisory_unlock(4711)")
        folding.join(timeout=DEADLINE)
        erasing_.join(timeout=DEADLINE)
        engine.dispose()
    assert query(database, "select positions from erasures") == [([before + each for each in THEIRS],)]
    assert query(
        database, "select position from checkpoint where source = 'movemint' and projection = 'participants'"
    ) == [(7 + before,)]
    assert set(model.stored_roster(database)) - {"4"} == {"5", "8"}
    assert traces(database, "Unmistakable") == set()


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
        connection.execute("create trigger die before delete on participants_build for each row execute function die()")
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


def test_the_old_row_versions_are_gone_from_the_tables_too(
    database: str, engine: Engine, worker_engine: Engine, operator: Engine
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

    assert (versions("event_log"), versions("participants_build_1")) == (len(BODIES) + len(THEIRS), 3)
    erasing.sweep(engine)
    assert (versions("event_log"), versions("participants_build_1")) == (len(BODIES), 2)


def test_the_planners_statistics_keep_no_sample_of_the_person(
    database: str, engine: Engine, worker_engine: Engine, operator: Engine
) -> None:
    model.append(database, [model.body(number, first_name=f"Unmistakable {number:03}") for number in range(150)])
    drain(worker_engine)
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute("alter table event_log alter column body set statistics -1")
        connection.execute("analyze event_log, participants_build")
        assert len(traces(database, "Unmistakable")) == 5, "the hazard with its guard off"
        connection.execute("delete from pg_statistic where starelid = 'event_log'::regclass")
        connection.execute("alter table event_log alter column body set statistics 0")
    for subject in ("0", "77", "149"):
        erase(operator, subject)
    erasing.sweep(engine)
    for subject in ("000", "077", "149"):
        assert traces(database, f"Unmistakable {subject}") == set()


def test_the_column_of_the_bodies_has_no_statistics(database: str) -> None:
    assert query(
        database, "select attstattarget from pg_attribute where attrelid = 'event_log'::regclass and attname = 'body'"
    ) == [(0,)]


def test_the_log_is_vacuumed_for_every_dead_row_and_every_hundred_thousand_new_ones(database: str) -> None:
    """A log of 100 million events would wait for 20 million more otherwise."""
    [(options, toasted)] = query(
        database,
        "select c.reloptions, t.reloptions from pg_class c join pg_class t on t.oid = c.reltoastrelid "
        "where c.relname = 'event_log'",
    )
    for tables in (options, toasted):
        assert set(tables) == {
            "autovacuum_vacuum_scale_factor=0", "autovacuum_vacuum_threshold=0", "autovacuum_freeze_min_age=0",
            "autovacuum_vacuum_insert_scale_factor=0", "autovacuum_vacuum_insert_threshold=100000",
        }  # fmt: skip


def test_promise_7_an_event_from_before_its_id_was_read_is_erased_with_its_participant(
    database: str, operator: Engine
) -> None:
    with psycopg.connect(database, autocommit=True) as connection:
        bodies = [model.body(7.0, first_name="Unmistakable"), model.body(8.0), b"{}"]
        model.append_as(connection, bodies, [REGISTERED, REGISTERED, None], [None] * 3)
        model.append_on(connection, [model.body(7.0, first_name="Unmistakable", bib="1")])
    with operator.connect() as connection:
        assert erasing.bodies_of(connection, "movemint", "7") == [1, 4]
    assert erase(operator) == [1, 4]
    assert traces(database, "Unmistakable") == set()
    assert query(database, "select position from event_log where body is not null order by 1") == [(2,), (3,)]
    assert (prove(operator).problems, prove(operator).erased) == ([], 2)
    with operator.connect() as connection:
        [listed] = erasing.all_erasures(connection)
        assert (list(listed.erasure.positions), list(listed.undone)) == ([1, 4], [])
        [(event, body)] = listing.at(connection, "movemint", 1)
        assert (body, listing.erased_at(connection, event)) == (None, listed.erasure.erased_at)
    assert erase(operator, "8") == [2], "nothing else of this participant is in the log"
