"""The addresses of endpoints: a path is split at its slashes before it is decoded, so an id may have any characters."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any
from urllib.parse import quote, unquote_to_bytes

from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Match, Route
from starlette.types import Scope

ID = "id"  # the name of the id among a request's path parameters


class AddressRoute(Route):
    """The route of an endpoint. In its path `{...}` stands for the id, encoded as one segment.

    Plain slashes of an id are taken as well, where no other endpoint has this address.
    """

    def __init__(
        self,
        path: str,
        respond: Callable[[Request], Awaitable[Response]],
        middleware: Sequence[Middleware],
    ) -> None:
        super().__init__(path, respond, middleware=middleware)
        self.methods = None  # `respond` refuses the others, so that a refusal is an answer of the endpoint as well
        before, id_, after = path.partition("{")
        self._before = (before.rstrip("/") if id_ else before).split("/")
        self._after = after.split("/")[1:]
        self._has_id = bool(id_)

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        parameters = self._parameters(_segments(scope)) if scope["type"] == "http" else None
        if parameters is None:
            return Match.NONE, {}
        return Match.FULL, {"endpoint": self.endpoint, "path_params": parameters}

    def _parameters(self, segments: Sequence[bytes]) -> Mapping[str, Any] | None:
        """The path parameters; None if this is not the endpoint's address."""
        end = len(segments) - len(self._after)
        begin = len(self._before)
        if not (begin < end if self._has_id else begin == end):
            return None
        names = [*self._before, *self._after]
        if [_text(segment) for segment in (*segments[:begin], *segments[end:])] != names:
            return None
        return {ID: _text(b"/".join(segments[begin:end])) or ""} if self._has_id else {}


def encoded_path(scope: Scope) -> str:
    """The path of a request with each segment encoded in one way, whatever way the client chose."""
    return "/".join(encoded_segment(unquote_to_bytes(segment)) for segment in _segments(scope))


def encoded_segment(id_: str | bytes) -> str:
    """An id as one segment of a path."""
    encoded = quote(id_, safe="")
    # Clients take "." and ".." for steps in the path.
    return encoded.replace(".", "%2E") if encoded in (".", "..") else encoded


def _segments(scope: Scope) -> list[bytes]:
    raw: bytes = scope.get("raw_path") or quote(scope["path"]).encode()
    return raw.split(b"/")


def _text(segment: bytes) -> str | None:
    """The decoded text; None if no id can be that: it is not UTF-8 or has a NUL character, which PostgreSQL refuses."""
    try:
        text = unquote_to_bytes(segment).decode()
    except UnicodeDecodeError:
        return None
    return None if "\0" in text else text
