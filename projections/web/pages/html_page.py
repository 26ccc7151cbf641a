"""A page: the parameters that its address takes, and what it shows, for a template."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Generic

from projections.web.endpoint import Endpoint, EndpointRequest, P
from projections.web.question import Question


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """Another page in place of this one: a path, and an id at its end."""

    path: str
    id: str = ""


@dataclass(frozen=True, slots=True)
class HtmlPage(Generic[P]):
    """`endpoint`: the address and its parameters, validated as those of the API are. `show`: what the template gets."""

    endpoint: Endpoint[P]
    template: str
    show: Callable[[Question, EndpointRequest[P]], Awaitable[Mapping[str, Any] | Elsewhere]]
