"""How pages are written: the templates, their formats of dates and numbers, the files that they load, their headers."""

import hashlib
from collections.abc import Mapping
from datetime import UTC, date, datetime
from importlib.resources import files
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from jinja2 import Environment, PackageLoader, StrictUndefined, pass_context
from jinja2.runtime import Context
from markupsafe import Markup
from pydantic_core import to_json
from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.routing import Route
from starlette.templating import Jinja2Templates

from ingest.logs import request_id
from ingest.web.problems import problem
from projections.roster.values import moment
from projections.web.pages.dots import page_segment, with_query
from projections.web.pages.words import name_in_words

EMPTY = "—"
_NOW_SECONDS = 5  # that are called "just now"
_SHORT = 30  # characters that fit into a column
_FIRST_OF_OTHER_DIRECTION = "\u0590"  # below it all letters are written from left to right
_TO_THE_SECOND = len("2026-05-01T09:30:00")
_STATIC = Path(str(files("projections.web.pages") / "static"))
_FILES = {"style.css": "text/css", "script.js": "text/javascript"}
_POLICY = (
    "default-src 'none'; style-src 'self'; img-src 'self' data:; script-src 'self'; connect-src 'self'; "
    "form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
)
_FOR_EVER = {"Cache-Control": "public, max-age=31536000, immutable"}
# Without an address of ours in a form, a browser would not say that the form is of a page of ours.
_REFERRER = {"Referrer-Policy": "same-origin"}
_HEADERS = {"Content-Security-Policy": _POLICY, "Cache-Control": "no-store", **_REFERRER}


class Look:
    """Writes pages. `public_url`: where browsers find this server; None: at the addresses that they ask."""

    def __init__(self, public_url: str | None) -> None:
        self._public_url = public_url
        self._below = "" if public_url is None else urlsplit(public_url).path.rstrip("/")
        environment = Environment(
            loader=PackageLoader("projections.web.pages"), autoescape=True, trim_blocks=True, lstrip_blocks=True,
            undefined=StrictUndefined,
        )  # fmt: skip
        environment.filters |= {
            "number": _number,
            "shown": shown,
            "time": _time,
            "ago": _ago,
            "exact": _exact,
            "past": _past,
            "weekday": _weekday,
            "day": _day,
            "day_in": _day_in,
            "segment": page_segment,
            "here": _here,
            "named": name_in_words,
        }
        environment.tests["plain"] = needs_no_span
        environment.globals |= {"below": self._below, "files": {name: _version(name) for name in _FILES}}
        self._templates = Jinja2Templates(env=environment)

    def address(self, path: str) -> str:
        """A path of ours as browsers have to ask for it."""
        return self._below + path

    def page(
        self, request: Request, template: str, context: Mapping[str, Any], status: int = 200,
        headers: Mapping[str, str] | None = None,
    ) -> Response:  # fmt: skip
        """A page of a template."""
        usual = {
            "now": datetime.now(UTC),
            "origin": self._public_url or str(request.base_url),
            "is_signed_in": True,
            "is_operator": getattr(request.state, "is_operator", False),
            "asked": "",
        }
        context = {**usual, **context}
        return self._templates.TemplateResponse(request, template, context, status, {**_HEADERS, **(headers or {})})

    def error(
        self, request: Request, status: int, detail: str, headers: Mapping[str, str] | None = None,
        *, is_signed_in: bool = True, back: str | None = None,
    ) -> Response:  # fmt: skip
        """The page of an error. `detail`: what happened, and what to do next. `back`: a race to which it leads."""
        context = {
            "status": status,
            "detail": detail,
            "request_id": request_id.get(),
            "is_signed_in": is_signed_in,
            "back": back,
            "asked": request.query_params.get("q", ""),
        }
        return self.page(request, "error.html", context, status, headers)


def static_route() -> Route:
    """The route of the style sheet and the script. Their addresses change with what is in them."""

    async def static(request: Request) -> Response:
        name = request.path_params["name"]
        if name not in _FILES:
            return problem(404, "There is nothing at this address.")
        return FileResponse(_STATIC / name, headers=_FOR_EVER, media_type=_FILES[name])

    return Route("/pages/{name}", static)


def shown(value: object) -> object:
    """A value as a cell shows it: a dash where there is none."""
    if value is None or value == "":
        return EMPTY
    if isinstance(value, Mapping | list):
        return to_json(value).decode()
    return {True: "yes", False: "no"}[value] if isinstance(value, bool) else value


def needs_no_span(value: object) -> bool:
    """Whether a value needs neither a direction of its own nor places to be broken. Most need none: pages are short."""
    return not isinstance(value, str) or (
        len(value) <= _SHORT and (value.isascii() or max(value) < _FIRST_OF_OTHER_DIRECTION)
    )


@pass_context
def _here(context: Context, query: str) -> str:
    """The address of the page itself with another query.

    All of it: after a query alone, browsers leave out what an id of dots has put there.
    """
    return with_query(context["here"], query)


def _number(value: int) -> str:
    return f"{value:,}"


def _time(value: datetime | str, zone: str = "UTC") -> str:
    """A time in a zone, as `3 Jan 2026, 14:02`."""
    time = datetime.fromisoformat(value) if isinstance(value, str) else value
    local = time.astimezone(ZoneInfo(zone))
    return f"{local.day} {local:%b %Y, %H:%M}"


def _exact(value: datetime | str) -> str:
    """A time for programs, to the second: in a page that has it a hundred times it is short."""
    text = value if isinstance(value, str) else value.astimezone(UTC).isoformat()
    return f"{text[:_TO_THE_SECOND]}Z"


def _past(as_of: str, position: int, zone: str) -> Markup | str:
    """When it was that the roster is shown of. `as_of`: a day, a time or a position, as it was asked for."""
    asked, at = moment(as_of), f"at position {position:,}"
    if not isinstance(asked, datetime):
        return at
    if asked.tzinfo is None:
        return f"when {_day(asked)} began, {at}"
    return Markup('on <time datetime="{}">{}</time>, {}').format(_exact(asked), _time(asked, zone), at)


def _day(value: date) -> str:
    return f"{value.day} {value:%b %Y}"


def _day_in(value: datetime, zone: str) -> str:
    """The day of a time in a zone."""
    return _day(value.astimezone(ZoneInfo(zone)))


def _weekday(value: datetime, zone: str = "UTC") -> str:
    """A time of these days in a zone, as `Friday 14:02`."""
    return f"{value.astimezone(ZoneInfo(zone)):%A %H:%M}"


def _ago(value: datetime | str, now: datetime) -> str:
    """How long ago a time was, as `3 minutes ago`."""
    time = datetime.fromisoformat(value) if isinstance(value, str) else value
    seconds = max(0, round((now - time).total_seconds()))
    for size, unit in ((86_400, "day"), (3_600, "hour"), (60, "minute"), (1, "second")):
        if seconds >= max(size, _NOW_SECONDS):
            count = seconds // size
            return f"{count} {unit}{'s' if count > 1 else ''} ago"
    return "just now"


def _version(name: str) -> str:
    return f"{name}?{hashlib.sha256((_STATIC / name).read_bytes()).hexdigest()[:12]}"
