"""The read API under `/v1` as a part of a server: routes, background tasks, readiness checks, error handlers."""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import BaseRoute

from ingest.database import API_ROLE, async_engine, sync_engine
from ingest.metrics import Reading
from ingest.read_hosts import ReadHost, read_hosts
from ingest.session import SERVING
from ingest.settings import Settings
from ingest.sqlstate import error_fields
from ingest.web.app import ErrorHandler, Part
from ingest.web.headers import REQUEST_ID
from ingest.web.meant import NothingRoute
from ingest.web.metrics import Metrics
from ingest.web.problems import problem
from projections.folding.projection import Projection
from projections.folding.status import read_source
from projections.web.access.bearer import Bearers
from projections.web.access.sessions import Sessions
from projections.web.access.token_use import TokenUse
from projections.web.addresses import AddressRoute
from projections.web.allowance import HeldBytes
from projections.web.answer_log import AnswerLog, NotedAnswers
from projections.web.dispatch import DATABASE_AWAY, Dispatch
from projections.web.docs_page import document_routes
from projections.web.endpoint import Endpoint, EndpointRequest, One
from projections.web.endpoints import ENDPOINTS
from projections.web.exports import Exports
from projections.web.hindrances import roster_checks
from projections.web.kept_numbers import KeptNumbers
from projections.web.masks import Masks
from projections.web.openapi import document
from projections.web.pages.operations import read_operations
from projections.web.pages.pages import Pages
from projections.web.parameters import Nothing
from projections.web.question import COMPARED, FOLLOWED_BY, POSITION, WARNING, Question
from projections.web.replicas import Replicas
from projections.web.unreadable import unreadable
from projections.web.waiting import Waiting

logger = logging.getLogger(__name__)

_COMPRESSED_FROM = 2_000  # bytes
_COMPRESSION = 4  # gzip's level, of 9: most of the gain in a third of the time
_METHODS = ("GET", "HEAD", "OPTIONS")
_ALLOWED = {"Allow": ", ".join(_METHODS)}
_SCRAPED = ("GET", "HEAD")
_METRICS = "/metrics"
_NOT_LOOKED_UP = (
    "The database is away, so this token cannot be looked up; on the port of ROSTERLOG_METRICS_PORT none is asked for."
)
_NOTHING = "/v1/..."  # the name of all addresses at which there is no endpoint
_EXPOSED = (POSITION, COMPARED, FOLLOWED_BY, WARNING, "ETag", "Link", "Retry-After", "Content-Disposition", REQUEST_ID)


@dataclass(frozen=True, slots=True)
class ApiSettings:
    """`token_rate`: requests per second of a token, in the long run. `origins`: CORS origins that may read the API.

    `page_bytes`: of a page's rows, after which it ends early. `held_bytes`: of all large answers that are being read or
    sent. `public_url`: where clients find the API; None: at the addresses that they ask. `processes`: how many of one
    server share these limits. `data_dir`: of the embedded database; None for another one. `replicas`: the hosts
    of `READ_DATABASE_URL`; `most_behind`: seconds, after which one of them is left out; 0: never.
    """

    token_rate: float = 500.0
    origins: tuple[str, ...] = ()
    page_bytes: int = 8_000_000
    held_bytes: int = 64_000_000
    public_url: str | None = None
    processes: int = 1
    data_dir: Path | None = None
    replicas: Sequence[ReadHost] = ()
    most_behind: float = 30.0


def api_settings(settings: Settings, processes: int = 1) -> ApiSettings:
    """The settings that the API needs."""
    return ApiSettings(
        settings.token_rate,
        settings.cors_origins,
        public_url=settings.public_url,
        processes=processes,
        data_dir=settings.data_dir if settings.database_url is None else None,
        replicas=() if (read := settings.read_database_url) is None else read_hosts(read.get_secret_value()),
        most_behind=settings.read_max_lag,
    )


