"""Events of rosterlog's own (design point 15): in the same log as deliveries, by the operator alone, each guard off."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest
from psycopg import errors
from sqlalchemy import Engine

from ingest.log import erase as erasing
from ingest.log.observe import Fate, append_observed, write_down
from tests import DEADLINE, model
from tests.erased_person import erase, waits
from tests.fold_all import query
from tests.integration.log.test_verify import problems_of, prove
from tests.observing import FIRST, SECOND, fates, header, listed, observe, unlisted, write_header

PEOPLE = [model.body(1, bib=1), model.body(2, bib=2)]
APPEND = "select * from append_observations('movemint', %s::bytea[], %s::text[], %s::text[], %s::bigint[])"
OBSERVED, UNLISTED, MADE = "rosterlog.participant.observed", "rosterlog.participant.unlisted", "rosterlog.observation"


def without(database: str, *guards: tuple[str, str]) -> None:
    """Take guards out of the function: texts of it, each with another in its place."""
    with psycopg.connect(database, autocommit=True) as connection:
        row = connection.execute("select pg_get_functiondef('append_observations'::regproc)").fetchone()
        assert row is not None
        definition = row[0]
        for guard, instead in guards:
            assert guard in definition
            definition = definition.replace(guard, instead)
        connection.execute(definition.encode())


def test_promise_15_events_of_our_own_stand_in_the_log_of_the_deliveries(database: str, operator: Engine) -> None:
    model.append(database, PEOPLE)
    assert observe(operator, listed(1, 2, bib=7), unlisted(2, 2)) == [(3, Fate.APPENDED), (4, Fate.APPENDED)]
    assert write_header(operator) == (5, Fate.APPENDED)
    assert model.append(database, [model.body(1, bib=8)]) == [(6, True)]
    assert query(database, "select event_type, subject, signature is null from event_log order by position") == [
        ("event.participant.created", "1", False), ("event.participant.created", "2", False),
        (OBSERVED, "1", True), (UNLISTED, "2", True), (MADE, None, True),
        ("event.participant.created", "1", False),
    ]  # fmt: skip
    chain = query(database, "select chain, received_at from event_log order by position")
    assert [row[0] for row in chain] == model.chains(database)
    assert [row[1] for row in chain] == sorted(row[1] for row in chain)
    for secrets in (None, [model.SECRET]):
        proof = prove(operator, secrets=secrets)
        assert (problems_of(proof), proof.events) == ([], 6)


@pytest.mark.parametrize("role", ["ingest", "worker", "api", "reporting", "reporting_pii"])
def test_promise_15_the_operator_alone_may_append_them(database: str, role: str) -> None:
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute(f"set role rosterlog_{role}".encode())
        with pytest.raises(errors.InsufficientPrivilege):
            connection.execute(APPEND, [[b"{}"], [OBSERVED], ["1"], [0]])
    assert model.stored_bodies(database) == []


@pytest.mark.parametrize(
    ("types", "subjects", "bases"),
    [
        (["event.participant.created"], ["1"], [0]), (["rosterlog.moved"], ["1"], [0]), ([None], ["1"], [0]),
        ([OBSERVED], [None], [0]), ([OBSERVED], [""], [0]), ([UNLISTED], ["1"], [None]), ([OBSERVED], ["1"], [-1]),
        ([MADE], ["1"], [None]), ([MADE], [None], [0]), ([MADE, OBSERVED], [None, "1"], [None, 0]),
        ([OBSERVED, UNLISTED], ["1", "1"], [0, 0]),
    ],
)  # fmt: skip
def test_promise_15_nothing_else_is_appended_as_ours(
    database: str, types: list[str | None], subjects: list[str | None], bases: list[int | None]
) -> None:
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute("set role rosterlog_operator")
        with pytest.raises(errors.InvalidParameterValue):
            connection.execute(APPEND, [[b"%d" % number for number in range(len(types))], types, subjects, bases])
        with pytest.raises(errors.InvalidParameterValue):
            connection.execute(APPEND, [[None], [OBSERVED], ["1"], [0]])
    assert model.stored_bodies(database) == []


def test_promise_15_what_has_a_newer_event_is_overtaken(database: str, operator: Engine) -> None:
    model.append(database, [*PEOPLE, model.body(1, bib=3)])
    assert observe(operator, listed(1, 2, bib=7), listed(2, 2, bib=8), listed(3, 9)) == [
        (None, Fate.OVERTAKEN), (4, Fate.APPENDED), (None, Fate.OVERTAKEN),
    ]  # fmt: skip
    assert fates(observe(operator, listed(1, 3, bib=7), listed(2, 3, bib=9), look=SECOND)) == ["appended", "overtaken"]
    without(database, ("e.position > o.base", "false"))
    assert fates(observe(operator, listed(2, 3, bib=9), look=SECOND)) == ["appended"], "the guard alone refuses it"


def in_time(operator: Engine, database: str, wait: str) -> Callable[[], list[str]]:
    """Append while another transaction is open, and wait until that is what it waits for; gives what became of it."""
    pool = ThreadPoolExecutor(1)
    future = pool.submit(observe, operator, listed(1, 2, bib=7))
    with psycopg.connect(database, autocommit=True) as looking:
        waits(looking, wait)
    return lambda: fates(future.result(DEADLINE))


def test_promise_15_a_delivery_that_is_being_appended_comes_first(database: str, operator: Engine) -> None:
    model.append(database, PEOPLE)
    with psycopg.connect(database) as delivering:
        model.append_on(delivering, [model.body(1, bib=3)])
        became = in_time(operator, database, "advisory")
        delivering.commit()
    assert became() == ["overtaken"]


def test_promise_15_without_the_lock_deliveries_and_observations_collide(database: str, operator: Engine) -> None:
    without(database, ("perform pg_advisory_xact_lock(1919906927, hashtext(in_source));", ""))
    model.append(database, PEOPLE)
    with psycopg.connect(database) as delivering:
        model.append_on(delivering, [model.body(3)])
        became = in_time(operator, database, "transactionid")
        delivering.commit()
    with pytest.raises(Exception, match="event_log_pkey"):
        became()


def test_promise_15_a_snapshot_from_before_the_lock_is_refused(database: str, operator: Engine) -> None:
    repeatable = operator.execution_options(isolation_level="REPEATABLE READ")
    with repeatable.connect() as connection, pytest.raises(Exception, match="read committed"):
        append_observed(connection, "movemint", FIRST, [listed(1, 0)])
    assert model.stored_bodies(database) == []


def test_promises_7_and_15_nobody_erased_is_appended(database: str, operator: Engine) -> None:
    model.append(database, PEOPLE)
    erase(operator, "1")
    assert observe(operator, listed(1, 2, bib=7), listed(2, 2, bib=7)) == [(None, Fate.WITHHELD), (3, Fate.APPENDED)]
    with operator.begin() as connection:
        assert erasing.mark_lifted(connection, "movemint", "1", "ops") == 1
    assert fates(observe(operator, listed(1, 3, bib=7))) == ["appended"]


def test_promises_7_and_15_an_erasure_under_way_comes_first(database: str, operator: Engine) -> None:
    """Else its participant's object would stay in the log, and be shown once the erasure is lifted."""
    model.append(database, PEOPLE)
    with operator.connect() as connection:
        erasing.erase(connection, "movemint", "1", "ops", "asked for it")
        became = in_time(operator, database, "relation")
        model.append(database, [model.body(3)])  # a delivery waits for neither
        connection.commit()
    assert became() == ["withheld"]


