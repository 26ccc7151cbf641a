"""Which token a request presents, whether it may try, and how often: in this process's memory."""

import asyncio
import math
import time
from collections import OrderedDict
from dataclasses import dataclass

from sqlalchemy.ext.asyncio import AsyncEngine
from starlette.exceptions import HTTPException
from starlette.requests import Request

from projections.web.access import tokens
from projections.web.access.limits import Buckets, Limit
from projections.web.access.token_use import TokenUse

WRONG_TOKENS = Limit(per_second=1, at_once=60)
_BURST_SECONDS = 10  # a token that rested may spend so many seconds' requests at once
_MOST_KNOWN = 10_000
_LIVE_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Bearer:
    """A presented token's digest, and the address that it came from."""

    digest: bytes
    address: str


class Bearers:
    """The tokens that opened the API lately, and the limits of right and of wrong ones."""

    def __init__(self, engine: AsyncEngine, token_use: TokenUse, per_second: float) -> None:
        self._engine = engine
        self._token_use = token_use
        self._wrong = Buckets(WRONG_TOKENS)
        self._asked = Buckets(Limit(per_second, per_second * _BURST_SECONDS))
        self._known: OrderedDict[bytes, None] = OrderedDict()  # digests of tokens that opened lately
        self._live: frozenset[bytes] = frozenset()  # digests of all right tokens
        self._live_at = -math.inf
        self._looking = asyncio.Lock()

    async def bearer(self, request: Request) -> Bearer:
        """The token that a request presents, if it may try. Raises 401 without one, 429 beyond a limit."""
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

    def let_in(self, bearer: Bearer) -> None:
        """The token is right: remember it, so that wrong ones from its address do not shut it out. Raises 429."""
        if bearer.digest not in self._known:
            self._wrong.give_back(bearer.address, time.monotonic())
            _limit(self._asked.take(bearer.digest, time.monotonic()))
            self._known[bearer.digest] = None
            if len(self._known) > _MOST_KNOWN:
                self._known.popitem(last=False)
        self._token_use.note(bearer.digest)

    def turn_away(self, bearer: Bearer) -> HTTPException:
        """The refusal of a token that does not open, which is forgotten if it once did."""
        self._known.pop(bearer.digest, None)
        return _unauthorised("This token is unknown, revoked or expired.")

    async def _is_live(self, digest: bytes, now: float) -> bool:
        """Whether a token is right, as far as was known a second ago: looked up once a second at the most."""
        async with self._looking:
            if now - self._live_at > _LIVE_SECONDS:
                async with self._engine.connect() as connection:
                    self._live = frozenset((await connection.execute(tokens.live_digests())).scalars())
                self._live_at = time.monotonic()
        return digest in self._live


def _limit(seconds: float, why: str = "This token asks too often") -> None:
    if seconds > 0:
        headers = {"Retry-After": str(math.ceil(seconds))}
        raise HTTPException(429, f"{why}; ask again in {headers['Retry-After']} seconds.", headers)


def _unauthorised(detail: str) -> HTTPException:
    return HTTPException(401, detail, {"WWW-Authenticate": 'Bearer realm="rosterlog"'})
