"""Exports of the roster over HTTP, each streamed from one snapshot, on a session that is closed with the response."""

import asyncio
import logging
from collections.abc import AsyncGenerator, Sequence
from contextlib import AsyncExitStack, aclosing
from dataclasses import replace
from functools import partial
from typing import Any

from sqlalchemy import text
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from ingest.driver import answered_within
from projections.roster.compared import read_compared
from projections.roster.criteria import ParameterRefused
from projections.roster.export.export import Export, exported, shown_in
from projections.roster.export.files import DoesNotFit, NotMade
from projections.roster.export.formats import FORMATS, Format, NotInstalled
from projections.roster.questions import resolved
from projections.roster.reading import Connects
from projections.roster.unmatched import empty_filters, excluding_nobody, unmatched
from projections.roster.values import in_file_name
from projections.web.access.bearer import Bearer
from projections.web.answer import is_kept, kept_headers, unchanged, warning_headers
from projections.web.dispatch import ANSWER_SECONDS, BEARER_SECONDS, Dispatch, in_time
from projections.web.endpoint import Endpoint, EndpointRequest
from projections.web.parameters import export_parameters
from projections.web.places import exported_place, place_text
from projections.web.question import COMPARED, FOLLOWED_BY, Question
from projections.web.sending import Streamed

logger = logging.getLogger(__name__)

AT_ONCE = 4  # exports under way in this process
OF_ONE_TOKEN = 2  # exports under way with the same token
_LONGEST_SECONDS = 900  # for the query, and again for sending its rows
_LOOK_SECONDS = 0.5  # between two checks that the client is connected, until the first byte


class Exports:
    """The exports of the API, and the limits of how many may be under way."""

    def __init__(self, engine: Connects, dispatch: Dispatch) -> None:
        self._engine = engine
        self._dispatch = dispatch
        self._under_way: list[bytes] = []  # the digest of the token, per export

    @property
    def endpoints(self) -> Sequence[Endpoint[Any]]:
        return [self._endpoint(format_) for format_ in FORMATS.values()]

    def _endpoint(self, format_: Format) -> Endpoint[Any]:
        return Endpoint(
            f"/v1/participants.{format_.name}",
            f"export{format_.name.capitalize()}",
            f"The roster as {format_.name.upper()}, as of one position, which is in the file's name.",
            export_parameters(format_),
            "",
            takes_answers=True,
            media=format_.media,
        )

    async def answer(self, endpoint: Endpoint[Any], request: Request) -> Response:
        """Begin an export. The response starts once the first bytes are there; the rest is streamed."""
        with answered_within(BEARER_SECONDS):
            bearer = await self._dispatch.bearer(request)
        return await self.answer_to(bearer, endpoint, request)

    async def answer_to(self, bearer: Bearer, endpoint: Endpoint[Any], request: Request) -> Response:
        """Begin an export for the bearer of a token."""
        format_ = FORMATS[endpoint.path.rpartition(".")[2]]
        begin = partial(self._begin, endpoint, request, bearer, format_)
        return await self._dispatch.until_answered(begin, _LONGEST_SECONDS)

    async def _begin(
        self, endpoint: Endpoint[Any], request: Request, bearer: Bearer, format_: Format, *, is_last: bool
    ) -> Response:
        # Authorised on the shared engine first: a session for an export is opened only for a valid request.
        async with in_time(), self._dispatch.opened(bearer, request) as opened:
            question, validated = await self._dispatch.read(endpoint, request, opened, is_last=is_last)
            if is_kept(question, request.headers.get("if-none-match")):
                return unchanged(question)
            export = _export(format_, question, validated)
            if request.method == "HEAD":
                return Response(headers=await _headers(question, export), media_type=format_.media)
        async with AsyncExitStack() as resources:
            self._take_slot(resources, bearer)
            return await self._stream(request, bearer, question, validated, format_, resources)

    async def _stream(
        self,
        request: Request,
        bearer: Bearer,
        asked: Question,
        validated: EndpointRequest[Any],
        format_: Format,
        resources: AsyncExitStack,
    ) -> Response:
        session = await resources.enter_async_context(AsyncExitStack())
        with answered_within(ANSWER_SECONDS):
            opened = await session.enter_async_context(self._dispatch.opened(bearer, request, self._engine))
            question = replace(await opened.back_to(validated.parameters.as_of), mask=asked.mask)
            export = _export(format_, question, validated)
            headers = await _headers(question, export)
            await question.connection.execute(text(f"set local statement_timeout = '{_LONGEST_SECONDS}s'"))
        chunks = await resources.enter_async_context(aclosing(exported(question.connection, export)))
        first = await _first(request, question, chunks)
        if format_.module is not None:  # the file is complete: sending it needs no session
            await session.aclose()
        return Streamed(_all(first, chunks), resources.pop_all(), headers, format_.media, _LONGEST_SECONDS)

    def _take_slot(self, resources: AsyncExitStack, bearer: Bearer) -> None:
        of_token = self._under_way.count(bearer.digest)
        if len(self._under_way) >= AT_ONCE or of_token >= OF_ONE_TOKEN:
            raise HTTPException(503, "Too many exports are under way; ask again.", {"Retry-After": "5"})
        self._under_way.append(bearer.digest)
        resources.callback(self._under_way.remove, bearer.digest)


async def _headers(question: Question, export: Export) -> dict[str, str]:
    disposition = f'attachment; filename="{export.file_name}"'
    place = place_text(await exported_place(question))
    warnings = [*empty_filters(export.criteria)]
    criteria = await resolved(question.connection, question.roster, export.criteria)
    for look in (excluding_nobody, unmatched):
        warnings += [warning async for warning in look(question.connection, question.roster, criteria)]
    compared = await read_compared(question.connection, question.roster, criteria, question.position)
    headers = {**kept_headers(question), **warning_headers(warnings), COMPARED: compared.sentence}
    return {**headers, "Content-Disposition": disposition, FOLLOWED_BY: place}


def _export(format_: Format, question: Question, validated: EndpointRequest[Any]) -> Export:
    parameters = validated.parameters
    shown = shown_in(validated.shown, parameters.form, has_columns=parameters.columns is not None)
    try:
        return Export(
            format_,
            question.roster,
            validated.criteria,
            question.position,
            shown,
            parameters.form,
            parameters.dialect,
            None if parameters.questions is None else tuple(parameters.questions),
            in_file_name(question.parameters.get("as_of")),
        )
    except NotInstalled as error:
        raise question.refuse(501, f"{error}.") from None


async def _first(request: Request, question: Question, chunks: AsyncGenerator[bytes]) -> bytes:
    """The first chunk. Raises `ClientDisconnect` if the client leaves before it, so that the file is not made on."""
    first = asyncio.ensure_future(anext(chunks))
    try:
        while not (await asyncio.wait([first], timeout=_LOOK_SECONDS))[0]:
            if await request.is_disconnected():
                raise ClientDisconnect
        return first.result()
    except DoesNotFit as error:
        raise question.refuse(400, f"{str(error).capitalize()}.") from None
    except ParameterRefused as error:
        raise question.refused(error) from None
    except NotMade as error:
        logger.error("export failed", extra={"fields": {"error": str(error)}})
        raise question.refuse(
            503, "The file could not be made; csv and ndjson need less.", {"Retry-After": "5"}
        ) from None
    finally:
        if not first.done():
            first.cancel()
            await asyncio.wait([first])


async def _all(first: bytes, chunks: AsyncGenerator[bytes]) -> AsyncGenerator[bytes]:
    yield first
    async for chunk in chunks:
        yield chunk
