"""Signing in and out: the cookie of a session, and the forms that may be sent."""

from urllib.parse import parse_qs, urlsplit

from starlette.requests import Request
from starlette.responses import Response

from projections.web.access.sessions import SESSION_SECONDS

_NAME = "rosterlog"
_LONGEST_FORM = 16_384  # bytes


class Cookies:
    """The cookie that names a session. `public_url`: where browsers find this server; None: where they ask."""

    def __init__(self, public_url: str | None) -> None:
        self._public_url = public_url

    def session_of(self, request: Request) -> str | None:
        """The secret of the session that a request names; None if it names none."""
        return request.cookies.get(self._name(request)) or None

    def set(self, response: Response, session: str, request: Request) -> None:
        """Let the browser name this session with each request to this host, and to no other."""
        response.set_cookie(
            self._name(request), session, max_age=SESSION_SECONDS, path="/", secure=self._is_https(request),
            httponly=True, samesite="lax",
        )  # fmt: skip

    def forget(self, response: Response, request: Request) -> None:
        secure = self._is_https(request)
        response.delete_cookie(self._name(request), path="/", secure=secure, httponly=True, samesite="lax")

    def _name(self, request: Request) -> str:
        # The prefix lets browsers refuse a cookie that another host of the domain has set.
        return f"__Host-{_NAME}" if self._is_https(request) else _NAME

    def _is_https(self, request: Request) -> bool:
        return (self._public_url or str(request.url)).startswith("https:")


def is_of_these_pages(request: Request) -> bool:
    """Whether a form was sent from a page of this server, as browsers say, and not from one of somebody else."""
    site = request.headers.get("sec-fetch-site")
    if site is not None:
        return site in ("same-origin", "none")
    origin = request.headers.get("origin")
    return origin is None or urlsplit(origin).netloc == request.headers.get("host")


async def read_form(request: Request) -> dict[str, str]:
    """The fields of a short form; none if it is longer than the forms of these pages are, or no text."""
    content = b""
    async for chunk in request.stream():
        content += chunk
        if len(content) > _LONGEST_FORM:
            return {}
    try:
        return {name: values[-1] for name, values in parse_qs(content.decode(), max_num_fields=10).items()}
    except ValueError:
        return {}


def local_address(address: str) -> str:
    """An address within these pages, as it is; the start page in place of one that leads elsewhere."""
    is_local = address.startswith("/") and not address.startswith("//") and "\\" not in address
    return address if is_local and address.isprintable() else "/"
