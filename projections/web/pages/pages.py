"""The pages' routes: who is signed in, one snapshot for each page, and errors as pages."""

import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from typing import Any
from urllib.parse import quote, urlencode

from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute

from ingest.driver import answered_within
from ingest.logs import request_id
from ingest.sqlstate import error_fields
from ingest.web.headers import REQUEST_ID
from ingest.web.problems import FAULT, Refusal, detail_of, on_fault, on_http_exception
from projections.web.access import tokens
from projections.web.access.bearer import Bearer, Bearers
from projections.web.access.sessions import Sessions, Signed
from projections.web.addresses import ID, AddressRoute, encoded_path
from projections.web.answer_log import mark_valid
from projections.web.dispatch import BEARER_SECONDS, DATABASE_AWAY, Dispatch, in_time
from projections.web.endpoint import Endpoint
from projections.web.exports import Exports
from projections.web.kept_numbers import KeptNumbers
from projections.web.pages.dots import page_segment, with_id_of_query
from projections.web.pages.found import FOUND
from projections.web.pages.html_page import Elsewhere, HtmlPage
from projections.web.pages.look import Look, static_route
from projections.web.pages.person import PERSON
from projections.web.pages.race import race_page
from projections.web.pages.races import races_page
from projections.web.pages.refused import race_of, refuse_future, told
from projections.web.pages.signing import Cookies, is_of_these_pages, local_address, read_form
from projections.web.unreadable import unreadable

_LISTS = ("columns", "questions")  # parameters whose values a form sends one by one
_OPERATIONS = "/operations"
_SIGN_IN, _LINK, _SIGN_OUT = "/sign-in", "/sign-in/{link}", "/sign-out"
_COMPRESSED_FROM = 2_000  # bytes
_LONGEST_NEXT = 2_000  # characters of an address to which signing in leads back
_SLOW = "This takes too long: choose fewer people, or sort by another column."
_AWAY = "The database cannot be reached now. Nothing is lost; try again in a few seconds."
_NO_OPERATOR = "This page is for operators: sign in with a token that rosterlog token create NAME --operator makes."
_NO_ID = "There is no id in this address. An id that is a dot or two is at the end of it as ?id=. or ?id=.. instead."
_USED = "This link has been used, or is older than a quarter of an hour. Make a new one, or sign in with a token."

logger = logging.getLogger(__name__)

Respond = Callable[[Request], Awaitable[Response]]
Note = Callable[[str], Middleware]


