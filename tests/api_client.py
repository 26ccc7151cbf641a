"""The API over a real database, asked as programs ask it."""

import asyncio
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any

import httpx2 as httpx
from sqlalchemy import Engine
from starlette.types import ASGIApp

from ingest.web.app import build_app
from projections.web.access import tokens
from projections.web.api import ApiSettings, api_part
from tests.fold_all import PROJECTIONS

Ask = Callable[..., Coroutine[Any, Any, httpx.Response]]


class Api:
    """An application that runs, and a way to ask it: `ask("/v1/participants", token, limit=3)`."""

    def __init__(self, app: ASGIApp, runner: asyncio.Runner, client: httpx.AsyncClient) -> None:
        self.app = app
        self.runner = runner
        self.client = client

    def ask(self, path: str, token: str | None = None, **query: Any) -> httpx.Response:  # noqa: ANN401
        return self.runner.run(ask(self.client, path, token, **query))

    def listed(self, path: str, token: str, **query: Any) -> list[dict[str, Any]]:  # noqa: ANN401
        """All of a list, page by page."""
        rows: list[dict[str, Any]] = []
        cursor: dict[str, str] = {}
        while True:
            answer = self.ask(path, token, **query, **cursor)
            assert answer.status_code == 200, answer.text
            rows += answer.json()["data"]
            if answer.json()["next"] is None:
                return rows
            cursor = {"cursor": answer.json()["next"]}


async def ask(client: httpx.AsyncClient, path: str, token: str | None = None, **query: Any) -> httpx.Response:  # noqa: ANN401
    headers = {b"Authorization": f"Bearer {token}".encode()} if token else {}
    headers |= {name.encode(): value.encode() for name, value in query.pop("headers", {}).items()}
    return await client.request(query.pop("method", "GET"), path, headers=headers, params=query or None)


@contextmanager
def running(conninfo: str, settings: ApiSettings | None = None) -> Iterator[Api]:
    """The application, for a block."""
    app = build_app([api_part(conninfo, PROJECTIONS, settings, conninfo)])
    with asyncio.Runner() as runner:
        lifespan = app.router.lifespan_context(app)
        runner.run(_entered(lifespan))
        client = httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://t")
        try:
            yield Api(app, runner, client)
        finally:
            runner.run(client.aclose())
            runner.run(_left(lifespan))


async def _entered(lifespan: Any) -> None:  # noqa: ANN401 - Starlette's
    await lifespan.__aenter__()


async def _left(lifespan: Any) -> None:  # noqa: ANN401
    await lifespan.__aexit__(None, None, None)


def get(conninfo: str, path: str, token: str | None = None, **query: Any) -> httpx.Response:  # noqa: ANN401
    """One question to an application of its own."""
    with running(conninfo) as api:
        return api.ask(path, token, **query)


def make_token(
    engine: Engine,
    name: str = "t",
    source: str = "movemint",
    events: tuple[str, ...] = (),
    ends: datetime | None = None,
) -> str:
    with engine.begin() as connection:
        return tokens.create(connection, name, source, events, ends)


def scope_of(path: str, token: str) -> dict[str, Any]:
    """A request as a server hands it to the application."""
    return {
        "type": "http", "asgi": {"version": "3.0", "spec_version": "2.3"}, "method": "GET", "scheme": "http",
        "path": path, "raw_path": path.encode(), "query_string": b"", "root_path": "", "http_version": "1.1",
        "headers": [(b"authorization", f"Bearer {token}".encode())], "client": ("127.0.0.1", 1), "server": ("t", 80),
    }  # fmt: skip
