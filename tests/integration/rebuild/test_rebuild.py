"""Rebuild (design point 13): readers and the swap, users' objects, versions, rollback."""

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psycopg
import pytest
from sqlalchemy import Engine

from ingest.database import WORKER_ROLE, sync_engine
from ingest.log.scan import Share
from projections.folding import tries
from projections.folding.looks import Looks
from projections.folding.status import read_projections
from projections.rebuild import steps
from projections.rebuild import swap as swapping
from projections.rebuild.catch_up import catch_up
from projections.rebuild.drop import drop
from projections.rebuild.load import load_shares
from projections.rebuild.swap import swap
from tests import DEADLINE, model
from tests.erased_person import gate, waits
from tests.fold_all import PARTICIPANTS, build_anew, contents, drain, live, query
from tests.other_definition import OTHER, begin, bibs, live_before


def test_promise_13_every_answer_of_fifty_readers_is_wholly_the_old_or_wholly_the_new_roster(
    folded: str, worker_engine: Engine
) -> None:
    stop = threading.Event()
    begun = threading.Barrier(51)

    def read() -> list[list[tuple[str, int]]]:
        answers = []
        with psycopg.connect(folded, autocommit=True) as connection:
            begun.wait(timeout=DEADLINE)
            while not stop.is_set():
                rows = connection.execute("select bib, count(*) from participants group by bib").fetchall()
                answers.append([(row[0], row[1]) for row in rows])
        return answers

    with ThreadPoolExecutor(50) as pool:
        readers = [pool.submit(read) for _ in range(50)]
        try:
            begun.wait(timeout=DEADLINE)
            for projection in (OTHER, PARTICIPANTS, OTHER):
                swap(worker_engine, projection, build_anew(worker_engine, projection), 100)
        finally:
            stop.set()
        answers = [answer for reader in readers for answer in reader.result(timeout=DEADLINE)]
    assert {str(answer) for answer in answers} == {"[('old', 300)]", "[('new', 300)]"}


@pytest.mark.slow
def test_promise_13_a_reader_that_stays_open_does_not_hold_the_swap_back(folded: str, worker_engine: Engine) -> None:
    anew = build_anew(worker_engine, OTHER)
    with psycopg.connect(folded) as reader:
        assert reader.execute("select bib from participants limit 1").fetchone() == ("old",)
        swap(worker_engine, OTHER, anew, 100)
        assert bibs(folded) == [("new", 300)]
        assert not drop(worker_engine, live_before(worker_engine)), "the reader may still want it"
    assert drop(worker_engine, live_before(worker_engine))


def test_promise_13_the_swap_does_not_hold_readers_back(folded: str, worker_engine: Engine) -> None:
    anew = build_anew(worker_engine, OTHER)
    with gate(folded, "projection", "update") as held:
        swapping_ = threading.Thread(target=swap, args=(worker_engine, OTHER, anew, 100))
        swapping_.start()
        waits(held, "advisory")
        with psycopg.connect(folded) as reader:
            reader.execute("set lock_timeout = '1ms'")
            assert reader.execute("select bib, count(*) from participants group by bib").fetchall() == [("old", 300)]
            assert reader.execute("select count(*) from checkpoint").fetchone() is not None
        held.execute("select pg_advisory_unlock(4711)")
        swapping_.join(timeout=DEADLINE)
    assert bibs(folded) == [("new", 300)]


def test_promise_13_loading_and_attaching_do_not_hold_readers_back(folded: str, worker_engine: Engine) -> None:
    with psycopg.connect(folded) as reader:
        reader.execute("select * from participants, participant_answers, participant_history")
        anew = build_anew(worker_engine, OTHER)
        with psycopg.connect(folded) as another:
            another.execute("set lock_timeout = '1ms'")
            assert another.execute("select count(*) from participants").fetchone() == (300,)
    assert drop(worker_engine, anew)


def test_promise_13_views_grants_and_dependent_objects_survive(folded: str, worker_engine: Engine) -> None:
    with psycopg.connect(folded, autocommit=True) as owner:
        owner.execute(
            "create view bibs as select participant_id, bib, attributes ->> 'race_number' as n from participants"
        )
        owner.execute("create materialized view tally as select bib, count(*) from participants group by bib")
        owner.execute("create function first_bib() returns text language sql as 'select bib from participants limit 1'")
        owner.execute("create index extra on participants_build (bib)")
        owner.execute("create role analyst" if not has_role(owner) else "select 1")
        owner.execute("grant select on participants, bibs to analyst")
    swap(worker_engine, OTHER, build_anew(worker_engine, OTHER), 100)
    with psycopg.connect(folded, autocommit=True) as analyst:
        analyst.execute("refresh materialized view tally")
        assert analyst.execute("select * from tally").fetchall() == [("new", 300)]
        assert analyst.execute("select first_bib()").fetchone() == ("new",)
        analyst.execute("set role analyst")
        assert analyst.execute("select distinct bib, n from bibs").fetchall() == [("new", "new")]
        assert analyst.execute("select count(*) from participants where bib = 'new'").fetchone() == (300,)
    assert query(
        folded, "select count(*) from pg_indexes where tablename = 'participants_build_2' and indexdef like '%%(bib)'"
    ) == [(1,)]


