"""Adds headers to every answer: the id of its request, and security headers for browsers."""

import os
import re
from collections.abc import Iterable

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ingest.logs import request_id

REQUEST_ID = "X-Request-Id"
_NAME = REQUEST_ID.lower().encode()
_WELL_FORMED = re.compile(rb"[A-Za-z0-9._-]{1,64}\Z")
SAFE = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
}


def id_of(headers: Iterable[tuple[bytes, bytes]]) -> str:
    """The id of a request: the one that a proxy gave it, if it is well-formed, else a new one. Names are lower case."""
    for name, value in headers:
        if name == _NAME:
            return value.decode("ascii") if _WELL_FORMED.match(value) else os.urandom(8).hex()
    return os.urandom(8).hex()


class AnswerHeaders:
    """Middleware."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        id_ = id_of(scope["headers"])
        request_id.set(id_)

        async def send_with(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers[REQUEST_ID] = id_
                for name, value in SAFE.items():
                    headers.setdefault(name, value)
            await send(message)

        await self._app(scope, receive, send_with)
