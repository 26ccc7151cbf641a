"""What every answer has, and what keeps one asker from spoiling it for the others."""

import asyncio
import gzip
import re
from typing import Any
from urllib.parse import urljoin

import httpx2 as httpx
import pytest
from sqlalchemy import Engine, text

from ingest.session import Deadlines
from projections.web.api import ApiSettings
from tests import model
from tests.api_client import make_token, running, scope_of
from tests.erased_person import erase
from tests.fold_all import drain, query

LISTS = ("/v1/participants", "/v1/changes", "/v1/events", "/v1/participants/7", "/v1/participants/7/history")


def test_an_answer_that_is_kept_is_not_sent_again_until_something_changes(
    some: str, engine: Engine, worker_engine: Engine, operator: Engine
) -> None:
    with running(some) as api:
        token, other = make_token(engine), make_token(engine, "other")
        for path in (*LISTS, "/v1/participants.csv", "/v1/participants.ndjson"):
            first = api.ask(path, token)
            kept = {"If-None-Match": first.headers["etag"]}
            again = api.ask(path, token, headers=kept)
            assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", first.headers["etag"])
            assert again.headers["rosterlog-position"] == "40"
            assert api.ask(path, other, headers=kept).status_code == 200
            assert api.ask(path, token, headers={"If-None-Match": '"x", ' + first.headers["etag"]}).status_code == 304
        before = api.ask("/v1/participants", token, limit=1).headers["etag"]
        assert api.ask("/v1/participants", token, limit=2, headers={"If-None-Match": before}).status_code == 200
        erase(operator, "7")  # which is no event of the log
        assert api.ask("/v1/participants", token, limit=1, headers={"If-None-Match": before}).status_code == 200
        before = api.ask("/v1/participants", token).headers["etag"]
        model.append(some, [model.body(41)])
        drain(worker_engine)
        assert api.ask("/v1/participants", token, headers={"If-None-Match": before}).status_code == 200


def test_a_kept_answer_of_the_past_keeps_its_position(some: str, engine: Engine) -> None:
    with running(some) as api:
        token = make_token(engine)
        for path in ("/v1/participants", "/v1/participants.csv"):
            etag = api.ask(path, token, as_of=3).headers["etag"]
            again = api.ask(path, token, as_of=3, headers={"If-None-Match": etag})
            assert (again.status_code, again.headers["rosterlog-position"]) == (304, "3")


def test_the_link_to_the_next_page_leads_there(some: str, engine: Engine, worker_engine: Engine) -> None:
    model.append(some, [model.body("Ł/12", event_id=9, bib=str(number)) for number in range(3)])
    drain(worker_engine)
    with running(some) as api:
        token = make_token(engine)
        for path in ("/v1/participants?sort=-bib&status__isnull=true", "/v1/changes?after=2", "/v1/events?as_of=40",
                     "/v1/participants/%C5%81/12/history"):  # fmt: skip
            address, _, query = path.partition("?")
            asked = dict(pair.split("=") for pair in query.split("&") if pair)
            first = api.ask(address, token, limit=1, **asked)
            assert first.status_code == 200, first.text
            [link] = re.findall(r'<([^>]+)>; rel="next"', first.headers["link"])
            following = api.ask(urljoin(path, link), token)
            assert following.status_code == 200, following.text
            assert following.json()["data"] != first.json()["data"]


def test_the_link_to_the_next_page_survives_a_proxy_that_adds_a_path(some: str, engine: Engine) -> None:
    token = make_token(engine)
    asked = "https://example.org/rosterlog/v1/participants?limit=1"
    for public_url in (None, "https://example.org/rosterlog"):
        with running(some, ApiSettings(public_url=public_url)) as api:
            first = api.ask("/v1/participants", token, limit=1)
            [reference] = re.findall(r'<([^>]+)>; rel="next"', first.headers["link"])
            assert reference.startswith("?" if public_url is None else f"{public_url}/v1/participants?")
            link = urljoin(asked, reference)
            assert link.startswith("https://example.org/rosterlog/v1/participants?limit=1&cursor=")
            assert api.ask(link.removeprefix("https://example.org/rosterlog"), token).status_code == 200
            assert api.ask("/openapi.json").json()["servers"] == [{"url": public_url or "/"}]


