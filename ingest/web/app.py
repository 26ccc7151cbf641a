"""Puts a server's parts together: their routes, what runs while they are served, and whether they are ready."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from ingest.web.bounds import Bounds
from ingest.web.headers import AnswerHeaders
from ingest.web.problems import on_fault, on_http_exception, problem

ErrorHandler = Callable[[Request, Exception], Awaitable[Response]]


@dataclass(frozen=True, slots=True)
class Part:
    """One part of a server: its routes, the context that runs while they are served, its readiness checks by name, the
    handlers of its exceptions, and the bounds of connections, if it needs others than usual.
    """

    routes: Sequence[BaseRoute]
    running: Callable[[], AbstractAsyncContextManager[object]]
    checks: Mapping[str, Callable[[], Awaitable[bool]]]
    errors: Mapping[type[Exception], ErrorHandler] = field(default_factory=dict)
    bounds: Bounds | None = None


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
        failing = [name for part in parts for name, check in part.checks.items() if not await check()]
        if failing:
            return problem(503, f"Not ready: {', '.join(failing)}.", {"Retry-After": "2"})
        return JSONResponse({"status": "ready"})

    routes = [route for part in parts for route in part.routes]
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
