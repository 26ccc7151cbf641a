"""What every answer has, and what keeps one asker from spoiling it for the others."""

import asyncio
import gzip
import re
from datetime import timedelta
from typing import Any

import httpx2 as httpx
import pytest
from sqlalchemy import Engine, text

from ingest.database import API_ROLE, sync_engine
from projections.web import tokens
from projections.web.api import ApiSettings
from tests import model
from tests.integration.asking import make_token, running
from tests.integration.building import drain, query
from tests.integration.erasing import erase


@pytest.fixture
def some(database: str, worker_engine: Engine) -> str:
    """Forty people."""
    model.append(database, [model.body(number, event_id=number % 2, first_name=f"n{number}") for number in range(40)])
    drain(worker_engine)
    return database


LISTS = ("/v1/participants", "/v1/changes", "/v1/events", "/v1/participants/7", "/v1/participants/7/history")


def scope_of(path: str, token: str) -> dict[str, Any]:
    """A request as a server hands it to the application."""
    return {
        "type": "http", "asgi": {"version": "3.0", "spec_version": "2.3"}, "method": "GET", "scheme": "http",
        "path": path, "raw_path": path.encode(), "query_string": b"", "root_path": "", "http_version": "1.1",
        "headers": [(b"authorization", f"Bearer {token}".encode())], "client": ("127.0.0.1", 1), "server": ("t", 80),
    }  # fmt: skip


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
            following = api.ask(link, token)
            assert following.status_code == 200, following.text
            assert following.json()["data"] != first.json()["data"]


def test_a_fault_has_the_id_and_the_headers_too(some: str, engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise ZeroDivisionError

    with running(some) as api:
        token = make_token(engine)
        monkeypatch.setattr("projections.web.asking.Asking.listed", fail)
        transport = httpx.ASGITransport(api.app, raise_app_exceptions=False)

        async def ask() -> httpx.Response:
            async with httpx.AsyncClient(transport=transport, base_url="http://t") as client:
                return await client.get("/v1/participants", headers={"Authorization": f"Bearer {token}"})

        answer = api.runner.run(ask())
    assert answer.status_code == 500
    assert answer.json()["request_id"] == answer.headers["x-request-id"]
    assert answer.headers["x-content-type-options"] == "nosniff"


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
    caplog.set_level("INFO", logger="projections.web.api")
    with running(some) as api:
        api.ask("/v1/participants/7", make_token(engine))
    [line] = [record for record in caplog.records if record.name == "projections.web.api"]
    fields = line.fields  # type: ignore[attr-defined] # our extra
    assert (line.getMessage(), fields["address"], fields["status"]) == (
        "answered",
        "/v1/participants/{participant_id:path}",
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


def test_a_token_that_asks_too_often_is_told_when_to_ask_again(some: str, engine: Engine) -> None:
    with running(some, ApiSettings(token_rate=0.5)) as api:
        token, other = make_token(engine), make_token(engine, "other")
        statuses = [api.ask("/v1/status", token).status_code for _ in range(6)]
        assert statuses == [200] * 5 + [429]
        refused = api.ask("/v1/status", token)
        assert 1 <= int(refused.headers["retry-after"]) <= 2
        assert refused.headers["content-type"] == "application/problem+json"
        assert api.ask("/v1/status", other).status_code == 200


def test_wrong_tokens_are_limited_by_address_and_do_not_shut_out_the_right_one(some: str, engine: Engine) -> None:
    with running(some) as api:
        token = make_token(engine)
        assert api.ask("/v1/status", token).status_code == 200
        statuses = [api.ask("/v1/status", f"wrong{number}").status_code for number in range(70)]
        assert set(statuses[:60]) == {401}
        assert statuses[-1] == 429
        assert int(api.ask("/v1/status", "wrong").headers["retry-after"]) >= 1
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
        used = {row[0]: row[5] for row in tokens.listed(connection)}
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


def test_a_question_that_takes_too_long_is_ended_and_says_so(
    some: str, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    with engine.begin() as connection:
        connection.execute(text(
            "create or replace function unaccented(in_text text) returns text language sql volatile as "
            "$$ select pg_sleep(60)::text $$"
        ))  # fmt: skip
    monkeypatch.setattr("ingest.database._STATEMENT_TIMEOUT", "200ms")
    with running(some) as api:
        answer = api.ask("/v1/participants", make_token(engine), q="anna")
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
    assert "takes too long" in answer.json()["detail"]


def test_a_slow_reader_loses_its_export(
    some: str, engine: Engine, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("projections.web.exports._SEND_SECONDS", 0.2)
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
