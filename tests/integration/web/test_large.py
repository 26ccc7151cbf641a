"""Large rows: a page ends early by its bytes, the next goes on there, and what all answers hold together is bounded."""

import asyncio
from typing import Any

import httpx2 as httpx
import pytest
from sqlalchemy import Engine

from ingest import postgres
from ingest.database import WORKER_ROLE, sync_engine
from projections.web.access import tokens
from projections.web.allowance import SMALL
from projections.web.api import ApiSettings
from tests import model
from tests.api_client import Api, ask, make_token, running, scope_of
from tests.conftest import create
from tests.erased_person import erase
from tests.fold_all import drain, query

PEOPLE = 30
NOTE = 40_000  # bytes of a person's note: without their other columns
PAGE = 400_000
OVERHEAD = 1_000  # of an answer besides its rows
LISTS: tuple[tuple[str, dict[str, Any]], ...] = (
    ("/v1/participants", {}),
    ("/v1/participants", {"sort": "-last_name", "count": "exact"}),
    ("/v1/participants", {"q": "anna"}),
    ("/v1/participants", {"as_of": 2 * PEOPLE}),
    ("/v1/changes", {"after": "0"}),
    ("/v1/participants/many/history", {}),
    ("/v1/events", {}),
)


@pytest.fixture(scope="module")
def large(server: postgres.Server, template: str) -> str:
    """Thirty people with large notes, each in an event of a long name, and one person with thirty large states.

    Tests change nothing there but tokens.
    """
    return fill(create(server, template))


@pytest.fixture
def token(large: str) -> str:
    engine = sync_engine(large)
    with engine.begin() as connection:
        tokens.revoke(connection, "t")
        token = tokens.create(connection, "t", "movemint", (), None)
    engine.dispose()
    return token