class Api:
    """The endpoints, over read-only sessions of the database of `conninfo`, or of its replicas, if there are any.

    `primary`: conninfo of the database in which the use of tokens is recorded; None: it is not recorded. If it is
    another one than that of `conninfo`, it is read as well while no replica can be.
    """

    def __init__(
        self, conninfo: str, projections: Sequence[Projection], settings: ApiSettings, primary: str | None
    ) -> None:
        self._projections = projections
        self._settings = settings
        read_too = None if primary == conninfo else primary
        self._replicas = Replicas(settings.replicas or [ReadHost(1, conninfo)], read_too, settings.most_behind)
        self._writing = async_engine(primary or conninfo, API_ROLE, read_only=False)
        self._waiting = Waiting(self._replicas.answering, DATABASE_AWAY)
        self._token_use = TokenUse(None if primary is None else self._writing, DATABASE_AWAY)
        self._bearers = Bearers(self._replicas.answering, self._token_use, settings.token_rate, settings.processes)
        self._masks = Masks(self._replicas.exporting)
        self._answer_log = AnswerLog()
        held = HeldBytes(settings.held_bytes // settings.processes)
        self._dispatch = Dispatch(
            self._replicas,
            self._bearers,
            self._waiting,
            self._masks,
            settings.page_bytes,
            held,
            settings.public_url,
        )
        self._exports = Exports(self._replicas.exporting, self._dispatch)
        self._looking = sync_engine(primary or conninfo, API_ROLE, SERVING, read_only=True)
        operations = partial(read_operations, self._looking, projections, settings.data_dir)
        public_url, sessions = settings.public_url, Sessions(self._writing)
        self._kept = KeptNumbers(self._replicas.exporting)
        self._pages = Pages(
            self._dispatch, self._exports, self._bearers, sessions, self._kept, operations, self._noted, public_url
        )

    def part(self) -> Part:
        checks = roster_checks(self._replicas, self._projections)
        handlers: dict[type[Exception], ErrorHandler] = dict.fromkeys(DATABASE_AWAY, _on_database_error)
        handlers[ClientDisconnect] = _on_disconnect
        handlers[HTTPException] = self._pages.on_http_exception_of_browser
        handlers[Exception] = self._pages.on_fault_of_browser
        remarks = [self._replicas.remark]
        return Part(self._routes(), self._running, checks, handlers, readings=self._readings, remarks=remarks)

    def document(self) -> dict[str, Any]:
        """The OpenAPI document of all endpoints."""
        return document([*self._endpoints, *self._exports.endpoints], self._settings.public_url)

    @property
    def _endpoints(self) -> tuple[Endpoint[Any], ...]:
        summary = "How far the log and the roster are."
        # The answer has the head of the log, which is not a part of the roster's revision.
        status = Endpoint("/v1/status", "getStatus", summary, Nothing, "Status", self.status, is_of_revision=False)
        return (*ENDPOINTS, status)

    def _routes(self) -> list[BaseRoute]:
        return [
            *(self._route(endpoint, self._exports.answer) for endpoint in self._exports.endpoints),
            *(self._route(endpoint, self._dispatch.answer) for endpoint in self._endpoints),
            *document_routes(self.document),
            *self._pages.routes(),
            AddressRoute(_METRICS, self._metrics, [self._noted(_METRICS)]),
            NothingRoute("/v1", self._nothing, [self._noted(_NOTHING)]),
        ]

    def _noted(self, endpoint: str) -> Middleware:
        return Middleware(NotedAnswers, endpoint=endpoint, note=self._answer_log.note)

    async def _nothing(self, request: Request) -> Response:
        """The refusal of an address below `/v1` without an endpoint. It costs a stranger's request no query."""
        self._bearers.recognises(request)
        raise HTTPException(404)

    async def _metrics(self, request: Request) -> Response:
        """The metrics of the whole server, for an operator; without a token they have a port of their own."""
        if request.method not in _SCRAPED:
            self._bearers.recognises(request)
            raise HTTPException(405, headers={"Allow": ", ".join(_SCRAPED)})
        try:
            await self._dispatch.admit_operator(request)
        except DATABASE_AWAY:
            return problem(503, _NOT_LOOKED_UP, {"Retry-After": "2"})
        metrics: Metrics = request.app.state.metrics
        return await metrics.answer(request)

    def _route(
        self, endpoint: Endpoint[Any], answer: Callable[[Endpoint[Any], Request], Awaitable[Response]]
    ) -> BaseRoute:
        async def respond(request: Request) -> Response:
            if request.method == "OPTIONS":
                return Response(status_code=204, headers=_ALLOWED)
            if request.method not in _METHODS:
                self._bearers.recognises(request)
                raise HTTPException(405, headers=_ALLOWED)
            return await answer(endpoint, request)

        middleware = [Middleware(GZipMiddleware, minimum_size=_COMPRESSED_FROM, compresslevel=_COMPRESSION)]
        if self._settings.origins:
            cors = Middleware(
                CORSMiddleware,
                allow_origins=self._settings.origins,
                allow_methods=_METHODS,
                allow_headers=["Authorization", "If-None-Match", REQUEST_ID],
                expose_headers=_EXPOSED,
            )
            middleware.insert(0, cors)
        middleware.insert(0, self._noted(endpoint.path))
        return AddressRoute(endpoint.path, respond, middleware)

    async def status(self, question: Question, _request: EndpointRequest[Nothing]) -> One:
        status = await question.connection.run_sync(read_source, self._projections, question.scope.source)
        return One({"sources": [status.as_json()]})

    def _readings(self) -> list[Reading]:
        return [*self._answer_log.readings(), *self._replicas.readings()]

    @asynccontextmanager
    async def _running(self) -> AsyncIterator[None]:
        await self._replicas.begin()
        runs = (self._replicas.run, self._waiting.run, self._token_use.run, self._answer_log.run)
        tasks = [asyncio.create_task(run()) for run in runs]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)
            await self._masks.close()
            await self._kept.close()
            self._answer_log.flush()
            await self._token_use.flush()
            await self._replicas.close()
            await self._writing.dispose()
            self._looking.dispose()


def api_part(
    conninfo: str,
    projections: Sequence[Projection],
    settings: ApiSettings | None = None,
    primary: str | None = None,
) -> Part:
    """The read API on a database or a replica. `primary`: conninfo of the database that records the use of tokens."""
    return Api(conninfo, projections, settings or ApiSettings(), primary).part()


async def _on_disconnect(_request: Request, _error: Exception) -> Response:
    return Response(status_code=499)  # for the log only: the client is gone


async def _on_database_error(_request: Request, error: Exception) -> Response:
    why = unreadable(error)
    if not why.is_slow:
        logger.error("roster unreadable", extra={"fields": error_fields(error)})
    return problem(503, why.detail, {"Retry-After": why.retry_after}, {"code": why.code} if why.code else None)
