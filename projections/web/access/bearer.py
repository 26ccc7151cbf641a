"""Which token a request presents, whether it may try, and how often: in this process's memory."""

import asyncio
import math
import time
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass

from starlette.exceptions import HTTPException
from starlette.requests import Request

from projections.roster.reading import Connects
from projections.web.access import tokens
from projections.web.access.limits import Buckets, Limit
from projections.web.access.sessions import live_digests
from projections.web.access.token_use import TokenUse
from projections.web.answer_log import mark_valid

WRONG_TOKENS = Limit(per_second=1, at_once=60)
_BURST_SECONDS = 10  # a token that was idle may make the requests of so many seconds at once
_MOST_KNOWN = 10_000
_OPERATOR_SECONDS = (
    3_600.0  # since it was looked up, that a token is taken for an operator's while the database is away
)
_LIVE_SECONDS = 1.0  # how long the digests of valid tokens are used before they are read again


@dataclass(frozen=True, slots=True)
class Bearer:
    """A presented token's digest, and the address that it came from."""

    digest: bytes
    address: str


class Bearers:
    """The tokens that were found valid lately, and the limits: per valid token, and per address for wrong tokens.

    `processes`: how many of a server share these limits.
    """

    def __init__(self, engine: Connects, token_use: TokenUse, per_second: float, processes: int = 1) -> None:
        self._engine = engine
        self._token_use = token_use
        self._wrong = Buckets(WRONG_TOKENS.among(processes))
        self._requests = Buckets(Limit(per_second, per_second * _BURST_SECONDS).among(processes))
        self._known: OrderedDict[bytes, None] = OrderedDict()  # digests of tokens found valid lately
        self._operators: dict[bytes, float] = {}  # digests of operators' tokens, with the time when each was looked up
        self._live: frozenset[bytes] = frozenset()  # digests of all valid tokens, sessions and links
        self._live_at = -math.inf
        self._lock = asyncio.Lock()

    async def bearer(self, request: Request) -> Bearer:
        """The token that a request presents. Raises 401 without a token, 429 beyond a limit."""
        digest = _presented(request)
        if digest is None:
            raise _unauthorised("Send a token: Authorization: Bearer ... (rosterlog token create makes one).")
        self.recognises(request)
        return await self.admitted(request, digest)

    async def admitted(self, request: Request, digest: bytes) -> Bearer:
        """The token of this digest, which may try. Raises 429 beyond a limit."""
        bearer = Bearer(digest, request.client.host if request.client else "")
        now = time.monotonic()
        if digest in self._known:
            _limit(self._requests.take(bearer.digest, now))
        else:  # counted as wrong, until `let_in`
            seconds = self._wrong.take(bearer.address, now)
            if seconds > 0 and not await self._is_live(bearer.digest, now):
                _limit(seconds, "Too many wrong tokens came from this address")
        return bearer

    def recognises(self, request: Request) -> bool:
        """Whether the request presents a token that was found valid lately; its answer then gets a line of the log."""
        is_known = _presented(request) in self._known
        if is_known:
            mark_valid(request.scope)
        return is_known

    def let_in(self, bearer: Bearer) -> None:
        """The token is valid: remember it, so that wrong tokens from its address do not shut it out. Raises 429."""
        if bearer.digest not in self._known:
            self._wrong.give_back(bearer.address, time.monotonic())
            _limit(self._requests.take(bearer.digest, time.monotonic()))
            self._known[bearer.digest] = None
            if len(self._known) > _MOST_KNOWN:
                self._known.popitem(last=False)
        self._token_use.note(bearer.digest)

    def let_operator_in(self, bearer: Bearer) -> None:
        """The token is valid and an operator's: remember that, too, for when the database is away. Raises 429."""
        self.let_in(bearer)
        now = time.monotonic()
        self._operators = {**_since(self._operators, now - _OPERATOR_SECONDS), bearer.digest: now}

    def recognises_operator(self, request: Request) -> bool:
        """Whether the request presents a token that was found to be an operator's in the last hour."""
        digest = _presented(request)
        return digest is not None and digest in _since(self._operators, time.monotonic() - _OPERATOR_SECONDS)

    def turn_away(self, bearer: Bearer) -> HTTPException:
        """The refusal of a token that is not valid, which is forgotten if it was valid before."""
        self._known.pop(bearer.digest, None)
        self._operators.pop(bearer.digest, None)
        return _unauthorised("This token is unknown, revoked or expired.")

    async def _is_live(self, digest: bytes, now: float) -> bool:
        """Whether a token is valid, as of up to a second ago: the database is asked once per second at the most."""
        async with self._lock:  # one request reads for all that wait
            if now - self._live_at > _LIVE_SECONDS:
                async with self._engine.connect() as connection:
                    self._live = frozenset((await connection.execute(live_digests())).scalars())
                self._live_at = time.monotonic()
        return digest in self._live


def _since(noted: Mapping[bytes, float], earliest: float) -> dict[bytes, float]:
    return {digest: at for digest, at in noted.items() if at > earliest}


def _presented(request: Request) -> bytes | None:
    """The digest of the token that a request presents; None if it presents none."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    return tokens.digest(token.strip()) if scheme.lower() == "bearer" and token.strip() else None


def _limit(seconds: float, why: str = "This token asks too often") -> None:
    if seconds > 0:
        headers = {"Retry-After": str(math.ceil(seconds))}
        raise HTTPException(429, f"{why}; ask again in {headers['Retry-After']} seconds.", headers)


def _unauthorised(detail: str) -> HTTPException:
    return HTTPException(401, detail, {"WWW-Authenticate": 'Bearer realm="rosterlog"'})
