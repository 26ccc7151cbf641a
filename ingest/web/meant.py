"""The address that was meant, where a request's address has slashes too many: `/v1/status/`, `//docs`."""

from starlette.requests import Request
from starlette.routing import Match

_LONGEST = 200  # characters of an address that is shown


def meant_address(request: Request) -> str | None:
    """The address without its doubled and last slashes, if there is something; None otherwise."""
    path: str = request.scope["path"]
    address = "/" + "/".join(filter(None, path.split("/")))
    if address in ("/", path) or len(address) > _LONGEST or not address.isprintable():
        return None
    scope = {**request.scope, "path": address, "raw_path": address.encode()}
    return address if any(route.matches(scope)[0] != Match.NONE for route in request.app.routes) else None