def fill(database: str) -> str:
    people = [
        model.body(
            number, note=str(number % 10) * NOTE, event_id=number, event_name="\N{RUNNER}" * (NOTE // 4),
            first_name="Anna", last_name=f"l{number % 7}",
        )
        for number in range(PEOPLE)
    ]  # fmt: skip
    states = [model.body("many", note=f"{number:02}" * (NOTE // 2), first_name="Anna") for number in range(PEOPLE)]
    model.append(database, [*people, *states])
    worker = sync_engine(database, WORKER_ROLE)
    drain(worker)
    worker.dispose()
    return database


def pages(api: Api, path: str, token: str, **query_: Any) -> list[dict[str, Any]]:  # noqa: ANN401
    """The pages of a list, each within its bytes, or of a single row."""
    found: list[dict[str, Any]] = []
    cursor: dict[str, str] = {}
    while True:
        answer = api.ask(path, token, limit=query_.get("limit", 100), **query_, **cursor)
        assert answer.status_code == 200, answer.text
        assert len(answer.content) <= PAGE + OVERHEAD or len(answer.json()["data"]) == 1
        assert answer.json()["data"]
        found.append(answer.json())
        if found[-1]["next"] is None:
            assert "link" not in answer.headers
            return found
        cursor = {"cursor": found[-1]["next"]}


@pytest.mark.parametrize(("path", "asked"), LISTS, ids=[f"{path} {asked}" for path, asked in LISTS])
def test_a_page_ends_by_its_bytes_and_the_next_goes_on_there(
    large: str, token: str, path: str, asked: dict[str, Any]
) -> None:
    with running(large) as api:
        whole = api.ask(path, token, limit=100, **asked).json()
    with running(large, ApiSettings(page_bytes=PAGE)) as api:
        parts = pages(api, path, token, **asked)
    assert whole["next"] is None
    assert [row for part in parts for row in part["data"]] == whole["data"]
    assert len(parts) > 3
    assert len(parts[0]["data"]) > 1
    assert {part.get("count") for part in parts} == {whole.get("count")}


@pytest.mark.parametrize(("path", "asked"), LISTS, ids=[f"{path} {asked}" for path, asked in LISTS])
def test_a_row_that_is_larger_than_a_page_is_a_page(large: str, token: str, path: str, asked: dict[str, Any]) -> None:
    with running(large, ApiSettings(page_bytes=1_000)) as api:
        parts = pages(api, path, token, **asked)
    assert {len(part["data"]) for part in parts} == {1}


def test_a_follower_has_the_roster_whatever_the_size_of_its_pages(
    database: str, engine: Engine, worker_engine: Engine, operator: Engine
) -> None:
    """Changes by events, removals and changes beside the log, by places instead of cursors."""
    fill(database)
    token = make_token(engine, events=tuple(str(number) for number in range(0, PEOPLE, 2)))
    copy: dict[str, Any] = {}
    with running(database, ApiSettings(page_bytes=PAGE)) as api:
        after = "0"
        for number in range(40):
            page = api.ask("/v1/changes", token, after=after).json()
            for change in page["data"]:
                if change["change"] == "upserted":
                    copy[change["participant_id"]] = change["participant"]
                else:
                    copy.pop(change["participant_id"], None)
            after = page["after"]
            if number < 4:
                for id_ in (2 * number, 2 * number + 20):
                    erase(operator, str(id_))
                model.append(database, [model.body(2 * number + 10, event_id=1), model.body(1, event_id=2 * number)])
                drain(worker_engine)
            elif page["next"] is None:
                break
        assert page["next"] is None
        listed = api.listed("/v1/participants", token)
    assert copy == {row["participant_id"]: row for row in listed}


async def begin_and_take_nothing(
    api: Api, token: str, path: str, query_string: bytes
) -> tuple[asyncio.Task[None], int]:
    """A client that takes nothing of its answer; gives the request under way and the bytes that it holds."""
    begun: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    never = asyncio.Event()

    async def receive() -> Any:  # noqa: ANN401
        await never.wait()

    async def send(message: Any) -> None:  # noqa: ANN401
        if message["type"] == "http.response.start":
            assert message["status"] == 200
            begun.set_result(int(dict(message["headers"])[b"content-length"]))
        await never.wait()

    scope = {**scope_of(path, token), "query_string": query_string}
    task = asyncio.ensure_future(api.app(scope, receive, send))
    return task, await begun


def test_large_answers_together_hold_a_bounded_number_of_bytes(large: str, token: str) -> None:
    """Ten clients that take nothing: the first answers are whole, the next ones small, and none is refused."""
    settings = ApiSettings(held_bytes=3 * 1_000_000)
    with running(large, settings) as api:

        async def scenario() -> list[int]:
            every = [await begin_and_take_nothing(api, token, "/v1/participants", b"limit=100") for _ in range(10)]
            one = await ask(api.client, "/v1/participants/3", token)
            assert one.status_code == 200, "an answer that is not large is given all the same"
            for task, _ in every:
                task.cancel()
            await asyncio.wait([task for task, _ in every])
            return [size for _, size in every]

        sizes = api.runner.run(scenario())
        assert sizes[0] > 2_400_000
        assert sum(size - SMALL for size in sizes) <= settings.held_bytes
        assert all(size > 80_000 for size in sizes)
        again = api.ask("/v1/participants", token, limit=100)
        assert len(again.content) == sizes[0], "what they held is given back"


def test_an_answer_that_fails_gives_back_what_it_held(large: str, token: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise ZeroDivisionError

    with running(large, ApiSettings(held_bytes=3 * 1_000_000)) as api:
        whole = api.ask("/v1/participants", token, limit=100).content
        with monkeypatch.context() as broken:
            broken.setattr("projections.web.dispatch.answer", fail)
            with pytest.raises(ZeroDivisionError):
                api.ask("/v1/participants", token, limit=100)
        assert len(api.ask("/v1/participants", token, limit=100).content) == len(whole)


def test_a_single_row_that_cannot_be_held_now_is_asked_for_again(
    database: str, engine: Engine, worker_engine: Engine
) -> None:
    columns = dict.fromkeys(("first_name", "last_name", "email", "phone", "team", "wave", "city", "state"), "x" * 10000)
    model.append(database, [model.body("large", note="x" * 170_000, **columns)])
    drain(worker_engine)
    with running(database, ApiSettings(held_bytes=120_000)) as api:
        token = make_token(engine)

        async def while_another_is_sent() -> list[httpx.Response]:
            task, _ = await begin_and_take_nothing(api, token, "/v1/participants/large", b"")
            paths = ("/v1/participants/large", "/v1/participants", "/v1/changes", "/v1/participants/large/history")
            answers = [await ask(api.client, path, token) for path in paths]
            task.cancel()
            await asyncio.wait([task])
            return answers

        for answer in api.runner.run(while_another_is_sent()):
            assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
            assert "Too many large answers" in answer.json()["detail"]
        for path in ("/v1/participants/large", "/v1/participants"):
            assert api.ask(path, token).status_code == 200


def test_an_answer_that_ends_early_leaves_its_session_usable(large: str, token: str) -> None:
    with running(large, ApiSettings(page_bytes=PAGE)) as api:
        for _ in range(30):
            assert api.ask("/v1/participants", token, limit=100).json()["next"] is not None
        [(sessions,)] = query(
            large,
            "select count(*) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid() "
            "and backend_type = 'client backend'",
        )
    assert sessions <= 4  # with the one that notes the use of tokens, every second