def test_a_fault_has_the_id_and_the_headers_too(some: str, engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise ZeroDivisionError

    with running(some) as api:
        token = make_token(engine)
        monkeypatch.setattr("projections.web.dispatch.answer", fail)
        transport = httpx.ASGITransport(api.app, raise_app_exceptions=False)

        async def ask() -> httpx.Response:
            async with httpx.AsyncClient(transport=transport, base_url="http://t") as client:
                return await client.get("/v1/participants", headers={"Authorization": f"Bearer {token}"})

        answer = api.runner.run(ask())
    assert answer.status_code == 500
    assert answer.json()["request_id"] == answer.headers["x-request-id"]
    assert answer.headers["x-content-type-options"] == "nosniff"


def test_large_answers_are_compressed_for_whoever_takes_them_so(some: str, engine: Engine) -> None:
    with running(some) as api:
        token = make_token(engine)
        large = api.ask("/v1/participants", token, headers={"Accept-Encoding": "gzip"})
        assert large.headers["content-encoding"] == "gzip"
        assert len(large.json()["data"]) == 40
        small = api.ask("/v1/status", token, headers={"Accept-Encoding": "gzip"})
        assert "content-encoding" not in small.headers
        plain = api.ask("/v1/participants", token, headers={"Accept-Encoding": "identity"})
        assert "content-encoding" not in plain.headers
        assert len(gzip.compress(plain.content)) < len(plain.content) / 3


def test_every_answer_has_an_id_and_says_what_a_browser_may_do(some: str, engine: Engine) -> None:
    with running(some) as api:
        token = make_token(engine)
        for path, asked in (
            ("/v1/participants", token),
            ("/v1/participants", None),
            ("/nowhere", None),
            ("/healthz", None),
        ):
            answer = api.ask(path, asked)
            assert answer.headers["x-content-type-options"] == "nosniff"
            assert "default-src 'none'" in answer.headers["content-security-policy"]
            if answer.status_code >= 400:
                assert answer.json()["request_id"] == answer.headers["x-request-id"]
        given = api.ask("/v1/status", token, headers={"X-Request-Id": "proxy-17"})
        assert given.headers["x-request-id"] == "proxy-17"
        strange = api.ask("/v1/status", token, headers={"X-Request-Id": "a b;c"})
        assert strange.headers["x-request-id"] != "a b;c"


def test_the_id_is_in_the_logs_and_nothing_that_was_asked(
    some: str, engine: Engine, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", logger="projections.web.answer_log")
    with running(some) as api:
        api.ask("/v1/participants/7", make_token(engine))
    [line] = [record for record in caplog.records if record.name == "projections.web.answer_log"]
    fields = line.fields  # type: ignore[attr-defined] # our extra
    assert (line.getMessage(), fields["endpoint"], fields["status"]) == (
        "answered",
        "/v1/participants/{participant_id}",
        200,
    )


def test_head_options_and_other_methods(some: str, engine: Engine) -> None:
    with running(some) as api:
        token = make_token(engine)
        for path in (*LISTS, "/v1/participants.csv"):
            head = api.ask(path, token, method="HEAD")
            assert (head.status_code, head.headers["rosterlog-position"]) == (200, "40")
            options = api.ask(path, method="OPTIONS")
            assert (options.status_code, options.headers["allow"]) == (204, "GET, HEAD, OPTIONS")
            assert "access-control-allow-origin" not in options.headers
            refused = api.ask(path, token, method="POST")
            assert (refused.status_code, refused.headers["content-type"]) == (405, "application/problem+json")


def test_pages_of_other_origins_may_read_only_if_they_are_named(some: str, engine: Engine) -> None:
    asked = {"Origin": "https://club.example", "Access-Control-Request-Method": "GET",
             "Access-Control-Request-Headers": "authorization"}  # fmt: skip
    with running(some) as api:
        assert "access-control-allow-origin" not in api.ask("/v1/status", make_token(engine), headers=asked).headers
    with running(some, ApiSettings(origins=("https://club.example",))) as api:
        preflight = api.ask("/v1/status", method="OPTIONS", headers=asked)
        assert preflight.headers["access-control-allow-origin"] == "https://club.example"
        assert "authorization" in preflight.headers["access-control-allow-headers"].lower()
        assert "Rosterlog-Position" in api.ask("/v1/status", headers=asked).headers["access-control-expose-headers"]
        other = api.ask("/v1/status", method="OPTIONS", headers={**asked, "Origin": "https://evil.example"})
        assert "access-control-allow-origin" not in other.headers


def test_a_question_that_takes_too_long_is_ended_and_says_so(
    some: str, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    with engine.begin() as connection:
        connection.execute(text(
            "create or replace function iso_time(in_moment timestamptz) returns text language sql volatile as "
            "$$ select pg_sleep(60)::text $$"
        ))  # fmt: skip
    monkeypatch.setattr("projections.web.api.SERVING", Deadlines(statement=0.2, idle=20))
    with running(some) as api:
        answer = api.ask("/v1/participants", make_token(engine))
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
    assert "takes too long" in answer.json()["detail"]


def test_a_slow_reader_loses_its_export(
    some: str, engine: Engine, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("projections.web.sending._SEND_SECONDS", 0.2)
    with running(some) as api:
        token = make_token(engine)

        async def never_reads() -> None:
            async def receive() -> Any:  # noqa: ANN401
                await asyncio.Event().wait()

            async def send(_message: Any) -> None:  # noqa: ANN401
                await asyncio.Event().wait()

            scope = scope_of("/v1/participants.csv", token)
            await api.app(scope, receive, send)

        api.runner.run(asyncio.wait_for(never_reads(), 20))
    assert "reader too slow" in caplog.messages
    assert query(some, "select count(*) from pg_stat_activity where query like 'copy%%' and state <> 'idle'") == [(0,)]
