"""Makes responses of an endpoint's data: JSON, ETag, the link to the next page, 304."""

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import AsyncExitStack
from dataclasses import astuple
from typing import Any
from urllib.parse import urlencode

from pydantic_core import from_json, to_json
from starlette.responses import Response

from projections.roster.revision import Lineage
from projections.web import cursor
from projections.web.allowance import SMALL
from projections.web.endpoint import Endpoint, One, Page
from projections.web.question import COMPARED, POSITION, WARNING, Question
from projections.web.sending import Streamed, in_pieces

_LONGEST_SECONDS = 120.0  # for a client to take one answer
_RELEASE = 2  # of the answers' form, in every ETag: a new number makes all cached copies stale
_MOST_WARNINGS = 3  # named in the header: all headers together must fit the 4 kB that a proxy may have for them
_NOT_THE_QUESTION = frozenset({"cursor", "after", "limit", "min_position", "wait", "count"})


def answer(endpoint: Endpoint[Any], question: Question, result: One | Page, public_url: str | None) -> Response:
    """The response of an endpoint to a question, from the data that the endpoint returned.

    `public_url`: where clients find this API. Without it the link to the next page is relative to the address that the
    client asked, so that it is right behind a proxy that serves the API below a path of its own.
    """
    if isinstance(result, One):
        return _response(endpoint, question, _json(result.data))
    next_cursor = cursor_of(question, result.following)
    members = to_json({"next": next_cursor, "position": question.position, **result.more})
    response = _response(endpoint, question, b'{"data":[', *_with_commas(result.data), b"]," + members[1:])
    response.headers.update(warning_headers(result.warnings))
    if result.compared is not None:
        response.headers[COMPARED] = result.compared.sentence
    if next_cursor is not None:
        parameters = {name: value for name, value in question.parameters.items() if name not in ("cursor", "after")}
        query = urlencode({**parameters, "cursor": next_cursor})
        address = "" if public_url is None else public_url + question.path
        response.headers["Link"] = f'<{address}?{query}>; rel="next"'
    return response


def kept_headers(question: Question) -> dict[str, str]:
    """The headers of an answer that a client may cache and has to revalidate."""
    return {
        POSITION: str(question.position),
        "ETag": etag(question),
        "Cache-Control": "private, no-cache",
        "Vary": "Authorization",
    }


def warning_headers(warnings: Sequence[str]) -> dict[str, str]:
    """The header that says what of a question can match nobody: the first few, and how many more there are."""
    more = len(warnings) - _MOST_WARNINGS
    named = "; ".join(warnings[:_MOST_WARNINGS])
    return {WARNING: f"{named}; and {more} more" if more > 0 else named} if warnings else {}


def etag(question: Question) -> str:
    """Equal for equal questions at the same revision."""
    mask = question.mask and question.mask.digest
    key = (_RELEASE, question.path, sorted(question.parameters.items()), question.scope.digest.hex(), mask)
    revision = (question.revision.build, astuple(question.revision.lineage))
    return f'W/"{hashlib.sha256(to_json((key, revision))).hexdigest()[:32]}"'


def is_kept(question: Question, if_none_match: str | None) -> bool:
    """Whether the client has this answer already, by the request's `If-None-Match`."""
    return if_none_match is not None and etag(question) in if_none_match


def unchanged(question: Question) -> Response:
    """The answer to a client that has it already."""
    return Response(status_code=304, headers=kept_headers(question))


def after(question: Question, page_cursor: str | None) -> tuple[Any, Lineage | None]:
    """What a page begins after (an endpoint's `Page.following`), and the lineage that the page before was of.

    From the page's cursor; None and None without a cursor. Raises 400 for a wrong cursor.
    """
    if page_cursor is None:
        return None, None
    try:
        following, *seen = from_json(cursor.read_cursor(page_cursor, _query(question), question.scope.digest))
        return following, Lineage(*seen)
    except cursor.WrongCursor:
        detail = "cursor was not made for this question, this token and this release; start again without it."
        raise question.refuse(400, detail, parameter="cursor") from None


def _json(value: object) -> bytes:
    """A value as JSON; bytes are JSON already."""
    return value if isinstance(value, bytes) else to_json(value)


def _with_commas(rows: Sequence[object]) -> Iterator[bytes]:
    for number, row in enumerate(rows):
        yield b"," + _json(row) if number else _json(row)


def _response(endpoint: Endpoint[Any], question: Question, *texts: bytes) -> Response:
    """The response of these texts, one after the other. A large one is sent in pieces."""
    headers = kept_headers(question)
    if not endpoint.is_of_revision:
        del headers["ETag"]
    size = sum(map(len, texts))
    if size <= SMALL:
        question.allowance.release()
        return Response(b"".join(texts), headers=headers, media_type="application/json")
    resources = AsyncExitStack()
    resources.callback(question.allowance.release)
    headers["Content-Length"] = str(size)
    return Streamed(in_pieces(texts), resources, headers, "application/json", _LONGEST_SECONDS)


def cursor_of(question: Question, place: object | None) -> str | None:
    """The cursor of a page's `following` or `previous`; None if there is none."""
    if place is None:
        return None
    last = to_json((place, *astuple(question.revision.lineage))).decode()
    return cursor.write_cursor(last, _query(question), question.scope.digest)


def _query(question: Question) -> dict[str, str]:
    """What a cursor is bound to: the path, and the parameters that select and order the rows."""
    parameters = {name: value for name, value in question.parameters.items() if name not in _NOT_THE_QUESTION}
    return {**parameters, "": question.path}
