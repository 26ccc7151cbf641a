"""Errors as RFC 9457 problem documents, the same for every server."""

import secrets
from collections.abc import Iterable, Mapping
from contextvars import Context
from http import HTTPStatus

from pydantic_core import to_json
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from ingest.logs import request_id
from ingest.web.headers import REQUEST_ID, SAFE
from ingest.web.meant import meant_address

FAULT = "This is a fault in rosterlog; its log says more."
# For Starlette's own refusals, whose detail is only the status phrase.
_DETAILS = {
    404: "There is nothing at this address.",
    405: "This address does not take that method; see the Allow header.",
}


class Refusal(HTTPException):
    """A refusal with more `members` of the problem document, for programs to read."""

    def __init__(self, status: int, detail: str, headers: Mapping[str, str], members: Mapping[str, object]) -> None:
        super().__init__(status, detail, headers)
        self.members = members


def problem(
    status: int,
    detail: str,
    headers: Mapping[str, str] | None = None,
    members: Mapping[str, object] | None = None,
) -> Response:
    """An `application/problem+json` answer. `detail` says what to do next."""
    content = {
        "type": "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": detail,
        "request_id": request_id.get(),
        **(members or {}),
    }
    # The headers of every answer are added here too: `AnswerHeaders` does not see the answer to a fault.
    all_headers = {**SAFE, **({REQUEST_ID: id_} if (id_ := request_id.get()) else {}), **(headers or {})}
    return Response(to_json(content), status, all_headers, media_type="application/problem+json")


def problem_bytes(status: int, detail: str, headers: Iterable[tuple[bytes, bytes]] = ()) -> bytes:
    """A problem as the bytes of an answer, after which the connection is closed: for what is not a request yet."""

    def answer() -> Response:
        request_id.set(secrets.token_hex(8))
        retry = {"Retry-After": "2"} if status == HTTPStatus.SERVICE_UNAVAILABLE else {}
        return problem(status, detail, {"Connection": "close", **retry})

    response = Context().run(answer)
    lines = [b"HTTP/1.1 %d %s" % (status, HTTPStatus(status).phrase.encode())]
    lines += [b"%s: %s" % header for header in (*headers, *response.raw_headers)]
    return b"\r\n".join((*lines, b"", bytes(response.body)))


async def on_http_exception(request: Request, error: Exception) -> Response:
    """An `HTTPException` as a problem. Where there is nothing at an address, it names the one that was meant."""
    assert isinstance(error, HTTPException)  # noqa: S101 - registered for no other
    members = error.members if isinstance(error, Refusal) else None
    return problem(error.status_code, detail_of(request, error), error.headers, members)


def detail_of(request: Request, error: HTTPException) -> str:
    """What happened, and what to do next."""
    if error.detail != HTTPStatus(error.status_code).phrase:
        return error.detail
    if error.status_code == HTTPStatus.NOT_FOUND and (address := meant_address(request)) is not None:
        return f"There is nothing at this address, which has a slash more than {address}."
    return _DETAILS.get(error.status_code, error.detail)


async def on_fault(_request: Request, _error: Exception) -> Response:
    """A fault of ours. Starlette raises it again after this answer, so it is logged."""
    return problem(500, FAULT)
