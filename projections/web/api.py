"""The read API under `/v1`: who asks, what they may see, and the answers as JSON. The queries are the projections'."""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial

import psycopg
from pydantic_core import to_json
from sqlalchemy import select, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from ingest.app import Part
from ingest.database import API_ROLE, async_engine
from ingest.problems import problem
from projections.participants import query
from projections.projection import Projection
from projections.status import read_projections, read_status
from projections.web import cursor, tokens

log = logging.getLogger(__name__)

LARGEST_PAGE = 1000
DEFAULT_PAGE = 100
_DATABASE_ERRORS = (DBAPIError, PoolTimeout, psycopg.Error, TimeoutError)
_READY_SECONDS = 2.0
_ANSWER_SECONDS = 20.0  # beyond the statement time-out, for a database that does not even refuse


@dataclass(frozen=True, slots=True)
class Asking:
    """One authorised request: its scope, its snapshot of the database, and the position that snapshot reflects."""

    connection: AsyncConnection
    scope: tokens.Scope
    position: int

    as_of: int | None = None

    @property
    def view(self) -> query.View:
        return query.View(self.scope.source, self.scope.event_ids, self.as_of)

    @property
    def headers(self) -> dict[str, str]:
        return {"Rosterlog-Position": str(self.position)}

    async def back_to(self, given: str | None) -> "Asking":
        """The same as of an earlier position or time; itself if none is given."""
        if given is None:
            return self
        position = await _position_of(self, given)
        return replace(self, position=position, as_of=position)

    def answer(self, content: object) -> Response:
        return Response(to_json(content), headers=self.headers, media_type="application/json")

    def refuse(self, status: int, detail: str) -> HTTPException:
        return HTTPException(status, detail, self.headers)


class Api:
    """The endpoints over one engine, whose sessions can only read."""

    def __init__(self, engine: AsyncEngine, projections: Sequence[Projection]) -> None:
        self._engine = engine
        self._projections = projections

    def part(self) -> Part:
        routes = [
            Route("/v1/participants", self.participants),
            Route("/v1/participants/{participant_id:path}", self.participant),
            Route("/v1/status", self.status),
        ]
        errors = dict.fromkeys(_DATABASE_ERRORS, _on_database_error)
        checks: dict[str, Callable[[], Awaitable[bool]]] = {"roster": self._is_ready}
        for one in self._projections:
            checks[f"{one.name} (a rebuild is needed)"] = partial(self._is_as_defined, one)
        return Part(routes, self._running, checks, errors)

    async def participants(self, request: Request) -> Response:
        async with self._asking(request, ("event_id", "as_of", "limit", "cursor")) as now:
            asking = await now.back_to(request.query_params.get("as_of"))
            filters = {name: value for name, value in request.query_params.items() if name in ("event_id", "as_of")}
            limit = _limit(asking, request.query_params.get("limit"))
            after = _after(asking, request.query_params.get("cursor"), filters)
            found = await query.page(asking.connection, asking.view, filters.get("event_id"), after, limit + 1)
            shown = [query.as_json(row) for row in found[:limit]]
            following = None
            if len(found) > limit:
                following = cursor.write(shown[-1]["participant_id"], filters, asking.scope.digest)
            return asking.answer({"data": shown, "next": following, "position": asking.position})

    async def participant(self, request: Request) -> Response:
        async with self._asking(request, ("as_of",)) as now:
            asking = await now.back_to(request.query_params.get("as_of"))
            wanted = request.path_params["participant_id"]
            # NUL cannot be in an id, and PostgreSQL would refuse the question.
            found = None if "\x00" in wanted else await query.participant(asking.connection, asking.view, wanted)
            if found is None:
                raise asking.refuse(404, "This token sees no participant of this id.")
            return asking.answer(query.as_json(found))

    async def status(self, request: Request) -> Response:
        async with self._asking(request, ()) as asking:
            source = asking.scope.source
            every = await asking.connection.run_sync(read_status, self._projections, [source])
            return asking.answer({"sources": [status.as_json() for status in every if status.source == source]})

    @asynccontextmanager
    async def _asking(self, request: Request, parameters: Collection[str]) -> AsyncIterator[Asking]:
        """Authorise the request within one snapshot, so that rows and position agree."""
        token = _bearer(request)
        async with asyncio.timeout(_ANSWER_SECONDS), self._engine.connect() as connection:
            await connection.execution_options(isolation_level="REPEATABLE READ")
            found = (await connection.execute(tokens.looked_up(token))).one_or_none()
            if found is None:
                raise _unauthorised("This token is unknown, revoked or expired.")
            scope = tokens.scope_of(token, found)
            asking = Asking(connection, scope, await query.position(connection, scope.source))
            _check_parameters(asking, request, parameters)
            yield asking

    async def _is_ready(self) -> bool:
        try:
            async with asyncio.timeout(_READY_SECONDS), self._engine.connect() as connection:
                await connection.execute(select(text("1")))
        except _DATABASE_ERRORS:
            return False
        return True

    async def _is_as_defined(self, projection: Projection) -> bool:
        """Whether the live build is of this program's definition. Where nothing can be read, another check says so."""
        try:
            async with asyncio.timeout(_READY_SECONDS), self._engine.connect() as connection:
                [found] = await connection.run_sync(read_projections, [projection])
        except _DATABASE_ERRORS:
            return True
        return not found.needs_rebuild

    @asynccontextmanager
    async def _running(self) -> AsyncIterator[None]:
        yield
        await self._engine.dispose()


