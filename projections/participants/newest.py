"""Tells which of two states is newer, and takes states in the log's order over what is known. Pure."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Generic, NamedTuple, Protocol, TypeVar


class Dated(Protocol):
    """A state of a participant that can be newer than what is known."""

    @property
    def participant_id(self) -> str: ...
    @property
    def position(self) -> int: ...
    @property
    def updated_at(self) -> datetime | None: ...


S = TypeVar("S", bound=Dated)


class Known(NamedTuple):
    """What decides whether a later event is newer than the state there is."""

    first_position: int
    position: int
    updated_at: datetime | None


class Accepted(NamedTuple, Generic[S]):
    """A state that was newer than the one before it. `first_position`: of the participant's first event.

    `until_position`: of the event that superseded the state, 0 if none did.
    """

    state: S
    first_position: int
    until_position: int


class Advanced(NamedTuple, Generic[S]):
    """What events come to: the newest state of each participant, those superseded meanwhile, and ends of stored ones.

    `ends`: by participant, the position of the event that superseded the stored state.
    """

    newest: list[Accepted[S]]
    superseded: list[Accepted[S]]
    ends: dict[str, int]


def is_newer(state: Dated, known: Known) -> bool:
    """Whether a state is newer than what is known: by `updated_at` if both have it, else by position."""
    if known.updated_at is not None:
        updated_at = state.updated_at
        if updated_at is not None and updated_at != known.updated_at:
            return updated_at > known.updated_at
    return state.position > known.position


def advance(states: Iterable[S], known: Mapping[str, Known]) -> Advanced[S]:
    """Take states in the log's order over what is known of their participants, one after the other.

    Not by "the newest of all": "newer" is not transitive, so only the order gives every split into batches one end.
    """
    newest: dict[str, Accepted[S]] = {}
    superseded: list[Accepted[S]] = []
    ends: dict[str, int] = {}
    now = dict(known)
    for state in states:
        id_ = state.participant_id
        before = now.get(id_)
        if before is not None and not is_newer(state, before):
            continue
        first = before.first_position if before else state.position
        if id_ in newest:
            superseded.append(newest[id_]._replace(until_position=state.position))
        elif before is not None:
            ends[id_] = state.position
        now[id_] = Known(first, state.position, state.updated_at)
        newest[id_] = Accepted(state, first, 0)
    return Advanced(list(newest.values()), superseded, ends)
