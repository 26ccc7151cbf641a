"""Puts a server's parts together: their routes, what runs while they are served, readiness, metrics."""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from functools import partial

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route
from starlette.types import Lifespan

from ingest.metrics import Reading
from ingest.web.bounds import Bounds
from ingest.web.clients import Clients
from ingest.web.figures import DatabaseFigures
from ingest.web.front_page import front_page
from ingest.web.headers import AnswerHeaders
from ingest.web.metrics import Metrics, Total, of_one_process
from ingest.web.problems import on_fault, on_http_exception
from ingest.web.readiness import ROSTER, Check, Remark, Served, readiness_routes
from ingest.web.shortcut import Shortcuts

_SCRAPERS = 64  # connections to the port of metrics

ErrorHandler = Callable[[Request, Exception], Awaitable[Response]]


def _no_readings() -> Iterable[Reading]:
    return ()


def _nothing_to_read() -> None:
    pass


@dataclass(frozen=True, slots=True)
class Part:
    """One part of a server: its routes, the context that runs while they are served, its readiness checks by name, and
    what they are of (`serves`); the handlers of its exceptions, the bounds of connections, if it needs others than
    usual, its metrics, the requests that it takes by a shortcut, which may change while it is served, what reads its
    files again, and what the page at `/` says of it, as HTML. A check gives what hinders the part; None if nothing
    does.
    """

    routes: Sequence[BaseRoute]
    running: Callable[[], AbstractAsyncContextManager[object]]
    checks: Mapping[str, Check]
    errors: Mapping[type[Exception], ErrorHandler] = field(default_factory=dict)
    bounds: Bounds | None = None
    readings: Callable[[], Iterable[Reading]] = _no_readings
    shortcuts: Shortcuts | None = None
    read_again: Callable[[], None] = _nothing_to_read
    serves: Served = ROSTER
    about: str = ""
    remarks: Sequence[Remark] = ()


def build_app(
    parts: Sequence[Part], figures: DatabaseFigures | None = None, total: Total = of_one_process
) -> Starlette:
    """One application of these parts, with `/healthz`, `/livez` and `/readyz`; every error is a problem document.

    `figures`: what its metrics read from the database. `total`: what makes its readings those of all processes.
    """
    clients = Clients(next((part.bounds for part in parts if part.bounds), Bounds()))
    metrics = Metrics([clients.readings, *(part.readings for part in parts)], figures, total)

    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            stack.push_async_callback(metrics.close)
            for part in parts:
                await stack.enter_async_context(part.running())
            yield

    checks: dict[Served, dict[str, Check]] = {}
    remarks: dict[Served, list[Remark]] = {}
    for part in parts:
        checks.setdefault(part.serves, {}).update(part.checks)
        remarks.setdefault(part.serves, []).extend(part.remarks)
    page = front_page([part.about for part in parts if part.about])
    routes: list[BaseRoute] = [*(route for part in parts for route in part.routes), page]
    errors = {kind: handler for part in parts for kind, handler in part.errors.items()}
    app = _application([*routes, *readiness_routes(checks, remarks)], errors, clients, lifespan)
    app.state.metrics = metrics
    app.state.shortcuts = next((part.shortcuts for part in parts if part.shortcuts is not None), {})
    app.state.read_again = partial(_read_again, parts)
    observed = [*readiness_routes(checks, remarks), Route("/metrics", metrics.answer)]
    app.state.observation = _application(observed, {}, Clients(Bounds(connections=_SCRAPERS)))
    return app


def _read_again(parts: Sequence[Part]) -> None:
    for part in parts:
        part.read_again()


def _application(
    routes: Sequence[BaseRoute],
    errors: Mapping[type[Exception], ErrorHandler],
    clients: Clients,
    lifespan: Lifespan[Starlette] | None = None,
) -> Starlette:
    app = Starlette(
        routes=routes,
        lifespan=lifespan,
        middleware=[Middleware(AnswerHeaders)],
        exception_handlers={HTTPException: on_http_exception, Exception: on_fault, **errors},
    )
    app.state.clients = clients
    app.state.shortcuts = {}
    app.router.redirect_slashes = False  # a redirected POST would lose a delivery
    return app
