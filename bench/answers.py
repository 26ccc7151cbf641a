"""Exports of 100,000 people with answers to twenty questions: plain, and with a column per question, in turn."""

import asyncio
import time
from random import Random

from sqlalchemy import text

from bench.machine import database, show, show_head
from bench.roster import fill_roster
from ingest.database import API_ROLE, async_engine
from ingest.delivery import JsonObject
from ingest.session import EXPORTING
from ingest.simulator.people import person
from projections.roster.criteria import Criteria
from projections.roster.export.export import Export, exported
from projections.roster.export.formats import FORMATS, Dialect
from projections.roster.roster import Roster
from projections.roster.shown import Shown

_PEOPLE = 100_000
_QUESTIONS = 20
_ROUNDS = 5
_GIVEN = ("M", "L", "XL", "Pasta", "Pizza, thin", "yes", "no")


def measure(server: str) -> None:
    conninfo = database(server, "answers")
    fill_roster(conninfo, _PEOPLE, _with_answers)
    took: dict[str, list[float]] = {"none": [], "columns": []}
    for round_ in range(_ROUNDS + 1):
        for form in took:
            seconds = asyncio.run(_exported(conninfo, None if form == "none" else form))
            if round_:  # the first warms up
                took[form].append(seconds)
    show_head()
    show("CSV of all columns: s", took["none"], 2)
    show(f"the same, and {_QUESTIONS} questions as columns: s", took["columns"], 2)
    show("speed against the plain CSV", [none / columns for none, columns in zip(*took.values(), strict=True)], 2)


def _with_answers(number: int) -> JsonObject:
    random = Random(number)
    answers = [
        {"question_id": 100 + question, "question": f"Question {question} of the form", "answer": random.choice(_GIVEN)}
        for question in range(_QUESTIONS)
    ]
    return {**person(1, number), "answers": answers}


async def _exported(conninfo: str, form: str | None) -> float:
    engine = async_engine(conninfo, API_ROLE, read_only=True, keeps=False, deadlines=EXPORTING)
    export = Export(FORMATS["csv"], Roster("movemint"), Criteria(), _PEOPLE, Shown(), form, Dialect())
    async with engine.connect() as connection:
        await connection.execution_options(isolation_level="REPEATABLE READ")
        await connection.execute(text("set local statement_timeout = 0"))
        begun = time.perf_counter()
        async for _ in exported(connection, export):
            pass
        seconds = time.perf_counter() - begun
    await engine.dispose()
    return seconds
