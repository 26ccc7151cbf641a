"""Decides which of two states is newer, and which states of a batch are a participant's newest. Pure.

A newer state that says the same as the one before it is none: the earlier one goes on, from its own position.
"""

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timedelta
from typing import Generic, NamedTuple, Protocol, TypeVar

_ROUNDED = timedelta(seconds=1)


class Dated(Protocol):
    """What a state must have to be compared with another one."""

    @property
    def participant_id(self) -> str: ...
    @property
    def position(self) -> int: ...
    @property
    def updated_at(self) -> datetime | None: ...


S = TypeVar("S", bound=Dated)


class Known(NamedTuple):
    """What is known of a participant's newest state, as far as later states need it."""

    first_position: int
    position: int
    updated_at: datetime | None


class Accepted(NamedTuple, Generic[S]):
    """A state that was newer than the one before it. `first_position`: of the participant's first event.

    `until_position`: of the event that superseded the state; 0 if none did.
    """

    state: S
    first_position: int
    until_position: int


class Advanced(NamedTuple, Generic[S]):
    """The result of a batch's states.

    `newest`: the newest state per participant, if it is newer than the stored one. `superseded`: states of the batch
    that a later one superseded. `ends`: by participant, the position of the event that superseded the stored state.
    """

    newest: list[Accepted[S]]
    superseded: list[Accepted[S]]
    ends: dict[str, int]


def is_newer(state: Dated, known: Known) -> bool:
    """Whether a state is newer than the known one: by `updated_at` if both have one, unless equal; else by position."""
    if known.updated_at is not None:
        updated_at = state.updated_at
        if updated_at is not None and updated_at != known.updated_at:
            return updated_at > known.updated_at
    return state.position > known.position


def may_say_the_same(state: Dated, known: Known) -> bool:
    """Whether a state could say the same as the known one, by `updated_at`. Two readers round it differently."""
    ours, theirs = state.updated_at, known.updated_at
    if ours is None or theirs is None:
        return ours is theirs
    return abs(ours - theirs) < _ROUNDED


def advance(
    states: Iterable[S], known: Mapping[str, Known], stored: Mapping[str, object], content: Callable[[S], object]
) -> Advanced[S]:
    """Compare states, one after the other in the log's order, each with its participant's newest state so far.

    Taking the maximum would be wrong: `is_newer` is not transitive, so only the log's order gives the same result for
    every split into batches. `content`: what a state says, None if it is never the same as another one's. `stored`: the
    content of the known states that `may_say_the_same` as one of the states.
    """
    newest: dict[str, Accepted[S]] = {}
    superseded: list[Accepted[S]] = []
    ends: dict[str, int] = {}
    current = dict(known)
    for state in states:
        id_ = state.participant_id
        before = current.get(id_)
        if before is None:
            first = state.position
        elif is_newer(state, before):
            said = content(newest[id_].state) if id_ in newest else stored.get(id_)
            if said is not None and said == content(state):
                continue
            first = before.first_position
        else:
            continue
        if id_ in newest:
            superseded.append(newest[id_]._replace(until_position=state.position))
        elif before is not None:
            ends[id_] = state.position
        current[id_] = Known(first, state.position, state.updated_at)
        newest[id_] = Accepted(state, first, 0)
    return Advanced(list(newest.values()), superseded, ends)
