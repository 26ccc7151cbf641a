"""The numbers beside a page: right, bounded, and left out where counting them takes too long."""

import asyncio
import os
import random
import signal
import threading
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, TypeVar

import psycopg
import pytest
from sqlalchemy import Engine, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection

from ingest.database import API_ROLE, async_engine
from projections.roster.criteria import AnswerFilter, Criteria, Filter
from projections.roster.facets import MOST_IN_FACET, answer_facets, count_some, facets
from projections.roster.patience import within
from projections.roster.questions import questions_of, resolved
from projections.roster.roster import Roster
from tests import model
from tests.fold_all import drain

T = TypeVar("T")
TEAMS = [f"t{number % 30:02}" if number % 7 else None for number in range(90)]
ROSTER, EVERYBODY = Roster("movemint"), Criteria()
TRIES = 300  # of which some three end while the time-out holds for going back
OF_EVENT = Criteria((Filter("event_id", "eq", "1"),))


@pytest.fixture
def people(database: str, worker_engine: Engine) -> str:
    bodies = [
        model.body(number, event_id=number % 2, team=team, status="active" if number % 3 else "deferred")
        for number, team in enumerate(TEAMS)
    ]
    model.append(database, bodies)
    drain(worker_engine)
    return database


def asked(conninfo: str, ask: Callable[[AsyncConnection], Awaitable[T]]) -> T:
    async def run() -> T:
        engine = async_engine(conninfo, API_ROLE, read_only=True)
        try:
            async with engine.connect() as connection:
                return await ask(connection)
        finally:
            await engine.dispose()

    return asyncio.run(run())


def test_each_value_is_counted_the_commonest_first_and_what_is_empty_last(people: str) -> None:
    (teams, statuses), _ = asked(people, lambda connection: facets(connection, ROSTER, OF_EVENT, ("team", "status")))
    wanted = Counter(team for number, team in enumerate(TEAMS) if number % 2)
    nobody = wanted.pop(None)
    assert [*teams.values] == [*sorted(wanted.items(), key=lambda each: (-each[1], each[0] or "")), (None, nobody)]
    assert not teams.has_more
    assert [*statuses.values] == [("active", 30), ("deferred", 15)]


def test_of_many_values_the_commonest_are_given(people: str) -> None:
    [teams], _ = asked(people, lambda connection: facets(connection, ROSTER, EVERYBODY, ("team",)))
    assert (len(teams.values), teams.has_more) == (MOST_IN_FACET + 1, True)
    assert teams.values[-1][0] is None


