"""The read API over a real database: who may see what, pages, positions, and refusals that say why."""

import asyncio
from datetime import UTC, datetime
from typing import Any

import httpx2 as httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from psycopg.conninfo import make_conninfo
from sqlalchemy import Engine, text
from sqlalchemy.exc import DBAPIError

from ingest.database import API_ROLE, async_engine
from projections.participants.table import PARTICIPANT_COLUMNS
from projections.web.access import tokens
from tests import model
from tests.api_client import get, make_token, running
from tests.fold_all import drain

CONTRACT = """
participant_id event_id event_name sub_event_id sub_event_name athlete_id status first_name last_name email phone bib
gender dob age team wave city state country zip_code checked_in_at registered_at updated_at first_position position
received_at origin unlisted_at field_errors attributes
"""


@pytest.fixture
def roster(database: str, worker_engine: Engine) -> str:
    """Twenty people in two events, one person of another source; gives the connection string."""
    model.append(database, [model.body(number, event_id=number % 2, first_name=f"n{number}") for number in range(20)])
    model.append(database, [model.body("elsewhere", event_id=0)], "spring")
    for source in ("movemint", "spring"):
        drain(worker_engine, source)
    return database


def test_a_participant_has_the_contracts_columns_in_its_order(roster: str, engine: Engine) -> None:
    answer = get(roster, "/v1/participants/7", make_token(engine))
    assert answer.status_code == 200
    assert list(answer.json()) == [*CONTRACT.split(), "answers"]
    assert CONTRACT.split() == [column.name for column in PARTICIPANT_COLUMNS]
    assert answer.json()["attributes"] == {"id": 7, "event_id": 1, "first_name": "n7"}
    assert answer.headers["Rosterlog-Position"] == "20"


def test_pages_together_are_the_whole_roster_once(roster: str, engine: Engine) -> None:
    token = make_token(engine)

    with running(roster) as api:
        seen = [row["participant_id"] for row in api.listed("/v1/participants", token, limit=3, event_id="1")]
    assert seen == sorted(str(number) for number in range(1, 20, 2))


def test_a_token_sees_its_source_and_its_events_alone(roster: str, engine: Engine) -> None:
    every, some, spring = (
        make_token(engine, "every"),
        make_token(engine, "some", events=("0",)),
        make_token(engine, "spring", source="spring"),
    )
    assert len(get(roster, "/v1/participants", every).json()["data"]) == 20
    assert len(get(roster, "/v1/participants", some).json()["data"]) == 10
    assert get(roster, "/v1/participants", some, event_id="1").json()["data"] == []
    assert get(roster, "/v1/participants/7", some).status_code == 404
    assert get(roster, "/v1/participants/7", spring).status_code == 404
    assert [row["participant_id"] for row in get(roster, "/v1/participants", spring).json()["data"]] == ["elsewhere"]
    assert [status["source"] for status in get(roster, "/v1/status", spring).json()["sources"]] == ["spring"]


def test_status_is_the_contracts(roster: str, engine: Engine) -> None:
    model.append(roster, [b"one more"])
    answer = get(roster, "/v1/status", make_token(engine))
    assert answer.json()["sources"] == [
        {
            "source": "movemint",
            "head": 21,
            "checkpoints": {"participants": 20, "registrations": 20},
            "lag": 1,
            "quarantined": 0,
        }
    ]
    assert answer.headers["Rosterlog-Position"] == "20"


def test_unknown_revoked_and_expired_tokens_are_refused(roster: str, engine: Engine) -> None:
    expired = make_token(engine, "expired", ends=datetime(2020, 1, 1, tzinfo=UTC))
    revoked = make_token(engine, "revoked")
    with engine.begin() as connection:
        assert tokens.revoke(connection, "revoked")
        assert not tokens.revoke(connection, "revoked")
    for token in (None, "x", "é", expired, revoked):
        answer = get(roster, "/v1/participants", token)
        assert answer.status_code == 401
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.headers["www-authenticate"].startswith("Bearer")


def test_a_name_is_taken_only_while_its_token_lives(engine: Engine) -> None:
    make_token(engine)
    with pytest.raises(tokens.NameTaken):
        make_token(engine)
    with engine.begin() as connection:
        tokens.revoke(connection, "t")
    make_token(engine)


def test_only_the_digest_of_a_token_is_stored(engine: Engine) -> None:
    token = make_token(engine)
    with engine.connect() as connection:
        assert token not in str(connection.execute(text("select api_token::text from api_token")).scalars().all())


@pytest.mark.parametrize(
    "query",
    [
        {"limit": "0"}, {"limit": "1001"}, {"limit": "many"}, {"limit": "٣"}, {"limit": ""}, {"cursor": "x"},
        {"colour": "red"}, {"limit": ["1", "2"]}, {"event_id": "a\x00b"},
    ],
)  # fmt: skip
def test_a_wrong_parameter_is_refused_never_ignored(roster: str, engine: Engine, query: dict[str, Any]) -> None:
    answer = get(roster, "/v1/participants", make_token(engine), **query)
    assert answer.status_code == 400
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["Rosterlog-Position"] == "20"


def test_a_cursor_of_another_query_or_token_is_refused(roster: str, engine: Engine) -> None:
    token, other = make_token(engine), make_token(engine, "other")
    cursor = get(roster, "/v1/participants", token, limit=3).json()["next"]
    assert get(roster, "/v1/participants", token, limit=5, cursor=cursor).status_code == 200
    assert get(roster, "/v1/participants", token, event_id="1", cursor=cursor).status_code == 400
    assert get(roster, "/v1/participants", other, cursor=cursor).status_code == 400


def test_no_path_and_no_token_gives_a_500(roster: str) -> None:
    with running(roster) as api:

        @given(path=st.text(max_size=20), token=st.text("abcé\x00 ", max_size=8))
        @settings(max_examples=40, deadline=None)
        def is_refused(path: str, token: str) -> None:
            address = f"/v1/participants/{httpx.QueryParams({'p': path})['p']!r}"
            assert api.ask(address, token.encode("utf-8").hex()).status_code in (401, 404)

        is_refused()


def test_its_sessions_can_only_read(database: str) -> None:
    async def write() -> None:
        engine = async_engine(database, API_ROLE, read_only=True)
        try:
            async with engine.connect() as connection:
                await connection.execute(text("create temporary table x (a int)"))
        finally:
            await engine.dispose()

    with pytest.raises(DBAPIError, match="read-only"):
        asyncio.run(write())


def test_a_database_that_is_away_is_a_503_and_unready(database: str) -> None:
    away = make_conninfo(database, port="1", host="127.0.0.1")
    for path in ("/v1/participants", "/readyz"):
        answer = get(away, path, "a-token")
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "2")
        assert answer.headers["content-type"] == "application/problem+json"
    assert get(away, "/healthz").status_code == 200
    assert get(database, "/readyz").status_code == 200
