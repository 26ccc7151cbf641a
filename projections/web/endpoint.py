"""An endpoint of the API: what it takes, and what it answers. The routes and the document are both made of these."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from projections.roster.criteria import Criteria, Strict, criteria
from projections.web.question import Question

P = TypeVar("P", bound=Strict)


@dataclass(frozen=True, slots=True)
class EndpointRequest(Generic[P]):
    """What a request brings: the id in its path, the parameters by their model, answers to questions.

    `after`: what the page begins after, by its cursor; None without one. `is_last`: there is no more time to wait for
    another revision of the roster.
    """

    id: str
    parameters: P
    answers: Mapping[str, str]
    after: Any
    is_last: bool

    @property
    def criteria(self) -> Criteria:
        return criteria(self.parameters, self.answers)


@dataclass(frozen=True, slots=True)
class One:
    """An answer of one thing."""

    data: object


@dataclass(frozen=True, slots=True)
class Page:
    """An answer of a list. `following`: what the next page begins after; None: nothing. `more`: other members."""

    data: Sequence[object]
    following: object | None
    more: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Endpoint(Generic[P]):
    """`id`: the name of the path's part in braces, if it has one. `media`: of an export; None: the answer is JSON.

    `answer` gives data; None: the endpoint is an export. `is_of_revision`: the roster's revision decides the answer, so
    that it has an ETag.
    """

    path: str
    name: str
    summary: str
    parameters: type[P]
    shape: str
    answer: Callable[[Question, EndpointRequest[P]], Awaitable[One | Page]] | None = None
    id: str | None = None
    takes_answers: bool = False
    media: str | None = None
    is_of_revision: bool = True