def has_role(connection: psycopg.Connection[Any]) -> bool:
    return connection.execute("select from pg_roles where rolname = 'analyst'").fetchone() is not None


def test_promise_13_it_catches_up_and_the_live_roster_goes_on_meanwhile(folded: str, worker_engine: Engine) -> None:
    build, up_to = begin(worker_engine)
    model.append(folded, [model.body(number, first_name="later") for number in range(290, 310)])
    load_shares(worker_engine, PARTICIPANTS, build, [Share("movemint", up_to["movemint"], 0, 1)], lambda _: None)
    drain(worker_engine)
    assert len(model.stored_roster(folded)) == 310
    steps.attach_tables(worker_engine, PARTICIPANTS, build, up_to, 100)
    catch_up(worker_engine, PARTICIPANTS, build, 7, lambda _: None)
    model.append(folded, [model.body(400), model.body(1, first_name="last")], "spring")
    drain(worker_engine, "spring")
    before = contents(folded, PARTICIPANTS, live(worker_engine, PARTICIPANTS))
    swap(worker_engine, PARTICIPANTS, build, 100)
    assert contents(folded, PARTICIPANTS, live(worker_engine, PARTICIPANTS)) == before
    assert len(model.stored_roster(folded)) == 310


def test_promise_13_the_new_roster_is_never_older_than_the_one_before(folded: str, worker_engine: Engine) -> None:
    """The live build has folded on while the new one waited for its swap."""
    anew = build_anew(worker_engine, PARTICIPANTS)
    model.append(folded, [model.body(1000), model.body(1, first_name="later")])
    drain(worker_engine)
    with gate(folded, "projection", "update") as held:
        swapping_ = threading.Thread(target=swap, args=(worker_engine, PARTICIPANTS, anew, 100))
        swapping_.start()
        waits(held, "advisory")
        engine = sync_engine(folded, WORKER_ROLE)
        model.append(folded, [model.body(1001)])
        folding = threading.Thread(target=tries.run_once, args=(engine, PARTICIPANTS, "movemint", 100))
        folding.start()
        waits(held, "relation")
        held.execute("select pg_advisory_unlock(4711)")
        swapping_.join(timeout=DEADLINE)
        folding.join(timeout=DEADLINE)
        engine.dispose()
    assert {"1000", "1001"} <= set(model.stored_roster(folded))
    assert model.stored_roster(folded)["1"] == (2, 302, "later")
    assert query(folded, "select position from checkpoint where projection = 'participants' and build = 2") == [(303,)]


def test_promise_13_what_the_live_build_folds_in_the_last_moment_is_in_the_new_one(
    folded: str, worker_engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As if it came after the catching up and before the lock, which nothing can be put between."""
    anew = build_anew(worker_engine, PARTICIPANTS)
    model.append(folded, [model.body(1000), model.body(1, first_name="later")])
    drain(worker_engine)
    monkeypatch.setattr(swapping, "catch_up", lambda *_: None)
    swap(worker_engine, PARTICIPANTS, anew, 1)
    assert "1000" in model.stored_roster(folded)
    assert model.stored_roster(folded)["1"] == (2, 302, "later")


def test_a_worker_of_another_version_writes_nothing_and_says_so(folded: str, worker_engine: Engine) -> None:
    model.append(folded, [model.body(1000)])
    assert tries.run_once(worker_engine, OTHER, "movemint", 10) == 0
    assert Looks(worker_engine, [OTHER]).find() == []
    with worker_engine.connect() as connection:
        [status] = read_projections(connection, [OTHER])
    assert (status.build, status.needs_rebuild) == (1, True)
    assert len(model.stored_roster(folded)) == 300
    swap(worker_engine, OTHER, build_anew(worker_engine, OTHER), 100)
    model.append(folded, [model.body(1001)])
    assert [each.source for each in Looks(worker_engine, [OTHER]).find()] == ["movemint"]
    assert tries.run_once(worker_engine, OTHER, "movemint", 10) == 1
    assert tries.run_once(worker_engine, PARTICIPANTS, "movemint", 10) == 0, "and the older one has to stop"
    with worker_engine.connect() as connection:
        [status] = read_projections(connection, [OTHER])
    assert (status.build, status.needs_rebuild) == (2, False)


def test_promise_13_a_rollback_is_what_would_have_been_without_the_rebuild(folded: str, worker_engine: Engine) -> None:
    swap(worker_engine, PARTICIPANTS, build_anew(worker_engine, PARTICIPANTS), 100)
    model.append(folded, [model.body(n, first_name="since", updated_at="2026-05-01T10:00:00Z") for n in range(5, 15)])
    drain(worker_engine)
    without = contents(folded, PARTICIPANTS, live(worker_engine, PARTICIPANTS))
    back = live_before(worker_engine)
    assert back.number == 1
    swap(worker_engine, PARTICIPANTS, back, 100)
    assert live(worker_engine, PARTICIPANTS).number == 1
    assert contents(folded, PARTICIPANTS, live(worker_engine, PARTICIPANTS)) == without
    assert live_before(worker_engine).number == 2
