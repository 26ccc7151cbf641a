"""Remembers what the last events were folded to, for projections that share a fold: each event is folded once."""

from collections.abc import Callable
from typing import TypeVar

from ingest.log.event import Event

Given = TypeVar("Given")

_MOST_EVENTS = 2_000  # of a generation; there are two, so that the events of a batch are not forgotten within it
_MOST_BYTES = 4_194_304  # of bodies


def remembering(fold: Callable[[Event], Given]) -> Callable[[Event], Given]:
    """The fold, which gives once more what it gave for an event lately. An event whose body was erased is another."""
    recent: dict[tuple[str, int], tuple[Event, Given]] = {}
    older: dict[tuple[str, int], tuple[Event, Given]] = {}
    held = 0

    def read(event: Event) -> Given:
        nonlocal recent, older, held
        key = event.source, event.position
        known = recent.get(key) or older.get(key)
        if known is not None and known[0] == event:
            return known[1]
        folded = fold(event)
        if len(recent) >= _MOST_EVENTS or held > _MOST_BYTES:
            recent, older, held = {}, recent, 0
        recent[key] = event, folded
        held += len(event.body or b"")
        return folded

    return read
