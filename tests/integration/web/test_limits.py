"""How often somebody may ask, and what becomes of tokens: what keeps one asker from spoiling it for the others."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Engine, text

from ingest.database import API_ROLE, sync_engine
from projections.web.access import tokens
from projections.web.api import ApiSettings
from tests.api_client import Api, make_token, running, scope_of

MOST_WRONG = 1_000  # after which there is no limit


def test_exports_of_one_token_leave_room_for_others(some: str, engine: Engine) -> None:
    with running(some) as api:
        token, other = make_token(engine), make_token(engine, "other")

        async def begin(who: str) -> tuple[asyncio.Task[None], list[int]]:
            statuses: list[int] = []
            begun = asyncio.Event()

            async def receive() -> Any:  # noqa: ANN401
                await asyncio.Event().wait()

            async def send(message: Any) -> None:  # noqa: ANN401
                if message["type"] == "http.response.start":
                    statuses.append(message["status"])
                    begun.set()
                if statuses[0] == 200:
                    await asyncio.Event().wait()

            task = asyncio.ensure_future(api.app(scope_of("/v1/participants.csv", who), receive, send))
            await begun.wait()
            return task, statuses

        async def scenario() -> list[int]:
            every = [await begin(who) for who in (token, token, token, other)]
            for task, _ in every:
                task.cancel()
            await asyncio.wait([task for task, _ in every])
            return [statuses[0] for _, statuses in every]

        assert api.runner.run(scenario()) == [200, 200, 503, 200]


def test_a_token_that_asks_too_often_is_told_when_to_ask_again(some: str, engine: Engine) -> None:
    with running(some, ApiSettings(token_rate=0.5)) as api:
        token, other = make_token(engine), make_token(engine, "other")
        statuses = [api.ask("/v1/status", token).status_code for _ in range(6)]
        assert statuses == [200] * 5 + [429]
        refused = api.ask("/v1/status", token)
        assert 1 <= int(refused.headers["retry-after"]) <= 2
        assert refused.headers["content-type"] == "application/problem+json"
        assert api.ask("/v1/status", other).status_code == 200


def wrong_until_limited(api: Api) -> int:
    """Ask with wrong tokens, however slow the machine is, until there were too many; gives how many were not."""
    for number in range(MOST_WRONG):
        status = api.ask("/v1/status", f"wrong{number}").status_code
        if status != 401:
            assert status == 429
            return number
    raise AssertionError


def test_wrong_tokens_are_limited_by_address_and_do_not_shut_out_the_right_one(some: str, engine: Engine) -> None:
    with running(some) as api:
        token = make_token(engine)
        assert api.ask("/v1/status", token).status_code == 200
        assert wrong_until_limited(api) >= 60
        assert int(api.ask("/v1/status", "wrong").headers["retry-after"]) >= 1
        assert api.ask("/v1/status", token).status_code == 200


def test_a_right_token_that_has_not_opened_yet_passes_where_wrong_ones_are_limited(some: str, engine: Engine) -> None:
    with running(some) as api:
        token = make_token(engine)
        wrong_until_limited(api)
        assert api.ask("/v1/status", token).status_code == 200


def test_a_revoked_token_is_refused_at_its_next_request(some: str, engine: Engine) -> None:
    with running(some) as api:
        token = make_token(engine)
        assert api.ask("/v1/status", token).status_code == 200
        with engine.begin() as connection:
            tokens.revoke(connection, "t")
        assert api.ask("/v1/status", token).status_code == 401


def test_the_last_use_of_a_token_is_written_down(some: str, engine: Engine) -> None:
    with running(some) as api:
        api.ask("/v1/status", make_token(engine))
        make_token(engine, "idle")
    with engine.connect() as connection:
        used = {row[0]: row[6] for row in tokens.live_tokens(connection)}
        now = connection.execute(text("select now()")).scalar_one()
    assert used["idle"] is None
    assert used["t"] is not None
    assert now - used["t"] < timedelta(minutes=1)


def test_the_apis_role_can_note_a_use_and_nothing_else(some: str, engine: Engine) -> None:
    make_token(engine)
    api_engine = sync_engine(some, API_ROLE)
    for statement in ("update api_token set revoked_at = now()", "select note_roster_change('movemint', '1')",
                      "insert into roster_change values ('movemint', 1, 1, null, '{}')"):  # fmt: skip
        with api_engine.connect() as connection, pytest.raises(Exception, match="permission denied"):
            connection.execute(text(statement))
    api_engine.dispose()
