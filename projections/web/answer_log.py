"""Every answer of an endpoint passes here: a line of the log each, or one line for many without a valid token."""

import asyncio
import logging
import math
import time
from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import dataclass

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ingest.metrics import API_REQUESTS, API_SECONDS, Histogram, Reading, readings_of
from ingest.occurrences import Occurrences

logger = logging.getLogger(__name__)

_REFUSED, _UNAUTHORISED, _FAULT = 400, 401, 500
_LOOK_SECONDS = 1.0  # between two looks whether a line is due
_VALID = "rosterlog.valid_token"  # in the scope of a request: its token was found valid


def mark_valid(scope: Scope) -> None:
    """Note that the request's token is valid, so that its answer gets a line of its own."""
    scope[_VALID] = True


@dataclass(frozen=True, slots=True)
class SentAnswer:
    """An answer as it was sent. `seconds`: until it began, `sent_seconds`: until its end.

    `has_token`: the request's token is valid. `is_whole`: the client was sent all of it.
    """

    endpoint: str
    status: int
    seconds: float
    sent_seconds: float
    has_token: bool
    is_whole: bool


class AnswerLog:
    """Where the answers of a server are written down: `note` gets each of them once, when it is over."""

    def __init__(self) -> None:
        self._without_token: Occurrences[tuple[str, int]] = Occurrences()
        self._answers: Counter[tuple[str, str]] = Counter()  # by endpoint and status
        self._seconds: defaultdict[str, Histogram] = defaultdict(lambda: Histogram(API_SECONDS.bounds))

    def readings(self) -> list[Reading]:
        """The metrics of the answers."""
        seconds = [Reading(API_SECONDS, (endpoint,), histogram) for endpoint, histogram in self._seconds.items()]
        return [*readings_of(API_REQUESTS, self._answers), *seconds]

    def note(self, answered: SentAnswer) -> None:
        """Count an answer and write its line; the line of a request without a valid token is one of many."""
        self._answers[answered.endpoint, str(answered.status)] += 1
        self._seconds[answered.endpoint].observe(answered.seconds)
        if not answered.has_token:
            if answered.status >= _REFUSED:  # what is not refused needs no token: a browser's question what it may ask
                self._without_token.count((answered.endpoint, answered.status))
            return
        fields = {
            "endpoint": answered.endpoint,
            "status": answered.status,
            "milliseconds": round(answered.seconds * 1000, 1),
            "sent_milliseconds": round(answered.sent_seconds * 1000, 1),
        }
        if answered.is_whole:
            logger.info("answered", extra={"fields": fields})
        else:
            logger.warning("answer broken off", extra={"fields": fields})

    async def run(self) -> None:
        """Write the lines for requests without a valid token, for ever; to be run as a task of the server."""
        while True:
            await asyncio.sleep(_LOOK_SECONDS)
            self.flush(asyncio.get_running_loop().time())

    def flush(self, now: float = math.inf) -> None:
        """Write a line per status, if they are due; without a time they are."""
        taken = self._without_token.take(now)
        if taken is None:
            return
        numbers, last = taken[0], {"last_request_id": taken[1]}
        for status in sorted({status for _, status in numbers}):
            endpoints = {endpoint: number for (endpoint, of), number in sorted(numbers.items()) if of == status}
            fields = {"status": status, "count": sum(endpoints.values()), "endpoints": endpoints}
            logger.warning("answered without a valid token", extra={"fields": {**fields, **last}})


class NotedAnswers:
    """Middleware of a route, the outermost: hands each answer to `note`, whatever made it and however it ended."""

    def __init__(self, app: ASGIApp, endpoint: str, note: Callable[[SentAnswer], None]) -> None:
        self._app = app
        self._endpoint = endpoint
        self._note = note

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        begun = time.monotonic()
        status, seconds, is_whole = _FAULT, None, False

        async def noted_send(message: Message) -> None:
            nonlocal status, seconds, is_whole
            if message["type"] == "http.response.start":
                status, seconds = message["status"], time.monotonic() - begun
            await send(message)
            is_whole = message["type"] == "http.response.body" and not message.get("more_body", False)

        try:
            await self._app(scope, receive, noted_send)
        finally:
            sent = time.monotonic() - begun
            has_token = scope.get(_VALID, False) and status != _UNAUTHORISED
            is_begun = seconds is not None  # otherwise a fault, which is answered further out
            seconds = sent if seconds is None else seconds
            self._note(SentAnswer(self._endpoint, status, seconds, sent, has_token, is_whole or not is_begun))
