"""The webhook's server as it is, with bounds of a test's own: `python -m tests.bounded_server DATABASE PORT BOUNDS`."""

import asyncio
import json
import resource
import sys
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import replace

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import BaseRoute, Route
from starlette.types import ASGIApp, Receive, Scope, Send

from ingest.logs import configure_logging
from ingest.settings import read_settings
from ingest.web.app import Part, build_app
from ingest.web.bounds import Bounds
from ingest.web.serve import bind, run_server, serve
from ingest.webhook_part import ingest_part
from tests import model
from tests.program import Running, environ, free_port, running

BY_APPLICATION = "the application has it:"
COMMAND = (sys.executable, "-m", "tests.bounded_server")
LARGE = 24_000_000  # bytes of `/large`: more than the buffers of both sides hold


@contextmanager
def bounded_server(database: str, bounds: Mapping[str, float], descriptors: int = 0) -> Iterator[tuple[Running, int]]:
    """A server process with these bounds, and its port. `descriptors` is the process's limit, 0 for the machine's."""
    port = free_port()
    env = environ(MOVEMINT_WEBHOOK_SECRET=model.SECRET.decode())
    arguments = (database, str(port), json.dumps(dict(bounds)), str(descriptors))
    with running(*arguments, env=env, command=COMMAND) as server:
        server.line("^up$")
        yield server, port


async def _large(_request: Request) -> Response:
    async def pieces() -> AsyncIterator[bytes]:
        sent = 0
        try:
            while sent < LARGE:
                yield b"x" * 60_000
                sent += 60_000
                await asyncio.sleep(0)
        finally:
            print(f"large: {sent}", flush=True)  # noqa: T201

    return StreamingResponse(pieces(), headers={"content-length": str(LARGE)})


def _telling(route: BaseRoute) -> BaseRoute:
    """The route of the webhook, which says when the application gets a delivery; others as they are."""
    if not isinstance(route, Route) or route.path != "/webhooks/{source}":
        return route
    return Route(route.path, _Telling(route.app), methods=["POST"])


class _Telling:
    """An ASGI application."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        print(BY_APPLICATION, scope["query_string"].decode(), flush=True)  # noqa: T201
        await self.app(scope, receive, send)


def main() -> None:
    database, port, bounds, descriptors = sys.argv[1:]
    if limit := int(descriptors):
        resource.setrlimit(resource.RLIMIT_NOFILE, (limit // 2, limit))  # the server raises the first itself
    configure_logging("info")
    settings = read_settings({"MOVEMINT_WEBHOOK_SECRET": model.SECRET.decode()})
    webhook = ingest_part(settings, settings.sources, database)
    webhook = replace(webhook, bounds=Bounds(**json.loads(bounds)), routes=[*map(_telling, webhook.routes)])
    app = build_app([webhook, Part([Route("/large", _large)], nullcontext, {})])
    run_server(serve(app, bind("127.0.0.1", int(port)), lambda: print("up", flush=True)))  # noqa: T201


if __name__ == "__main__":
    main()
