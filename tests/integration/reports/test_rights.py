"""Schema `reporting`: who sees what of people, and that nobody sees or does anything else."""

import json
from typing import Any

import psycopg
import pytest
from psycopg import errors
from sqlalchemy import Engine

from ingest.database import REPORTING_PII_ROLE, REPORTING_ROLE
from tests import model
from tests.fold_all import drain
from tests.secret_people import SECRETS, VIEWS, take


def all_of(connection: psycopg.Connection[Any]) -> str:
    """Everything that whoever asks can see of the schema."""
    contents = [connection.execute(f"select * from reporting.{view}".encode()).fetchall() for view in VIEWS]
    contents.append(connection.execute("select * from reporting.participants_as_of(now())").fetchall())
    return json.dumps(contents, default=str)


@pytest.mark.parametrize(("role", "sees"), [(REPORTING_ROLE, False), (REPORTING_PII_ROLE, True)])
def test_personal_data_is_for_one_role_alone(asking: psycopg.Connection[Any], role: str, *, sees: bool) -> None:
    take(asking, role)
    everything = all_of(asking)
    for secret in [
        *(secret for secret in SECRETS.values() if isinstance(secret, str)),
        "canary-answer",
        "canary 0170",
        '"97"',
        ", 97,",
    ]:
        if not sees or "97" not in secret:
            assert (secret in everything) == sees, secret
    for shown in ("Anna", "Cruz", "OR", "US", "Owls", "35-44", "Shirt size", '"M"'):
        assert shown in everything
    assert asking.execute("select count(email), count(age_band) from reporting.participants").fetchone() == (
        12 * sees,
        12,
    )


def test_an_answer_is_shown_to_all_only_where_it_was_chosen(database: str, worker_engine: Engine) -> None:
    """Ten who say the same, people and not answers; and nine of ten answers to the question are such."""
    free = [f"my own words {number}" for number in range(5)]
    given: dict[str, list[str]] = {
        "Size": ["S"] * 10 + ["M"] * 10 + ["only nine"] * 2,
        "Size of nine": ["S"] * 9,
        "Anything else?": ["no"] * 10 + free,
        "Coach": ["call 0170 55 51 23"] * 12,
        "Mail": ["team@example.org"] * 12,
    }
    for question, answers in given.items():
        people = enumerate(answers)
        told = [
            model.body(f"{question}-{id_}", answers=[{"question": question, "answer": answer}])
            for id_, answer in people
        ]
        model.append(database, told)
    repeated = [{"question": "Notes", "answer": "one person's own words"}] * 12
    model.append(database, [model.body("notes", answers=repeated)])
    drain(worker_engine)
    with psycopg.connect(database) as connection:
        take(connection, REPORTING_ROLE)
        shown = connection.execute(
            "select distinct question, answer from reporting.participant_answers where answer is not null order by 1, 2"
        ).fetchall()
    assert shown == [("Size", "M"), ("Size", "S")]


def test_nothing_personal_leaks_by_a_condition_or_a_function_of_ones_own(asking: psycopg.Connection[Any]) -> None:
    """Whoever may not see a value cannot ask for it either, nor have it handed to a function that costs nothing."""
    asking.execute("create table heard (word text)")
    asking.execute("grant insert on heard to public")
    asking.execute("create schema theirs")
    asking.execute("grant all on schema theirs to rosterlog_reporting")
    take(asking, REPORTING_ROLE)
    asking.execute("""
        create function theirs.hear(word text) returns boolean language plpgsql cost 0.0001
        as $$ begin insert into public.heard values (word); return true; end $$
    """)
    asking.execute("select 1 from reporting.participants where theirs.hear(email) or theirs.hear(attributes::text)")
    asking.execute("select 1 from reporting.participant_answers where theirs.hear(answer)")
    assert asking.execute("select 1 from reporting.participants where email like 'canary%'").fetchall() == []
    asking.execute("reset role")
    heard = {row[0] for row in asking.execute("select distinct word from heard").fetchall()}
    assert heard == {None, "M"}


@pytest.mark.parametrize("role", [REPORTING_ROLE, REPORTING_PII_ROLE])
@pytest.mark.parametrize(
    "statement",
    [
        "select * from public.participants",
        "select * from public.event_log",
        "select * from public.participants_build",
        "select * from public.api_token",
        "select * from public.erasures",
        "update reporting.participants set bib = '1'",
        "delete from reporting.deliveries",
        "insert into reporting.events (event_id) values ('1')",
        "create table reporting.mine (id int)",
        "create table public.mine (id int)",
        "select public.position_at('movemint', now())",
        "select public.publish_participants('movemint', 1)",
        "drop view reporting.events",
    ],
)
def test_neither_role_writes_or_sees_anything_else(asking: psycopg.Connection[Any], role: str, statement: str) -> None:
    take(asking, role)
    with pytest.raises((errors.InsufficientPrivilege, errors.ObjectNotInPrerequisiteState)):
        asking.execute(statement.encode())