def test_promises_7_and_15_an_erasure_empties_what_is_being_appended(database: str, operator: Engine) -> None:
    model.append(database, PEOPLE)
    with operator.connect() as connection, psycopg.connect(database, autocommit=True) as looking:
        append_observed(connection, "movemint", FIRST, [listed(1, 2, bib=7)])
        with ThreadPoolExecutor(1) as pool:
            erased = pool.submit(erase, operator, "1")
            waits(looking, "relation")
            connection.commit()
            assert erased.result(DEADLINE) == [1, 3]
    assert query(database, "select position from event_log where body is null order by 1") == [(1,), (3,)]
    assert problems_of(prove(operator)) == []


def test_the_same_call_again_appends_nothing(database: str, operator: Engine) -> None:
    """As if its answer had been lost."""
    model.append(database, PEOPLE)
    observed = (listed(1, 2, bib=7), unlisted(2, 2))
    receipt = write_header(operator, *observed)
    assert observe(operator, *observed) == [(3, Fate.KNOWN), (4, Fate.KNOWN)]
    assert query(database, "select count(*) from event_redelivery") == [(0,)]
    assert query(database, "select max(position) from event_log") == [(receipt.position,)]


def test_a_value_that_goes_from_a_to_b_and_back_is_appended_each_time(database: str, operator: Engine) -> None:
    model.append(database, PEOPLE)
    for position, (bib, look) in enumerate(((7, FIRST), (8, FIRST), (7, FIRST), (8, SECOND)), 3):
        assert observe(operator, listed(1, position - 1, bib=bib), look=look) == [(position, Fate.APPENDED)]


def test_an_observation_is_written_down_in_batches_and_its_header_last(database: str, operator: Engine) -> None:
    model.append(database, [model.body(1200)])
    counted, receipt = write_down(
        operator, "movemint", FIRST, (listed(number, 0) for number in range(1, 1202)), lambda counts: header(counts)
    )
    assert counted == {Fate.APPENDED: 1200, Fate.OVERTAKEN: 1}
    assert receipt == (1202, Fate.APPENDED)
    sizes = query(
        database, "select count(*) from event_log where signature is null group by xmin::text order by min(position)"
    )
    assert sizes == [(500,), (500,), (201,)], "the header is committed with the last participants"
    [(told,)] = query(
        database, "select convert_from(body, 'UTF8')::jsonb -> 'data' from event_log where subject is null"
    )
    assert told["overtaken"] == 1


def test_an_observation_that_is_stopped_leaves_whole_events_and_no_header(database: str, operator: Engine) -> None:
    stopped = threading.Event()

    def people() -> object:
        for number in range(1100):
            yield listed(number, 0)
        stopped.set()
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_down(operator, "movemint", FIRST, people(), header)  # type: ignore[arg-type] # it never ends well
    assert stopped.is_set()
    assert query(database, "select count(*) from event_log") == [(500,)]
    assert problems_of(prove(operator)) == []