def test_no_more_are_counted_than_are_told(people: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert asked(people, lambda connection: count_some(connection, ROSTER, OF_EVENT)) == 45
    monkeypatch.setattr("projections.roster.facets.MOST_COUNTED", 20)
    assert asked(people, lambda connection: count_some(connection, ROSTER, OF_EVENT)) == 21


def test_more_filters_are_counted_beside_the_criteria(database: str, worker_engine: Engine) -> None:
    """As many as a list with the filter and the criteria has, whatever these are."""
    bibs = [None if number == 5 else number % 70 + 10 * (number >= 70) for number in range(len(TEAMS))]
    bodies = [
        model.body(
            number, event_id=number % 2, team=team, bib=bibs[number], last_name="AB"[number % 3 > 1],
            status="active" if number % 3 else "deferred", answers=[{"question": "Size", "answer": "SML"[number % 3]}],
        )
        for number, team in enumerate(TEAMS)
    ]  # fmt: skip
    model.append(database, bodies)
    drain(worker_engine)
    also = (
        Filter("team", "isnull", True), Filter("bib", "isnull", True), Filter("bib", "double", True),
        Filter("status", "eq", "active"), Filter("event_id", "eq", "0"), Filter("checked_in_at", "isnull", True),
    )  # fmt: skip
    sizes = AnswerFilter("Size", "eq", "M")
    every = (
        OF_EVENT, EVERYBODY, replace(OF_EVENT, words="b"), replace(OF_EVENT, answers=(sizes,)),
        replace(OF_EVENT, filters=(*OF_EVENT.filters, Filter("bib", "double", True))),
        replace(OF_EVENT, filters=(*OF_EVENT.filters, Filter("status", "eq", "deferred")), answers=(sizes,)),
    )  # fmt: skip

    async def ask(connection: AsyncConnection) -> list[list[int]]:
        counted = []
        for roster in (ROSTER, replace(ROSTER, as_of=60)):
            for each in every:
                criteria = await resolved(connection, roster, each)
                _, numbers = await facets(connection, roster, criteria, ("team", "status"), also)
                narrower = [replace(criteria, filters=(*criteria.filters, filter_)) for filter_ in also]
                assert numbers == [await count_some(connection, roster, one) for one in narrower]
                counted.append(numbers)
        return counted

    of_event, *_ = asked(database, ask)
    assert of_event == [sum(team is None for team in TEAMS[1::2]), 1, 20, 30, 0, 45]


def test_answers_that_come_again_and_again_are_counted_in_the_order_of_the_form(
    database: str, worker_engine: Engine
) -> None:
    def answers(number: int) -> list[dict[str, Any]]:
        return [
            {"question": "Remarks", "answer": f"remark {number}"},
            {"question_id": 41, "question": "Shirt size", "answer": "SML"[number % 3]},
            {"question": "Meals", "answer": ["soup", "cake"] if number % 2 else ["soup"]},
            {"question": "Country", "answer": "Malta"},
            {"question": "Bus", "answer": None if number % 4 else "yes"},
            *[{"question": f"More {place}", "answer": "ab"[number % 2]} for place in range(5)],
        ]

    bodies = [model.body(number, event_id=1, bib=number % 5, answers=answers(number)) for number in range(60)]
    model.append(database, [*bodies, model.body(99, event_id=2, answers=answers(1))])
    drain(worker_engine)
    of_race = Roster("movemint", ("1",))

    async def ask(connection: AsyncConnection) -> list[tuple[str, list[tuple[str, int]]]]:
        form = await questions_of(connection, of_race)
        few = Criteria((*OF_EVENT.filters, Filter("bib", "eq", "0")))
        counted = [await answer_facets(connection, ROSTER, each, "1", form) for each in (OF_EVENT, few)]
        assert [[facet.question for facet in each] for each in counted] == [
            [facet.question for facet in counted[0]]
        ] * 2
        assert [sum(number for _, number in facet.answers) for facet in counted[1]][:2] == [12, 18]
        assert await answer_facets(connection, ROSTER, few, "2", form) == [], "one person has no choices"
        return [(facet.question.words, [*facet.answers]) for facet in counted[0]]

    counted = asked(database, ask)
    assert counted[:2] == [
        ("Shirt size", [("L", 20), ("M", 20), ("S", 20)]),
        ("Meals", [("soup", 60), ("cake", 30)]),
    ]
    assert [words for words, _ in counted[2:]] == ["More 0", "More 1", "More 2"], "five questions, no more"


def test_what_takes_too_long_is_left_out_and_the_question_goes_on(people: str) -> None:
    times = text("select current_setting('statement_timeout')")

    async def ask(connection: AsyncConnection) -> None:
        before = (await connection.execute(times)).scalar_one()
        with psycopg.connect(people) as holder:
            holder.execute("lock participants_build in access exclusive mode")
            assert await within(connection, 50, lambda: count_some(connection, ROSTER, EVERYBODY)) is None
        assert (await connection.execute(times)).scalar_one() == before
        assert await within(connection, 9_000, lambda: count_some(connection, ROSTER, EVERYBODY)) == 90
        assert (await connection.execute(times)).scalar_one() == before

    asked(people, ask)


@contextmanager
def halting(pid: int) -> Iterator[None]:
    """Halt a process again and again for some milliseconds, as a machine does that has too much to do."""
    ended = threading.Event()

    def halt() -> None:
        while not ended.wait(random.uniform(0.0002, 0.002)):  # so that it is halted at any place
            os.kill(pid, signal.SIGSTOP)
            time.sleep(0.004)
            os.kill(pid, signal.SIGCONT)

    thread = threading.Thread(target=halt)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def test_a_machine_that_halts_hinders_what_may_be_left_out_and_no_more(people: str) -> None:
    async def ask(connection: AsyncConnection) -> None:
        with halting((await connection.execute(text("select pg_backend_pid()"))).scalar_one()):
            for _ in range(TRIES):
                assert await within(connection, 2, lambda: count_some(connection, ROSTER, EVERYBODY)) in {90, None}

    asked(people, ask)


def test_a_connection_that_is_lost_meanwhile_is_an_error_of_the_database(people: str) -> None:
    async def ask(connection: AsyncConnection) -> None:
        async def lost() -> int:
            pid = (await connection.execute(text("select pg_backend_pid()"))).scalar_one()
            with psycopg.connect(people, autocommit=True) as other:
                other.execute("select pg_terminate_backend(%s, 10000)", (pid,))
            return await count_some(connection, ROSTER, EVERYBODY)

        with pytest.raises(DBAPIError):
            await within(connection, 9_000, lost)

    asked(people, ask)


def test_another_error_is_none_of_slowness(people: str) -> None:
    async def ask(connection: AsyncConnection) -> None:
        await connection.execute(text("set local lock_timeout = '20ms'"))
        with psycopg.connect(people) as holder:
            holder.execute("lock participants_build in access exclusive mode")
            with pytest.raises(DBAPIError):
                await within(connection, 9_000, lambda: count_some(connection, ROSTER, EVERYBODY))

    asked(people, ask)
