"""An address of the API: what it takes, what it answers and how. The routes and the document are both made of these."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from starlette.responses import Response

from projections.roster.criteria import Criteria, Strict, criteria
from projections.web.question import Asking


@dataclass(frozen=True, slots=True)
class Given:
    """What a request brings: the path's part, the parameters by their model, answers to questions."""

    part: str
    parameters: Any  # an instance of the address's model
    answers: Mapping[str, str]
    is_last: bool  # there is no more time to wait for another state of the roster

    @property
    def criteria(self) -> Criteria:
        return criteria(self.parameters, self.answers)


@dataclass(frozen=True, slots=True)
class Address:
    """`part`: the name of the path's part in braces, if it has one. `media`: of an export; null: the answer is JSON."""

    path: str
    name: str
    summary: str
    asked: type[Strict]
    shape: str
    answer: Callable[[Asking, Given], Awaitable[Response]] | None = None
    part: str | None = None
    takes_answers: bool = False
    media: str | None = None