def api_part(conninfo: str, projections: Sequence[Projection]) -> Part:
    """The read API on a database or a replica of it."""
    return Api(async_engine(conninfo, API_ROLE, read_only=True), projections).part()


async def _on_database_error(_request: Request, error: Exception) -> Response:
    log.error("roster unreadable", extra={"fields": {"error": type(error).__name__}})
    return problem(503, "The roster cannot be read now; ask again.", {"Retry-After": "2"})


def _bearer(request: Request) -> str:
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not token.strip():
        raise _unauthorised("Send a token: Authorization: Bearer ... (rosterlog token create makes one).")
    return token.strip()


def _unauthorised(detail: str) -> HTTPException:
    return HTTPException(401, detail, {"WWW-Authenticate": 'Bearer realm="rosterlog"'})


def _check_parameters(asking: Asking, request: Request, known: Collection[str]) -> None:
    """Refuse what would otherwise be ignored, and what PostgreSQL could not even be asked."""
    for name, value in request.query_params.multi_items():
        if name not in known:
            takes = f"it takes {', '.join(known)}" if known else "it takes none"
            raise asking.refuse(400, f"There is a parameter this address does not know; {takes}.")
        if len(request.query_params.getlist(name)) > 1:
            raise asking.refuse(400, f"{name} is given more than once.")
        if "\x00" in value:
            raise asking.refuse(400, f"{name} has a NUL character.")


def _limit(asking: Asking, given: str | None) -> int:
    if given is None:
        return DEFAULT_PAGE
    if given.isascii() and given.isdigit() and len(given) < 9 and 1 <= int(given) <= LARGEST_PAGE:
        return int(given)
    raise asking.refuse(400, f"limit must be a whole number from 1 to {LARGEST_PAGE}.")


async def _position_of(asking: Asking, as_of: str) -> int:
    """The position that `as_of` names, or that was reached at the time it names."""
    if as_of.isascii() and as_of.isdigit() and len(as_of) < 19:
        found = int(as_of)
    else:
        try:
            moment = datetime.fromisoformat(as_of)
            moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
        except (ValueError, OverflowError):
            detail = "as_of must be a position, or a time such as 2026-05-01T09:30:00Z."
            raise asking.refuse(400, detail) from None
        found = min(await query.position_at(asking.connection, asking.scope.source, moment), asking.position)
    if found > asking.position:
        raise asking.refuse(400, f"as_of is beyond the roster, which is at position {asking.position}.")
    return found


def _after(asking: Asking, given: str | None, filters: dict[str, str]) -> str | None:
    if given is None:
        return None
    try:
        return cursor.read(given, filters, asking.scope.digest)
    except cursor.WrongCursor:
        detail = "cursor was not made for this query and this token; start again without it."
        raise asking.refuse(400, detail) from None
