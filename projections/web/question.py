"""One authorised question: who asks, what they may see, in which state of the roster; and how it is answered."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from urllib.parse import quote, urlencode

from pydantic_core import from_json, to_json
from sqlalchemy.ext.asyncio import AsyncConnection
from starlette.exceptions import HTTPException
from starlette.responses import Response

from ingest.web.problems import Refusal
from projections.roster.criteria import Refused
from projections.roster.roster import State, View, position_at
from projections.web import cursor
from projections.web.access.tokens import Scope
from projections.web.shapes import ANSWERS

POSITION = "Rosterlog-Position"
ANSWERS_OF_THE_PAST = "Answers are kept of the newest states alone: leave out as_of, or the answers."
_RELEASE = 1  # of the answers: another one makes every kept copy stale
_NOT_THE_QUESTION = frozenset({"cursor", "after", "limit", "min_position", "wait", "count"})


@dataclass(frozen=True, slots=True)
class Asking:
    """A question within one snapshot of the database. `parameters`: as they were given."""

    connection: AsyncConnection
    scope: Scope
    state: State
    path: str
    parameters: Mapping[str, str]
    as_of: int | None = None

    @property
    def view(self) -> View:
        return View(self.scope.source, self.scope.event_ids, self.as_of)

    @property
    def position(self) -> int:
        """The position that the answer reflects."""
        return self.state.position if self.as_of is None else self.as_of

    @property
    def etag(self) -> str:
        """The same for the same question in the same state."""
        question = (_RELEASE, self.path, sorted(self.parameters.items()), self.scope.digest.hex())
        state = (self.state.build, self.state.position, self.state.change)
        return f'W/"{hashlib.sha256(to_json((question, state))).hexdigest()[:32]}"'

    @property
    def headers(self) -> dict[str, str]:
        return {POSITION: str(self.position)}

    @property
    def kept(self) -> dict[str, str]:
        """The headers of an answer that may be kept and asked for again."""
        return {**self.headers, "ETag": self.etag, "Cache-Control": "private, no-cache", "Vary": "Authorization"}

    async def back_to(self, given: int | datetime | None) -> "Asking":
        """The same as of an earlier position or time; itself if none is given."""
        if given is None:
            return self
        if isinstance(given, datetime):
            given = min(await position_at(self.connection, self.scope.source, given), self.position)
        if given > self.position:
            raise self.refuse(
                400, f"as_of is beyond the roster, which is at position {self.position}.", parameter="as_of"
            )
        return replace(self, as_of=given)

    def answer(self, shape: str, content: object) -> Response:
        """An answer in a declared shape."""
        return Response(ANSWERS[shape].dump_json(content), headers=self.kept, media_type="application/json")

    def listed(self, shape: str, data: Sequence[object], following: object | None, **more: object) -> Response:
        """A page of a list. `following`: what the next page begins after; null if there is none."""
        found = None if following is None else cursor.write(to_json(following).decode(), self._question, self._key)
        answer = self.answer(shape, {"data": data, "next": found, "position": self.position, **more})
        if found is not None:
            again = {name: value for name, value in self.parameters.items() if name not in ("cursor", "after")}
            answer.headers["Link"] = f'<{quote(self.path)}?{urlencode({**again, "cursor": found})}>; rel="next"'
        return answer

    def after(self, given: str | None) -> Any:  # noqa: ANN401 - what `listed` was given
        """What a page begins after, by its cursor; null without one."""
        if given is None:
            return None
        try:
            return from_json(cursor.read(given, self._question, self._key))
        except cursor.WrongCursor:
            detail = "cursor was not made for this question, this token and this release; start again without it."
            raise self.refuse(400, detail, parameter="cursor") from None

    def is_kept(self, if_none_match: str | None) -> bool:
        """Whether whoever asks has this answer already."""
        return if_none_match is not None and self.etag in if_none_match

    def refuse(
        self, status: int, detail: str, headers: Mapping[str, str] | None = None, **members: object
    ) -> HTTPException:
        return Refusal(status, detail, {**self.headers, **(headers or {})}, members)

    def refused(self, error: Refused) -> HTTPException:
        return self.refuse(400, str(error), parameter=error.name)

    @property
    def _question(self) -> dict[str, str]:
        asked = {name: value for name, value in self.parameters.items() if name not in _NOT_THE_QUESTION}
        return {**asked, "": self.path}

    @property
    def _key(self) -> bytes:
        return self.scope.digest


class NotYet(Exception):
    """There is nothing to answer before the roster has moved on from the state asked about; or after some seconds."""

    def __init__(self, asking: Asking, seconds: float) -> None:
        super().__init__(seconds)
        self.asking = asking
        self.seconds = seconds
