"""How pages are written: the templates, their formats of dates and numbers, the files that they load, their headers."""

import hashlib
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from importlib.resources import files
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from jinja2 import Environment, PackageLoader, StrictUndefined, pass_context
from jinja2.runtime import Context
from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.routing import Route
from starlette.templating import Jinja2Templates

from ingest.logs import request_id
from ingest.web.problems import problem
from projections.web.pages.columns import ShownColumn
from projections.web.pages.dots import page_segment, with_query
from projections.web.pages.rows import rows_of_people
from projections.web.pages.shown_values import (
    day_in_zone,
    exact_time,
    needs_no_span,
    past_in_words,
    shown,
    shown_day,
    shown_number,
    shown_time,
    time_ago,
    weekday_and_time,
)
from projections.web.pages.words import name_in_words

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
            undefined=StrictUndefined, auto_reload=False,
        )  # fmt: skip
        environment.filters |= {
            "number": shown_number,
            "shown": shown,
            "time": shown_time,
            "ago": time_ago,
            "exact": exact_time,
            "past": past_in_words,
            "weekday": weekday_and_time,
            "day": shown_day,
            "day_in": day_in_zone,
            "segment": page_segment,
            "here": _here,
            "rows": _rows,
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
            "sought": "name, bib, team",
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


@pass_context
def _here(context: Context, query: str) -> str:
    """The address of the page itself with another query.

    All of it: after a query alone, browsers leave out what an id of dots has put there.
    """
    return with_query(context["here"], query)


@pass_context
def _rows(
    context: Context, people: Sequence[Mapping[str, Any]], columns: Sequence[ShownColumn], past: str, zone: str,
    sheet: str | None,
) -> Markup:  # fmt: skip
    """The rows of a table of people, each of which leads to its person. `past`: the query of a roster as it was."""
    return rows_of_people(people, columns, f"{context['below']}/participants/", past, zone, has_boxes=sheet is not None)


def _version(name: str) -> str:
    return f"{name}?{hashlib.sha256((_STATIC / name).read_bytes()).hexdigest()[:12]}"
