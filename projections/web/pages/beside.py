"""What stands beside the roster of a race and may take long: its name, questions, numbers, choices, growth.

Of a race of few it is asked for in the request; of many it is kept from one request to the next.
"""

from collections.abc import Awaitable, Callable, Hashable, Sequence
from dataclasses import dataclass, replace
from datetime import date
from functools import partial
from typing import TypeVar

from sqlalchemy.ext.asyncio import AsyncConnection

from projections.roster.criteria import Criteria
from projections.roster.days import Dates
from projections.roster.facets import MOST_COUNTED, count_some
from projections.roster.growth import Growth, growth_of
from projections.roster.patience import within
from projections.roster.questions import FormQuestion, questions_of
from projections.roster.races import newest_name
from projections.roster.roster import Roster
from projections.web.kept_numbers import Kept, KeptNumbers
from projections.web.pages.choices import ChoiceNumbers, count_choices
from projections.web.question import Question

_T = TypeVar("_T")
_MILLISECONDS = 2_000  # for which a page waits for the names of questions, and again for the chart
_QUICK_MILLISECONDS = 30
_EXACT = MOST_COUNTED  # people in a race, of whom it takes no time to count whoever meets criteria
_FEW = 3_000  # of whom it takes none to count what can be chosen
_FEW_SECONDS, _MANY_SECONDS = 2.0, 0.015  # for which a page waits for numbers of few and of many


@dataclass(frozen=True, slots=True)
class BesideRoster:
    """What is shown beside the roster of a race. `of_all`: how many participants the race has."""

    kept: KeptNumbers
    question: Question
    event_id: str
    of_all: int

    @property
    def _has_few(self) -> bool:
        return self.of_all <= _FEW

    async def name(self) -> str | None:
        """The name of the race; None if looking for it takes long."""
        roster, event_id = self.question.roster, self.event_id
        if not self.of_all:  # before anybody was in it
            roster = replace(roster, as_of=None)

        async def look(connection: AsyncConnection) -> str | None:
            return await newest_name(connection, roster, event_id)

        connection = self.question.connection
        found = await within(connection, _QUICK_MILLISECONDS, lambda: look(connection)) if self._has_few else None
        return found or await self._kept(("name", roster, event_id), look)

    async def questions(self, of_race: Roster, *, is_needed: bool) -> Sequence[FormQuestion]:
        """The questions of the race; none if looking for them takes long and they are not needed."""
        if is_needed:
            return await questions_of(self.question.connection, of_race)

        async def look(connection: AsyncConnection) -> Sequence[FormQuestion]:
            return await questions_of(connection, of_race)

        return await self._given(("questions", of_race), look) or []

    async def growth(self, dates: Dates, today: date) -> Growth | None:
        """How the race grew; None if nobody registered, or if it takes long."""
        roster, event_id = self.question.roster, self.event_id

        async def look(connection: AsyncConnection) -> Growth | None:
            return await growth_of(connection, roster, event_id, dates, today)

        return await self._given(("growth", roster, event_id, dates, today), look)

    async def number(self, criteria: Criteria) -> int | None:
        """How many participants meet the criteria; None if they are being counted."""
        count = partial(count_some, roster=self.question.roster, criteria=replace(criteria, sort=()))
        if self.of_all <= _EXACT:
            return await count(self.question.connection)
        return await self._kept(("number", self.question.roster, replace(criteria, sort=())), count, _MANY_SECONDS)

    async def choices(self, criteria: Criteria, questions: Sequence[FormQuestion]) -> Kept[ChoiceNumbers] | None:
        """What can be chosen; None if it is being counted."""
        roster, event_id = self.question.roster, self.event_id

        async def count(connection: AsyncConnection) -> ChoiceNumbers:
            return await count_choices(connection, roster, criteria, event_id, questions)

        seconds = _FEW_SECONDS if self._has_few else _MANY_SECONDS
        unsorted = replace(criteria, sort=())
        return await self.kept.of(("choices", roster, unsorted), self.question.revision, count, seconds)

    async def _given(self, key: Hashable, look: Callable[[AsyncConnection], Awaitable[_T]]) -> _T | None:
        """What `look` finds; None if it takes long."""
        connection = self.question.connection
        if self._has_few:
            return await within(connection, _MILLISECONDS, lambda: look(connection))
        return await self._kept(key, look)

    async def _kept(
        self, key: Hashable, look: Callable[[AsyncConnection], Awaitable[_T]], seconds: float = _MILLISECONDS / 1_000
    ) -> _T | None:
        kept = await self.kept.of(key, self.question.revision, look, seconds)
        return None if kept is None else kept.numbers