class Pages:
    """The pages over the roster of whoever is signed in.

    `kept`: numbers that pages share. `read_operations`: what the page of operations shows, of one source or of all.
    `noted`: the middleware that notes the answers of an address. `public_url`: where browsers find this server.
    """

    def __init__(
        self, dispatch: Dispatch, exports: Exports, bearers: Bearers, sessions: Sessions, kept: KeptNumbers,
        read_operations: Callable[[str | None], Awaitable[Mapping[str, Any]]], noted: Note, public_url: str | None,
    ) -> None:  # fmt: skip
        self._dispatch = dispatch
        self._exports = exports
        self._bearers = bearers
        self._sessions = sessions
        self._read_operations = read_operations
        self._noted = noted
        self._races = races_page(kept)
        self._pages: Sequence[HtmlPage[Any]] = (self._races, FOUND, race_page(kept), PERSON)
        self._look = Look(public_url)
        self._cookies = Cookies(public_url)

    def routes(self) -> list[BaseRoute]:
        return [
            *(self._route(page.endpoint.path, self._shows(page)) for page in self._pages),
            *(self._route(f"/download{each.path}", self._downloads(each)) for each in self._exports.endpoints),
            self._route(_OPERATIONS, self._operations),
            self._route(_SIGN_IN, self._sign_in, posts=True),
            self._route(_LINK, self._sign_in_by_link),
            self._route(_SIGN_OUT, self._sign_out, posts=True),
            static_route(),
        ]

    def _route(self, path: str, respond: Respond, *, posts: bool = False) -> BaseRoute:
        methods = ("GET", "HEAD", "POST") if posts else ("GET", "HEAD")

        async def answered(request: Request) -> Response:
            if request.method not in methods:
                return self._error(request, 405, "This page does not take that.", {"Allow": ", ".join(methods)})
            try:
                return await respond(request)
            except HTTPException as error:
                if error.status_code == 401:
                    return self._to_sign_in(request)
                if isinstance(error, Refusal) and error.members.get("parameter") == "cursor":
                    return self._at(request, without=("cursor",))  # to the first page
                return self._error(request, error.status_code, told(error), error.headers)
            except DATABASE_AWAY as error:
                logger.error("page unreadable", extra={"fields": error_fields(error)})
                why = unreadable(error)
                detail = _SLOW if why.is_slow else why.detail if why.code else _AWAY
                return self._error(request, 503, detail, {"Retry-After": "2"})

        async def answered_in_private(request: Request) -> Response:
            """What is loaded by a page at a link, or follows it, does not learn the link, which may still be good."""
            response = await answered(request)
            response.headers["Referrer-Policy"] = "no-referrer"
            return response

        middleware = [self._noted(path), Middleware(GZipMiddleware, minimum_size=_COMPRESSED_FROM, compresslevel=4)]
        return AddressRoute(path, answered_in_private if path == _LINK else answered, middleware)

    async def on_http_exception_of_browser(self, request: Request, error: Exception) -> Response:
        """An `HTTPException` that no page has handled: a page for a browser outside the API, else a problem."""
        if not isinstance(error, HTTPException) or not _asks_for_page(request):
            return await on_http_exception(request, error)
        return self._error(request, error.status_code, detail_of(request, error), error.headers)

    async def on_fault_of_browser(self, request: Request, error: Exception) -> Response:
        """A fault of ours, likewise. The headers of every answer are not added to it."""
        if not _asks_for_page(request):
            return await on_fault(request, error)
        return self._error(request, 500, FAULT, {REQUEST_ID: request_id.get() or ""})

    def _shows(self, page: HtmlPage[Any]) -> Respond:
        async def show(request: Request) -> Response:
            signed = await self._signed(request)
            if signed.is_operator and page is self._races:
                return RedirectResponse(self._look.address(_OPERATIONS), 303)
            empty = [name for name, value in request.query_params.multi_items() if not value]
            if empty:  # fields of a form that were left empty
                return self._at(request, without=empty)
            given = [name for name, _ in request.query_params.multi_items()]
            if any(given.count(name) > 1 for name in _LISTS):  # boxes of a form that were ticked
                return self._at(request, joined=_LISTS)
            request = with_id_of_query(request)
            if request.path_params.get(ID) == "":
                raise HTTPException(404, _NO_ID)
            bearer = Bearer(signed.token, _address(request))
            return await self._dispatch.tried_again(partial(self._shown, page, request, bearer))

        return show

    async def _shown(self, page: HtmlPage[Any], request: Request, bearer: Bearer) -> Response:
        async with in_time(), self._dispatch.opened(bearer, request) as opened:
            question, validated = await self._dispatch.read(page.endpoint, request, opened, is_last=True)
            refuse_future(question, getattr(validated.parameters, "as_of", None))
            try:
                context = await page.show(question, validated)
            finally:
                question.allowance.release()
        if isinstance(context, Elsewhere):
            return RedirectResponse(self._look.address(context.path) + page_segment(context.id), 303)
        before = page.endpoint.path.partition("{")[0]
        here = self._look.address(before) + (page_segment(validated.id) if page.endpoint.id else "")
        sought = "name, bib, e-mail, team" if question.mask is None else "name, bib, team"
        usual = {"position": question.position, "here": here, "sought": sought}
        return self._look.page(request, page.template, {**usual, **context})

    def _downloads(self, endpoint: Endpoint[Any]) -> Respond:
        async def download(request: Request) -> Response:
            signed = await self._signed(request)
            response = await self._exports.answer_to(Bearer(signed.token, _address(request)), endpoint, request)
            response.headers["Cache-Control"] = "no-store"
            return response

        return download

    async def _operations(self, request: Request) -> Response:
        signed = await self._signed(request)
        if not signed.is_operator:
            return self._look.error(request, 403, _NO_OPERATOR)
        async with in_time():
            source = request.query_params.get("source") or None
            if source is not None and not source.isprintable():
                raise HTTPException(404, "No source is called so.")
            context = await self._read_operations(source)
            return self._look.page(request, "operations.html", context)

    async def _signed(self, request: Request) -> Signed:
        """Who is signed in. Raises 401 if nobody is, which leads to signing in, and 429 beyond a limit."""
        session = self._cookies.session_of(request)
        if session is None:
            raise HTTPException(401)
        with answered_within(BEARER_SECONDS):
            bearer = await self._bearers.admitted(request, tokens.digest(session))
            signed = await self._sessions.signed(session)
        if signed is None:
            raise self._bearers.turn_away(bearer)
        self._bearers.let_in(bearer)
        # Many sessions together have no more requests than their token.
        self._bearers.let_in(await self._bearers.admitted(request, signed.token))
        mark_valid(request.scope)
        request.state.is_operator = signed.is_operator
        return signed

    def _error(self, request: Request, status: int, detail: str, headers: Mapping[str, str] | None = None) -> Response:
        is_signed_in = self._cookies.session_of(request) is not None
        race = race_of(request) if status == 400 else None
        back = None if race is None else self._look.address(race)
        return self._look.error(request, status, detail, headers, is_signed_in=is_signed_in, back=back)

    def _at(self, request: Request, without: Sequence[str] = (), joined: Sequence[str] = ()) -> Response:
        """To the same page without some parameters, and with each of those that are lists once."""
        given = [(name, value) for name, value in request.query_params.multi_items() if name not in without]
        lists = {name: ",".join(value for each, value in given if each == name) for name in joined}
        left = [(name, value) for name, value in given if name not in lists]
        left += [(name, value) for name, value in lists.items() if value]
        query = f"?{urlencode(left)}" if left else ""
        return RedirectResponse(self._look.address(encoded_path(request.scope)) + query, 303)

    def _to_sign_in(self, request: Request) -> Response:
        """To the page that signs in; from there back to this one."""
        query = f"?{request.url.query}" if request.url.query else ""
        path = encoded_path(request.scope) + query
        back = f"?next={quote(path, safe='')}" if request.method == "GET" and len(path) <= _LONGEST_NEXT else ""
        return RedirectResponse(self._look.address(_SIGN_IN) + back, 303)

    async def _sign_in(self, request: Request) -> Response:
        if request.method != "POST":
            back = local_address(request.query_params.get("next", "/"))
            return self._look.page(request, "sign_in.html", {"back": back, "refused": None, "is_signed_in": False})
        form = await read_form(request)
        back = local_address(form.get("next", "/"))
        if not is_of_these_pages(request):
            return self._look.error(request, 403, "Sign in on this server's own page.", is_signed_in=False)
        token = form.get("token", "").strip()
        with answered_within(BEARER_SECONDS):
            bearer = await self._bearers.admitted(request, tokens.digest(token))
            session = await self._sessions.begin(bearer.digest)
        if session is None:
            self._bearers.turn_away(bearer)
            refused = "This token is unknown, revoked or expired." if token else "Paste a token first."
            context = {"back": back, "refused": refused, "is_signed_in": False, "request_id": request_id.get()}
            return self._look.page(request, "sign_in.html", context, 401)
        self._bearers.let_in(bearer)
        return await self._signed_in(request, session, back, "token")

    async def _sign_in_by_link(self, request: Request) -> Response:
        purpose = request.headers.get("sec-purpose", request.headers.get("purpose", ""))
        if request.method == "HEAD" or "prefetch" in purpose:  # by what looks at links before a person does
            return Response(status_code=200 if request.method == "HEAD" else 425)
        link = request.path_params[ID]
        with answered_within(BEARER_SECONDS):
            bearer = await self._bearers.admitted(request, tokens.digest(link))
            session = await self._sessions.begin_by_link(link)
        if session is None:
            self._bearers.turn_away(bearer)
            return self._look.error(request, 410, _USED, is_signed_in=False)
        self._bearers.let_in(bearer)
        return await self._signed_in(request, session, "/", "link")

    async def _signed_in(self, request: Request, session: str, back: str, way: str) -> Response:
        before = self._cookies.session_of(request)
        if before is not None:
            await self._sessions.end(before)
        mark_valid(request.scope)
        self._bearers.let_in(Bearer(tokens.digest(session), _address(request)))  # though wrong tokens came from there
        logger.info("signed in", extra={"fields": {"with": way}})
        response = RedirectResponse(self._look.address(back), 303)
        self._cookies.set(response, session, request)
        return response

    async def _sign_out(self, request: Request) -> Response:
        response = RedirectResponse(self._look.address(_SIGN_IN), 303)
        if request.method == "POST" and is_of_these_pages(request):
            session = self._cookies.session_of(request)
            if session is not None:
                await self._sessions.end(session)
                logger.info("signed out")
            self._cookies.forget(response, request)
        return response


def _asks_for_page(request: Request) -> bool:
    """Whether a browser asks, as it does for what it shows to a person, outside the API."""
    return "text/html" in request.headers.get("accept", "") and not f"{request.url.path}/".startswith("/v1/")


def _address(request: Request) -> str:
    return request.client.host if request.client else ""
