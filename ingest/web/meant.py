"""The address that was meant, where a request's address has slashes too many: `/v1/status/`, `//docs`."""

from collections.abc import Awaitable, Callable, Sequence

from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Match, Route
from starlette.types import Scope

_LONGEST = 200  # characters of an address that is shown


class NothingRoute(Route):
    """The last of the routes below a path, of all other addresses there: none of them is one that was meant."""

    def __init__(
        self, below: str, respond: Callable[[Request], Awaitable[Response]], middleware: Sequence[Middleware]
    ) -> None:
        super().__init__(below, respond, middleware=middleware)
        self.methods = None  # there is nothing for any method

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        if scope["type"] != "http" or not f"{scope['path']}/".startswith(f"{self.path}/"):
            return Match.NONE, {}
        return Match.FULL, {"endpoint": self.endpoint}


def meant_address(request: Request) -> str | None:
    """The address without its doubled and last slashes, if there is something; None otherwise."""
    path: str = request.scope["path"]
    address = "/" + "/".join(filter(None, path.split("/")))
    if address in ("/", path) or len(address) > _LONGEST or not address.isprintable():
        return None
    scope = {**request.scope, "path": address, "raw_path": address.encode()}
    routes = (route for route in request.app.routes if not isinstance(route, NothingRoute))
    return address if any(route.matches(scope)[0] != Match.NONE for route in routes) else None
