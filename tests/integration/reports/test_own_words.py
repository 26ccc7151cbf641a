"""What one person alone has written is nowhere for the role without personal data, wherever in a body it stands."""

import json
import random
from collections.abc import Callable, Iterator
from typing import Any

import psycopg
import pytest
from sqlalchemy import Engine

from ingest.database import REPORTING_PII_ROLE, REPORTING_ROLE, sync_engine
from projections.reports.dictionary import dictionary
from projections.reports.report import reports, run_report, values_of
from tests import model
from tests.fold_all import drain, query
from tests.integration.reports.test_publication import publish_all, slot_in
from tests.secret_people import VIEWS, take

WORD = "planted"
SIZE = {"question_id": 41, "question": "Shirt size", "answer": "M"}
BIRTHDAY = "1987-11-23"
# Each plants a text of one's own. The rows of answers; and whole keys of the participant.
ROWS: list[Callable[[str], object]] = [
    lambda own: {**SIZE, "answer": own},
    lambda own: {**SIZE, "answer": [own, "M"]},
    lambda own: {**SIZE, "answer": {"label": own}},
    lambda own: {**SIZE, "question": own, "answer": "L"},
    lambda own: {**SIZE, "question_id": own},
    lambda own: {**SIZE, "question": {"id": own, "text": own}},
    lambda own: {**SIZE, "field": {"id": own, "title": own}},
    lambda own: {"type": "text", "text": own, "field": {"id": "a1"}},
    lambda own: {"question": own, "answer": "M"},
    lambda own: {"title": own, "options": [own]},
    lambda own: {"id": own, "name": own, "response": own},
    lambda own: {"key": own, "choices": [{"name": own}, {"x": own}]},
    lambda own: own,
    lambda own: [own],
    lambda own: {own: own},
    lambda own: {**SIZE, "answer": {"x": own}},
]
KEYS: list[Callable[[str], dict[str, object]]] = [
    lambda own: {"answers": {own: "M", "41": own, "ice": {"name": own, "value": None}}},
    lambda own: {"answers": {own: {"label": own, "value": own}}},
    lambda own: {"answers": own},
    lambda own: {"custom_fields": [{"name": own, "value": own}]},
    lambda own: {"notes": own},
    lambda own: {own: own, "address": {own: own}},
    lambda own: {"event": {"id": 5, "start_date": f"{BIRTHDAY} {own}", "name": "Lake"}},
    lambda own: {"dob": own, "age": own, "checked_in_at": own, "created_at": own, "updated_at": own},
    lambda own: {"team": {"x": own}, "wave": [own], "bib": {own: 1}, "status": [own], "event_id": [own]},
    lambda own: {"first_name": [own], "last_name": {own: own}, "gender": {"x": own}, "state": [[own]]},
    lambda own: {"email": own, "phone": own, "city": own, "zip_code": own},
]


def planted(seed: int) -> list[bytes]:
    """Six hundred people who answer a form, and sixty who write their own words somewhere, in two states each."""
    choose = random.Random(seed)
    form = {"event_id": 5, "event_name": "Lake", "answers": [SIZE]}
    bodies = [model.body(number, **form) for number in range(600)]
    for number in range(1000, 1060):
        own = f"{WORD}-{number}-{choose.random()}"
        for state in range(2):
            rows = [row(own) for row in choose.sample(ROWS, choose.randint(0, 4))]
            person: dict[str, object] = {**form, "answers": [SIZE, *rows]}
            for key in choose.sample(KEYS, choose.randint(0, 2)):
                person |= key(own)
            bodies.append(model.body(number, **{**person, "state_of_it": state}))
    again = {**form, "athlete_id": 9, "answers": [{**SIZE, "answer": f"{WORD} often"}, {"question": f"{WORD} often"}]}
    bodies += [model.body(number, **again) for number in range(2000, 2015)]  # one person in fifteen races
    return [*bodies, model.body(3000, **form, event_start_date=BIRTHDAY)]


def everything(database: str, role: str) -> Iterator[str]:
    """What a role sees: each view, function, report, the dictionary."""
    with psycopg.connect(database) as connection:
        take(connection, role)
        for view in [*VIEWS, "participants_as_of(now())", "answers_of_many()", "questions_of_many()"]:
            yield f"{view}: {shown(connection.execute(f'select * from reporting.{view}'.encode()).fetchall())}"
    engine = sync_engine(database, role)
    with engine.connect() as connection:
        yield dictionary(connection)
        for report in reports().values():
            rows = run_report(connection, report, "movemint", values_of(report, {})).rows
            yield f"{report.name}: {shown([tuple(row) for row in rows])}"
    engine.dispose()


def shown(rows: list[Any]) -> str:
    return json.dumps(rows, default=str, ensure_ascii=False)


@pytest.mark.parametrize("seed", [17])
def test_own_words_are_seen_nowhere_without_the_right_to_personal_data(
    database: str, worker_engine: Engine, seed: int
) -> None:
    bodies = planted(seed)
    with psycopg.connect(database, autocommit=True) as connection:
        model.append_on(connection, bodies)
    drain(worker_engine)
    for seen in everything(database, REPORTING_ROLE):
        assert WORD not in seen, f"seed {seed}: {seen[max(0, seen.index(WORD) - 200) : seen.index(WORD) + 60]}"
        assert BIRTHDAY not in seen, f"seed {seed}: {seen[:60]}"
    of_form = "select distinct question_id, question, answer from reporting.participant_answers where answer = 'M'"
    with psycopg.connect(database) as connection:
        take(connection, REPORTING_ROLE)
        assert ("41", "Shirt size", "M") in connection.execute(of_form.encode()).fetchall()
    all_of_it = "\n".join(everything(database, REPORTING_PII_ROLE))
    assert all_of_it.count(WORD) > len(bodies), "it is there, for those who may see it"
    with slot_in(database, "pgoutput"):
        publish_all(worker_engine)
    published = shown(query(database, "table published_participants"))
    assert "Lake" in published
    assert WORD not in published
