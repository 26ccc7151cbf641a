"""One authorised question in one snapshot of the database: the scope of its token, the revision, the parameters."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncConnection
from starlette.exceptions import HTTPException

from ingest.web.problems import Refusal
from projections.roster.criteria import ParameterRefused
from projections.roster.mask import Mask
from projections.roster.revision import BeyondRoster, Revision, resolve_as_of
from projections.roster.roster import Roster
from projections.web.access.tokens import Scope
from projections.web.allowance import Allowance

POSITION = "Rosterlog-Position"
WARNING = "Rosterlog-Warning"  # what of a question can match nobody, and why
COMPARED = "Rosterlog-Compared"  # when the roster was compared with its source, and what was found
FOLLOWED_BY = "Rosterlog-After"  # of an export: the place from which a follower goes on


@dataclass(frozen=True, slots=True)
class Question:
    """A question within one snapshot. `path`: encoded, as in links. `parameters`: as in the query string.

    `allowance`: how many bytes of rows the answer may have. `mask`: through which the roster is seen; None: all of it.
    """

    connection: AsyncConnection
    scope: Scope
    revision: Revision
    path: str
    parameters: Mapping[str, str]
    allowance: Allowance
    as_of: int | None = None
    mask: Mask | None = None

    @property
    def roster(self) -> Roster:
        return Roster(self.scope.source, self.scope.event_ids, self.as_of, self.mask)

    @property
    def position(self) -> int:
        """The position that the answer reflects."""
        return self.revision.position if self.as_of is None else self.as_of

    async def back_to(self, as_of: int | datetime | None) -> "Question":
        """The same question as of a position or a time; None: as of now. Raises 400 beyond the roster's position."""
        try:
            position = await resolve_as_of(self.connection, self.scope.source, as_of, self.revision.position)
        except BeyondRoster as error:
            raise self.refuse(400, f"{error}.", parameter="as_of") from None
        return replace(self, as_of=position)

    def refuse(
        self, status: int, detail: str, headers: Mapping[str, str] | None = None, **members: object
    ) -> HTTPException:
        """A refusal that carries the position, as every answer does."""
        return Refusal(status, detail, {POSITION: str(self.position), **(headers or {})}, members)

    def not_there(self, what: str) -> HTTPException:
        """The refusal of an id that the token does not see. A slash at the end is a part of an id."""
        address = self.path.rstrip("/")
        more = "" if address == self.path else f" A slash at the end is a part of the id; without it: {address}."
        return self.refuse(404, f"You see no {what} of this id.{more}")

    def refused(self, error: ParameterRefused) -> HTTPException:
        """The refusal of a parameter."""
        return self.refuse(400, str(error), parameter=error.name)


class NotYet(Exception):
    """The question is to be tried again when the roster has another revision, or at the latest after `seconds`."""

    def __init__(self, question: Question, seconds: float) -> None:
        super().__init__(seconds)
        self.question = question
        self.seconds = seconds
