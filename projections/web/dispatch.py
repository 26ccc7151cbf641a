"""Takes a request to its endpoint: the token, one snapshot of the database, the parameters, the wait for a revision."""

import asyncio
import operator
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import partial
from typing import Any, Protocol

from sqlalchemy.exc import TimeoutError as PoolTimeout
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from ingest.driver import answered_within
from ingest.sqlstate import DRIVER_ERRORS
from projections.participants.fields import ANSWERS
from projections.roster.answer_filters import split_answers
from projections.roster.criteria import AnswerFilter, Criteria, ParameterRefused, criteria, read_parameters
from projections.roster.days import in_zone, one_race
from projections.roster.mask import Mask
from projections.roster.questions import refuse_hidden_answers
from projections.roster.reading import Connects, in_snapshot
from projections.roster.revision import Lineage, Revision, is_same_lineage
from projections.roster.shown import Shown, refuse_hidden, refuse_to_follow, shown_of
from projections.web.access import tokens
from projections.web.access.bearer import Bearer, Bearers
from projections.web.addresses import ID, encoded_path
from projections.web.allowance import Allowance, HeldBytes
from projections.web.answer import after, answer, is_kept, unchanged
from projections.web.answer_log import mark_valid
from projections.web.endpoint import Endpoint, EndpointRequest
from projections.web.masks import Masks, NotCounted
from projections.web.question import NotYet, Question
from projections.web.replicas import Replicas
from projections.web.waiting import Waiting

ANSWER_SECONDS = 17.0  # longer than a statement's deadline, for a database that does not answer at all
BEARER_SECONDS = 2.0  # to find out whether a token may try
_OPERATOR_SECONDS = (1.8, 0.9)  # to find out whether a token is an operator's; one that was lately is not waited for
DATABASE_AWAY = (*DRIVER_ERRORS, PoolTimeout, TimeoutError)  # the database cannot answer
_LATEST_SECONDS = 18.0  # with what is no wait for the database
_OF_ANSWERS = (ANSWERS, "questions")  # parameters that show answers
_POSITION_SECONDS = 10.0  # how long an answer waits for its `min_position`


class Attempt(Protocol):
    """Answers or raises `NotYet`. `is_last`: there is no more time to wait, and `NotYet` is not allowed."""

    async def __call__(self, *, is_last: bool) -> Response: ...


