"""An endpoint of the API: its parameters and its answer; routes and the OpenAPI document are made from endpoints."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from projections.roster.compared import LastComparison
from projections.roster.criteria import AnswerFilter, Criteria, Strict, criteria
from projections.roster.revision import Lineage
from projections.roster.shown import Shown
from projections.web.question import Question

P = TypeVar("P", bound=Strict)


@dataclass(frozen=True, slots=True)
class EndpointRequest(Generic[P]):
    """A validated request. `id`: from the path, "" if no id can be that.

    `answers`: the filters by answers. `shown`: of participants. `after`: what the page begins after, or ends before, as
    `Page` has it, from the cursor; None without a cursor. `is_last`: there is no more time to wait for another revision
    of the roster. `seen`: the lineage that the page before was of.
    """

    id: str
    parameters: P
    answers: Sequence[AnswerFilter]
    shown: Shown
    after: Any
    is_last: bool
    seen: Lineage | None = None

    @property
    def criteria(self) -> Criteria:
        return criteria(self.parameters, self.answers)


@dataclass(frozen=True, slots=True)
class One:
    """An answer with one object; bytes are JSON already."""

    data: object


@dataclass(frozen=True, slots=True)
class Page:
    """A page of a list; rows in bytes are JSON already.

    `following`: what the next page begins after, None if there is none. `more`: other members. `warnings`: what of the
    question can match nobody, in ASCII. `previous`: what the page before ends before, where that is known.
    `compared`: how the roster was compared with its source.
    """

    data: Sequence[object]
    following: object | None
    more: Mapping[str, object] = field(default_factory=dict)
    warnings: Sequence[str] = ()
    previous: object | None = None
    compared: LastComparison | None = None


@dataclass(frozen=True, slots=True)
class Endpoint(Generic[P]):
    """`id`: the name of the path's parameter, if it has one. `media`: an export's media type; None: the answer is JSON.

    `name`: the operation's id. `shape`: the answer's, a name in `SHAPES`. `answer` returns data; None: an export.
    `takes_answers`: as filters. `has_answers`: it shows answers to questions, unless columns are asked for.
    `reads_answers`: it shows something of them where that is quick, whatever is asked for.
    `is_of_revision`: the roster's revision decides the answer, so that it has an ETag. `is_followed`: clients keep a
    copy by it, so after the restore of a backup it answers a cursor of before with a reset; others refuse it.
    """

    path: str
    name: str
    summary: str
    parameters: type[P]
    shape: str
    answer: Callable[[Question, EndpointRequest[P]], Awaitable[One | Page]] | None = None
    id: str | None = None
    takes_answers: bool = False
    has_answers: bool = False
    reads_answers: bool = False
    media: str | None = None
    is_of_revision: bool = True
    is_followed: bool = False

    def __post_init__(self) -> None:
        self.parameters.model_rebuild()  # builds them, so that no request has to, which would keep all others waiting
