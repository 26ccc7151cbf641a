"""Each answer to a valid token has a line with its id, many to strangers have one, and none says what was asked."""

import asyncio
import json
from typing import Any

import pytest
from psycopg.conninfo import make_conninfo
from sqlalchemy import Engine, text

from ingest.logs import JsonLines
from projections.web.access.tokens import NO_SOURCE
from projections.web.api import ApiSettings
from tests.api_client import Api, make_token, running, scope_of

LOGGER = "projections.web.answer_log"
PERSON = "/v1/participants/{participant_id}"


@pytest.fixture
def logged(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    caplog.set_level("INFO", logger="projections")
    caplog.handler.setFormatter(JsonLines())
    return caplog


def lines_of(logged: pytest.LogCaptureFixture) -> list[dict[str, Any]]:
    lines = [json.loads(line) for line in logged.text.splitlines()]
    return [line for line in lines if line["logger"] == LOGGER]


def without_token(api: Api, logged: pytest.LogCaptureFixture, number: int) -> list[dict[str, Any]]:
    """The lines about so many requests without a valid token, once they are due."""

    def lines() -> list[dict[str, Any]]:
        return [line for line in lines_of(logged) if "count" in line]

    async def wait() -> None:
        while sum(line["count"] for line in lines()) < number:
            await asyncio.sleep(0.05)

    api.runner.run(asyncio.wait_for(wait(), 60))
    return lines()


def test_every_answer_to_a_valid_token_has_its_line_with_the_id_of_the_request(
    some: str, engine: Engine, logged: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("projections.web.dispatch._POSITION_SECONDS", 0.01)
    token = make_token(engine)
    with running(some, ApiSettings(token_rate=0.8)) as api:
        kept = api.ask("/v1/participants/7", token).headers["etag"]
        answers = [
            api.ask("/v1/participants/7", token, headers={"If-None-Match": kept}),
            api.ask("/v1/participants", token, colour="canary"),
            api.ask("/v1/participants/canary", token),
            api.ask("/v1/participants", token, method="POST"),
            api.ask("/v1/participants.csv", token),
            api.ask("/v1/participants", token, min_position=10**6, headers={"X-Request-Id": "proxy-17"}),
        ]
        answers += [api.ask("/v1/status", token) for _ in range(8)]
    assert {answer.status_code for answer in answers} == {200, 304, 400, 404, 405, 429, 503}
    lines = lines_of(logged)[1:]
    assert [(line["status"], line["request_id"]) for line in lines] == [
        (answer.status_code, answer.headers["x-request-id"]) for answer in answers
    ]
    endpoints = [PERSON, "/v1/participants", PERSON, "/v1/participants", "/v1/participants.csv", "/v1/participants"]
    assert [line["endpoint"] for line in lines[:6]] == endpoints
    assert lines[5]["request_id"] == "proxy-17"
    assert all(0 <= line["milliseconds"] <= line["sent_milliseconds"] for line in lines)
    assert "canary" not in logged.text


def test_every_other_address_has_its_lines_as_well(some: str, engine: Engine, logged: pytest.LogCaptureFixture) -> None:
    token, operator = make_token(engine), make_token(engine, "ops", NO_SOURCE)
    with running(some) as api:
        assert api.ask("/v1/status", token).status_code == 200
        answers = [
            api.ask("/v1/canary", token),
            api.ask("/v1/canary%0Abird", token, method="DELETE"),
            api.ask("/v1/canary/", token),
            api.ask("/v1/status/", token),
            api.ask("/v1", token),
            api.ask("/metrics", token),
            api.ask("/metrics", token, method="POST"),
            api.ask("/metrics", operator),
        ]
        asked = [api.ask("/v1/canary", None), api.ask("/v1/canary", "canary"), api.ask("/metrics", "canary")]
        lines = without_token(api, logged, len(asked))
        counted = api.ask("/metrics", operator).text
    assert [answer.status_code for answer in answers] == [404, 404, 404, 404, 404, 403, 405, 200]
    details = [answer.json()["detail"] for answer in answers[:4]]
    assert details == ["There is nothing at this address."] * 3 + [
        "There is nothing at this address, which has a slash more than /v1/status."
    ]
    assert answers[6].headers["allow"] == "GET, HEAD"
    told = [line for line in lines_of(logged) if "count" not in line]
    assert [(line["endpoint"], line["status"], line["request_id"]) for line in told[1:9]] == [
        ("/metrics" if number >= 5 else "/v1/...", answer.status_code, answer.headers["x-request-id"])
        for number, answer in enumerate(answers)
    ]
    assert sum(line["endpoints"].get("/v1/...", 0) for line in lines if line["status"] == 404) == 2
    assert sum(line["endpoints"].get("/metrics", 0) for line in lines if line["status"] == 401) == 1
    assert 'rosterlog_api_requests_total{endpoint="/metrics",status="401"} 1.0' in counted
    assert "canary" not in logged.text


def test_a_fault_of_ours_has_its_line(
    some: str, engine: Engine, logged: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(*_: object) -> None:
        raise KeyError("canary")

    monkeypatch.setattr("projections.web.question.Question.back_to", fail)
    with running(some) as api, pytest.raises(KeyError):
        api.ask("/v1/participants", make_token(engine))
    [line] = lines_of(logged)
    assert (line["event"], line["endpoint"], line["status"]) == ("answered", "/v1/participants", 500)


def test_strangers_have_one_line_with_their_number_and_the_last_id(
    some: str, engine: Engine, logged: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("projections.web.answer_log._LOOK_SECONDS", 0.01)
    with engine.begin() as connection:
        connection.execute(text("update api_token set revoked_at = now()"))
    revoked = make_token(engine)
    with running(some) as api:
        assert api.ask("/v1/status", revoked).status_code == 200
        with engine.begin() as connection:
            connection.execute(text("update api_token set revoked_at = now()"))
        asked = [api.ask("/v1/participants", token) for token in (None, "canary", revoked)]
        asked += [api.ask("/v1/status", f"canary {number}") for number in range(70)]
        assert api.ask("/v1/status", method="OPTIONS").status_code == 204
        lines = without_token(api, logged, len(asked))
    assert {answer.status_code for answer in asked} == {401, 429}
    assert len(lines) <= 4  # two, unless the machine took ten seconds to ask
    for status in (401, 429):
        counted = sum(line["count"] for line in lines if line["status"] == status)
        assert counted == len([answer for answer in asked if answer.status_code == status])
    assert sum(line["endpoints"].get("/v1/participants", 0) for line in lines) == 3
    assert lines[-1]["last_request_id"] == asked[-1].headers["x-request-id"]
    assert len(lines_of(logged)) == 1 + len(lines)
    assert "canary" not in logged.text


def test_a_database_that_is_away_is_no_flood_of_lines(
    database: str, engine: Engine, logged: pytest.LogCaptureFixture
) -> None:
    token = make_token(engine)
    with running(make_conninfo(database, port="1", host="127.0.0.1")) as api:
        for _ in range(5):
            assert api.ask("/v1/participants", token).status_code == 503
        assert api.ask("/v1/nothing", token).status_code == 404, "without the database"
    lines = lines_of(logged)  # what was not due yet is written when the server ends
    of_database = [line for line in map(json.loads, logged.text.splitlines()) if line["event"] == "roster unreadable"]
    assert len(of_database) == 5
    assert all("Connection refused" in line["message"] for line in of_database)
    assert {line["status"] for line in lines} == {404, 503}
    assert sum(line["count"] for line in lines) == 6
    assert len(lines) < 5


def test_an_export_that_breaks_off_says_so(some: str, engine: Engine, logged: pytest.LogCaptureFixture) -> None:
    token = make_token(engine)

    async def leave(api: Api) -> None:
        gone = asyncio.Event()

        async def receive() -> dict[str, Any]:
            await gone.wait()
            return {"type": "http.disconnect"}

        async def send(message: Any) -> None:  # noqa: ANN401 - ASGI's
            if message["type"] == "http.response.body":
                gone.set()
                await asyncio.Event().wait()

        await api.app(scope_of("/v1/participants.csv", token), receive, send)

    with running(some) as api:
        api.runner.run(asyncio.wait_for(leave(api), 60))
    [line] = lines_of(logged)
    assert (line["event"], line["level"]) == ("answer broken off", "warning")
    assert (line["endpoint"], line["status"]) == ("/v1/participants.csv", 200)