class Dispatch:
    """Takes every request of the API to its answer, over read-only sessions of the server that is read.

    `page_bytes`: of a page's rows; `held`: of all large answers that are being read or sent. `public_url`: where
    clients find the API, if that was said.
    """

    def __init__(
        self,
        replicas: Replicas,
        bearers: Bearers,
        waiting: Waiting,
        masks: Masks,
        page_bytes: int,
        held: HeldBytes,
        public_url: str | None,
    ) -> None:
        self._public_url = public_url
        self._page_bytes = page_bytes
        self._held = held
        self._replicas = replicas
        self._bearers = bearers
        self._waiting = waiting
        self._masks = masks

    async def answer(self, endpoint: Endpoint[Any], request: Request) -> Response:
        """The JSON answer to a request."""
        with answered_within(BEARER_SECONDS):
            bearer = await self._bearers.bearer(request)
        return await self.until_answered(partial(self._answer, endpoint, request, bearer))

    async def bearer(self, request: Request) -> Bearer:
        """The token that a request presents. Raises 401 without a token, 429 beyond a limit."""
        return await self._bearers.bearer(request)

    async def admit_operator(self, request: Request) -> None:
        """Let only an operator's token pass. Raises 401 without a valid token, 403 with another one, 429.

        One that was looked up in the last hour passes while the database is away, too: an error of the driver or
        `TimeoutError` is raised for others, within two seconds.
        """
        may_pass = self._bearers.recognises_operator(request)
        seconds = _OPERATOR_SECONDS[may_pass]
        try:
            async with asyncio.timeout(seconds):
                with answered_within(seconds):
                    bearer = await self._bearers.bearer(request)
                    async with self._replicas.answering.connect() as connection:
                        is_operator = (await connection.execute(tokens.is_operator(bearer.digest))).scalar_one_or_none()
        except DATABASE_AWAY:
            if not may_pass:
                raise
            return
        if is_operator is None:
            raise self._bearers.turn_away(bearer)
        mark_valid(request.scope)
        if not is_operator:
            self._bearers.let_in(bearer)
            raise HTTPException(403, "Only an operator's token may see this: rosterlog token create NAME --operator.")
        self._bearers.let_operator_in(bearer)

    async def until_answered(self, attempt: Attempt, seconds: float = ANSWER_SECONDS) -> Response:
        """Attempt to answer; after `NotYet`, again when the roster has another revision, until its seconds are over.

        What a replica did not let end is tried again, too, within `seconds`.
        """
        until: float | None = None
        while True:
            is_last = until is not None and time.monotonic() >= until
            try:
                return await self._replicas.tried_again(partial(attempt, is_last=is_last), seconds)
            except NotYet as error:
                until = time.monotonic() + error.seconds if until is None else until
                source, is_another = error.question.scope.source, partial(operator.ne, error.question.revision)
            await self._waiting.until(source, is_another, until - time.monotonic())

    async def tried_again(self, attempt: Callable[[], Awaitable[Response]]) -> Response:
        """What an attempt gives, which is made again if a replica did not let it end."""
        return await self._replicas.tried_again(attempt, ANSWER_SECONDS)

    async def _answer(self, endpoint: Endpoint[Any], request: Request, bearer: Bearer, *, is_last: bool) -> Response:
        assert endpoint.answer is not None  # noqa: S101 - endpoints without it are exports
        async with in_time(), self.opened(bearer, request) as opened:
            question, validated = await self.read(endpoint, request, opened, is_last=is_last)
            # A client that waits for a change is not answered with 304 before its time is over.
            waits = getattr(validated.parameters, "wait", None) and not is_last
            if not waits and is_kept(question, request.headers.get("if-none-match")):
                return unchanged(question)
            try:
                result = await endpoint.answer(question, validated)
                return answer(endpoint, question, result, self._public_url)
            except BaseException:  # otherwise it is released when the answer is sent
                question.allowance.release()
                raise

    @asynccontextmanager
    async def opened(self, bearer: Bearer, request: Request, engine: Connects | None = None) -> AsyncIterator[Question]:
        """Authorise the request in one snapshot, so that rows and position agree. Raises 401, 429."""
        values = {"digest": bearer.digest}
        async with in_snapshot(engine or self._replicas.answering, tokens.LOOKED_UP, values) as (connection, row):
            if row is None:
                raise self._bearers.turn_away(bearer)
            mark_valid(request.scope)
            self._bearers.let_in(bearer)
            if row.source == tokens.NO_SOURCE:
                raise HTTPException(403, "This is an operator's token, which sees no participant: send another.")
            event_ids = None if row.event_ids is None else tuple(row.event_ids)
            yield Question(
                connection,
                tokens.Scope(row.source, event_ids, bearer.digest, row.sees_personal_data),
                Revision(row.build, row.position, row.change, row.mark),
                encoded_path(request.scope),
                dict(request.query_params),
                Allowance(self._page_bytes, self._held),
                mask=None if row.sees_personal_data else Mask(),
            )

    async def read(
        self, endpoint: Endpoint[Any], request: Request, question: Question, *, is_last: bool
    ) -> tuple[Question, EndpointRequest[Any]]:
        """The question as of the request's `as_of`, and the request validated by the endpoint's parameters.
        Raises 400, or `NotYet` while the roster has not reached `min_position` (503 if there is no more time).

        First what needs no database: the parameters, and by the cursor whether this is a later page. Then the roster:
        is it there yet, which days does the question mean, as of when. Then the mask, which may have to be counted.
        """
        parameters, answers, shown = _validated(endpoint, request, question)
        begins_after, seen = after(question, getattr(parameters, "cursor", None))
        _check_position(question, getattr(parameters, "min_position", None), is_last=is_last)
        id_ = request.path_params.get(ID, "")
        race = id_ if endpoint.id == "event_id" else one_race(question.roster, parameters)
        parameters = await in_zone(question.connection, parameters, race)
        question = await question.back_to(getattr(parameters, "as_of", None))
        if seen is not None and not endpoint.is_followed:
            await _check_lineage(question, seen)
        needs_answers = answers or shown.has_answers or any(getattr(parameters, each, None) for each in _OF_ANSWERS)
        if question.mask is not None and (needs_answers or endpoint.reads_answers):
            question = await self._masked(question, is_needed=bool(needs_answers))
            if begins_after is None:  # a later page goes on with what the first one was let ask, whatever it is called
                await _refuse_hidden_answers(question, criteria(parameters, answers))
        return question, EndpointRequest(id_, parameters, answers, shown, begins_after, is_last, seen)

    async def _masked(self, question: Question, *, is_needed: bool) -> Question:
        """The question of a token without personal data, with what it sees of the answers.

        As long as these are not counted it raises 503 if they are needed; else none of them is seen.
        """
        try:
            return replace(question, mask=await self._masks.of(question.scope.source, question.revision))
        except NotCounted:
            if not is_needed:
                return question
            detail = "Which answers many people gave is being counted; ask again."
            raise question.refuse(503, detail, {"Retry-After": "2"}) from None


