"""Lets a question in: its token, its limits, one snapshot of the database, and the wait for a state it asks for."""

import asyncio
import math
import operator
import time
from collections import Counter, OrderedDict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import Protocol

from sqlalchemy.ext.asyncio import AsyncEngine
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from projections.roster.criteria import Refused, read, split_answers
from projections.roster.roster import State
from projections.web.access import tokens
from projections.web.access.limits import Buckets, Limit
from projections.web.access.token_use import TokensInUse
from projections.web.endpoint import Address, Given
from projections.web.question import Asking, NotYet
from projections.web.waiting import Watch

WRONG_TOKENS = Limit(per_second=1, at_once=60)
_BURST_SECONDS = 10  # a token that rested may spend so many seconds' requests at once
_ANSWER_SECONDS = 20.0  # beyond the statement time-out, for a database that does not even refuse
_POSITION_SECONDS = 10.0  # how long an answer waits for its `min_position`
_MOST_KNOWN = 10_000
_LIVE_SECONDS = 1.0


class Attempt(Protocol):
    """Answers, or raises `NotYet`, which it may not if there is no more time to wait."""

    async def __call__(self, *, is_last: bool) -> Response: ...


@dataclass(frozen=True, slots=True)
class Bearer:
    """A presented token's digest, and the address it came from."""

    digest: bytes
    address: str


class Door:
    """Who came lately, in this process."""

    def __init__(self, engine: AsyncEngine, watch: Watch, in_use: TokensInUse, per_second: float) -> None:
        self._engine = engine
        self._watch = watch
        self._in_use = in_use
        self._wrong = Buckets(WRONG_TOKENS)
        self._asked = Buckets(Limit(per_second, per_second * _BURST_SECONDS))
        self._known: OrderedDict[bytes, None] = OrderedDict()  # digests of tokens that opened lately
        self._live: frozenset[bytes] = frozenset()  # digests of all right tokens
        self._live_at = -math.inf
        self._looking = asyncio.Lock()

    async def answer(self, address: Address, request: Request) -> Response:
        """Answer a question."""
        return await self.until_answered(partial(self._answer, address, request, await self.bearer(request)))

    async def until_answered(self, attempt: Attempt) -> Response:
        """Try to answer. While it is `NotYet` to be answered, try again when the roster has moved."""
        until: float | None = None
        while True:
            is_last = until is not None and time.monotonic() >= until
            try:
                return await attempt(is_last=is_last)
            except NotYet as error:
                until = time.monotonic() + error.seconds if until is None else until
                source, is_another = error.asking.scope.source, partial(operator.ne, error.asking.state)
            await self._watch.until(source, is_another, until - time.monotonic())

    async def _answer(self, address: Address, request: Request, bearer: Bearer, *, is_last: bool) -> Response:
        async with asyncio.timeout(_ANSWER_SECONDS), self.opened(bearer, request) as asking:
            given = self.given(address, request, asking, is_last=is_last)
            waits = getattr(given.parameters, "wait", None) and not is_last  # for something else than it has
            if not waits and asking.is_kept(request.headers.get("if-none-match")):
                return await unchanged(asking, given)
            assert address.answer is not None  # noqa: S101 - those without are exports
            return await address.answer(asking, given)

    def given(self, address: Address, request: Request, asking: Asking, *, is_last: bool) -> Given:
        """What the request brings, if it is what the address takes and the roster is where it is wanted."""
        try:
            asked, answers = split_answers(asking.parameters) if address.takes_answers else (asking.parameters, {})
            found = Given(request.path_params.get(address.part or "", ""), read(address.asked, asked), answers, is_last)
        except Refused as error:
            raise asking.refused(error) from None
        if len(request.query_params.multi_items()) > len(asking.parameters):
            [(name, _), *_] = Counter(name for name, _ in request.query_params.multi_items()).most_common(1)
            raise asking.refuse(400, f"{name} is given more than once.", parameter=name)
        wanted = getattr(found.parameters, "min_position", None)
        if wanted is not None and wanted > asking.state.position:
            if not is_last:
                raise NotYet(asking, _POSITION_SECONDS)
            detail = f"The roster is at position {asking.state.position} and not yet at {wanted}; ask again."
            raise asking.refuse(503, detail, {"Retry-After": "1"})
        return found

    @asynccontextmanager
    async def opened(
        self, bearer: Bearer, request: Request, engine: AsyncEngine | None = None
    ) -> AsyncIterator[Asking]:
        """Authorise the request within one snapshot, so that rows and position agree."""
        async with (engine or self._engine).connect() as connection:
            await connection.execution_options(isolation_level="REPEATABLE READ")
            values = {**tokens.LOOKED_UP_VALUES, "digest": bearer.digest}
            found = (await connection.exec_driver_sql(tokens.LOOKED_UP, values)).one_or_none()
            if found is None:
                self._known.pop(bearer.digest, None)
                raise _unauthorised("This token is unknown, revoked or expired.")
            self._let_in(bearer)
            yield Asking(
                connection,
                tokens.Scope(found.source, None if found.event_ids is None else tuple(found.event_ids), bearer.digest),
                State(found.build, found.position, found.change),
                request.url.path,
                dict(request.query_params),
            )

    async def bearer(self, request: Request) -> Bearer:
        """Who presents which token, if they may try."""
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not token.strip():
            raise _unauthorised("Send a token: Authorization: Bearer ... (rosterlog token create makes one).")
        bearer = Bearer(tokens.digest(token.strip()), request.client.host if request.client else "")
        now = time.monotonic()
        if bearer.digest in self._known:
            _limit(self._asked.take(bearer.digest, now))
        else:  # wrong, until it has opened
            seconds = self._wrong.take(bearer.address, now)
            if seconds > 0 and not await self._is_live(bearer.digest, now):
                _limit(seconds, "Too many wrong tokens came from this address")
        return bearer

    async def _is_live(self, digest: bytes, now: float) -> bool:
        """Whether a token is right, as far as was known a second ago: asked once a second, whoever tries how often."""
        async with self._looking:
            if now - self._live_at > _LIVE_SECONDS:
                async with self._engine.connect() as connection:
                    self._live = frozenset((await connection.execute(tokens.live_digests())).scalars())
                self._live_at = time.monotonic()
        return digest in self._live

    def _let_in(self, bearer: Bearer) -> None:
        """The token is right: remember it, so that others' wrong ones from its address do not shut it out."""
        if bearer.digest not in self._known:
            self._wrong.give_back(bearer.address, time.monotonic())
            _limit(self._asked.take(bearer.digest, time.monotonic()))
            self._known[bearer.digest] = None
            if len(self._known) > _MOST_KNOWN:
                self._known.popitem(last=False)
        self._in_use.note(bearer.digest)


async def unchanged(asking: Asking, given: Given) -> Response:
    """The answer to whoever has it already."""
    as_of = getattr(given.parameters, "as_of", None)
    return Response(status_code=304, headers=(await asking.back_to(as_of)).kept)


def _limit(seconds: float, why: str = "This token asks too often") -> None:
    if seconds > 0:
        headers = {"Retry-After": str(math.ceil(seconds))}
        raise HTTPException(429, f"{why}; ask again in {headers['Retry-After']} seconds.", headers)


def _unauthorised(detail: str) -> HTTPException:
    return HTTPException(401, detail, {"WWW-Authenticate": 'Bearer realm="rosterlog"'})
