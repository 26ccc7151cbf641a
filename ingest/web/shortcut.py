"""A whole request that is answered without the application: no routing, no middleware, no task of its own.

Of a webhook's server nearly all requests are deliveries, and what an ASGI application costs for each is more than it
costs to check and keep it. So a part may take the requests to some addresses itself, once they have arrived whole.
What is not the usual case it declines, and the application answers, as it does everything else. Skipped are: the route
by pattern, the middleware, the state of a request, messages of ASGI, a task with its context, an event to wait on.
"""

from collections.abc import Callable, Iterable, Mapping
from http import HTTPStatus

from starlette.responses import Response

from ingest.logs import request_id
from ingest.web.headers import REQUEST_ID, SAFE, id_of
from ingest.web.request_head import Headers

MakeRefusal = Callable[[], Response]
"""Makes an answer that is no success."""

SendAnswer = Callable[[bytes | MakeRefusal], None]
"""Sends the answer: the body of a 200, as JSON, or a refusal. In the context in which the request was taken, a copy."""

Take = Callable[[Headers, bytes, SendAnswer], bool]
"""Takes a POST, of which it gets the headers and the body, and answers it after it has returned; False: it declines."""

Shortcuts = Mapping[bytes, Take]
"""By the target of the request, as it stands in the request line."""

_OK = b"HTTP/1.1 200 OK\r\n"
_CONSTANT = b"".join(b"%s: %s\r\n" % (name.lower().encode(), value.encode()) for name, value in SAFE.items())
_ID, _LENGTH = REQUEST_ID.lower().encode(), b"content-type: application/json\r\ncontent-length"


class _NoEvent:
    """What an application would wait on."""

    def set(self) -> None:
        pass


class WholeRequest:
    """A request that a shortcut has taken, in the place of uvicorn's cycle of request and response."""

    __slots__ = ("_headers", "_id", "disconnected", "keep_alive", "response_complete", "response_started")
    message_event = _NoEvent()

    def __init__(self, headers: Headers, *, keep_alive: bool) -> None:
        self._headers = headers
        self._id = id_of(headers)
        self.keep_alive = keep_alive
        self.disconnected = False
        self.response_started = False
        self.response_complete = False

    def is_taken(self, take: Take, body: bytes, answer: SendAnswer) -> bool:
        """Whether a shortcut takes the request. All that is begun for it, and logged of it, has the request's id."""
        of_connection = request_id.set(self._id)
        try:
            return take(self._headers, body, answer)
        finally:
            request_id.reset(of_connection)

    def answer(self, answer: bytes | MakeRefusal, default_headers: Iterable[tuple[bytes, bytes]]) -> bytes:
        """The bytes of the answer, with the headers that every answer has."""
        if isinstance(answer, bytes):
            first, body = _OK, answer
            headers = b"%s: %s\r\n%s%s: %d\r\n" % (_ID, self._id.encode(), _CONSTANT, _LENGTH, len(answer))
        else:
            response = answer()
            status = HTTPStatus(response.status_code)
            first, body = b"HTTP/1.1 %d %s\r\n" % (status, status.phrase.encode()), bytes(response.body)
            headers = _lines(response.raw_headers)
        end = b"\r\n" if self.keep_alive else b"connection: close\r\n\r\n"
        return b"".join((first, _lines(default_headers), headers, end, body))


def _lines(headers: Iterable[tuple[bytes, bytes]]) -> bytes:
    return b"".join([b"%s: %s\r\n" % header for header in headers])