def _validated(
    endpoint: Endpoint[Any], request: Request, question: Question
) -> tuple[Any, Sequence[AnswerFilter], Shown]:
    """The parameters by the endpoint's model, the filters by answers, and what is shown. Raises 400."""
    if len(request.query_params.multi_items()) > len(question.parameters):
        [(name, _), *_] = Counter(name for name, _ in request.query_params.multi_items()).most_common(1)
        raise question.refuse(400, f"{name} is given more than once.", parameter=name)
    named: Mapping[str, str] = question.parameters
    answers: Sequence[AnswerFilter] = ()
    try:
        if endpoint.takes_answers:
            named, answers = split_answers(named)
        parameters = read_parameters(endpoint.parameters, named)
        refuse_hidden(question.roster, criteria(parameters))
        shown = shown_of(parameters, question.roster, has_answers=endpoint.has_answers)
        if endpoint.is_followed:
            refuse_to_follow(question.roster, shown)
    except ParameterRefused as error:
        raise question.refused(error) from None
    return parameters, answers, shown


async def _refuse_hidden_answers(question: Question, criteria: Criteria) -> None:
    try:
        await refuse_hidden_answers(question.connection, question.roster, criteria)
    except ParameterRefused as error:
        raise question.refused(error) from None


async def _check_lineage(question: Question, seen: Lineage) -> None:
    # A replica that is behind cannot tell; there the page is as good as any.
    if await is_same_lineage(question.connection, question.scope.source, seen) is False:
        detail = "cursor was made before the log was restored from a backup; start again without it."
        raise question.refuse(400, detail, parameter="cursor")


@asynccontextmanager
async def in_time() -> AsyncIterator[None]:
    """Raise `NoAnswer` or `TimeoutError` in the block before a client has waited 20 s for an answer."""
    with answered_within(ANSWER_SECONDS):
        async with asyncio.timeout(_LATEST_SECONDS):
            yield


def _check_position(question: Question, wanted: int | None, *, is_last: bool) -> None:
    reached = question.revision.position
    if wanted is None or wanted <= reached:
        return
    if not is_last:
        raise NotYet(question, _POSITION_SECONDS)
    detail = f"The roster is at position {reached} and not yet at {wanted}; ask again."
    raise question.refuse(503, detail, {"Retry-After": "1"})
