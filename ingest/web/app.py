"""Puts a server's parts together: their routes, what runs while they are served, and whether they are ready."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from ingest.web.bounds import Bounds
from ingest.web.front_page import front_page
from ingest.web.headers import AnswerHeaders
from ingest.web.problems import on_fault, on_http_exception, problem

ErrorHandler = Callable[[Request, Exception], Awaitable[Response]]
Check = Callable[[], Coroutine[object, object, str | None]]

CHECK_SECONDS = 1.5  # that a check may wait for the database; readiness is answered within two seconds
_LATEST_SECONDS = 1.8  # that a check may take


@dataclass(frozen=True, slots=True)
class Part:
    """One part of a server: its routes, the context that runs while they are served, its readiness checks by name, the
    handlers of its exceptions, the bounds of connections, if it needs others than usual, and what the page at `/` says
    of it, as HTML. A check gives what hinders the part; None if nothing does.
    """

    routes: Sequence[BaseRoute]
    running: Callable[[], AbstractAsyncContextManager[object]]
    checks: Mapping[str, Check]
    errors: Mapping[type[Exception], ErrorHandler] = field(default_factory=dict)
    bounds: Bounds | None = None
    about: str = ""


def build_app(parts: Sequence[Part]) -> Starlette:
    """One application of these parts, with `/healthz` and `/readyz`; every error is a problem document."""

    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            for part in parts:
                await stack.enter_async_context(part.running())
            yield

    async def healthz(_request: Request) -> Response:
        return JSONResponse({"status": "ok"})

    async def readyz(_request: Request) -> Response:
        hindrances = await _hindrances({name: check for part in parts for name, check in part.checks.items()})
        if hindrances:
            return problem(503, f"Not ready: {'; '.join(hindrances)}.", {"Retry-After": "2"})
        return JSONResponse({"status": "ready"})

    page = front_page([part.about for part in parts if part.about])
    routes: list[BaseRoute] = [*(route for part in parts for route in part.routes), page]
    errors = {kind: handler for part in parts for kind, handler in part.errors.items()}
    app = Starlette(
        routes=[*routes, Route("/healthz", healthz), Route("/readyz", readyz)],
        lifespan=lifespan,
        middleware=[Middleware(AnswerHeaders)],
        exception_handlers={HTTPException: on_http_exception, Exception: on_fault, **errors},
    )
    app.state.bounds = next((part.bounds for part in parts if part.bounds), Bounds())
    app.router.redirect_slashes = False  # a redirected POST would lose a delivery
    return app


async def _hindrances(checks: Mapping[str, Check]) -> list[str]:
    """What each check says, all at once, each with its name; a check that does not end in time hinders, too."""
    tasks = {name: asyncio.create_task(_hindrance(check)) for name, check in checks.items()}
    said = await asyncio.gather(*tasks.values())
    return [f"{name} ({why})" for name, why in zip(tasks, said, strict=True) if why is not None]


async def _hindrance(check: Check) -> str | None:
    task = asyncio.ensure_future(check())
    done, _ = await asyncio.wait([task], timeout=_LATEST_SECONDS)
    if done:
        return task.result()
    task.cancel()  # not waited for: it may be held up by what it waits for
    return "no answer"
