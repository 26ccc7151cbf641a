"""An independent model of everything the roster keeps: states, the positions between which they held, answers, counts.

It shares no code with the fold, and takes the simplest way: one event after the other, over plain dictionaries.
"""

import json
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

REGISTERED = "event.participant.created"


@dataclass
class Person:
    """The newest state, and those before it with the position of their end."""

    first_position: int
    position: int
    seen: dict[str, Any]
    past: list[tuple[int, int]] = field(default_factory=list)


@dataclass
class Roster:
    """What one source's log comes to."""

    people: dict[str, Person] = field(default_factory=dict)
    parked: set[int] = field(default_factory=set)
    passed: Counter[str] = field(default_factory=Counter)

    def rows(self) -> dict[str, tuple[int, int, Any, Any, Any]]:
        """id -> first position, position, first name, bib as text, event as text."""
        return {
            id_: (one.first_position, one.position, one.seen.get("first_name"), text(one.seen.get("bib")),
                  text(one.seen.get("event_id")))
            for id_, one in self.people.items()
        }  # fmt: skip

    def history(self) -> set[tuple[str, int, int]]:
        """id, position of a state, position of the one that ended it."""
        return {(id_, since, until) for id_, one in self.people.items() for since, until in one.past}

    def answers(self) -> set[tuple[str, str, Any]]:
        """id, question, answer."""
        return {
            (id_, row["question"], row["answer"])
            for id_, one in self.people.items()
            for row in one.seen.get("answers") or ()
        }

    def daily(self) -> Counter[tuple[Any, Any]]:
        """How many were registered for an event on a day."""
        return Counter(
            (text(one.seen.get("event_id")), one.seen["created_at"][:10])
            for one in self.people.values()
            if one.seen.get("created_at")
        )


def text(value: object) -> str | None:
    return None if value is None else str(value)


def roster(bodies: Iterable[bytes | None]) -> Roster:
    """Fold bodies in their order; a null one was erased."""
    found = Roster()
    for position, body in enumerate(bodies, 1):
        if body is not None:
            _take(found, position, body)
    return found


def _take(found: Roster, position: int, body: bytes) -> None:
    try:
        document = json.loads(body)
        json.dumps(document, ensure_ascii=False).encode()  # half a character is none
        seen = document["data"]["object"] if document["type"] == REGISTERED else None
    except (ValueError, KeyError, TypeError):
        found.parked.add(position)
        return
    if seen is None:
        found.passed[document["type"]] += 1
        return
    if seen.get("id") is None:
        found.parked.add(position)
        return
    id_ = str(seen["id"])
    before = found.people.get(id_)
    if before is None:
        found.people[id_] = Person(position, position, seen)
    elif _is_newer(seen.get("updated_at"), before.seen.get("updated_at")):
        before.past.append((before.position, position))
        before.position, before.seen = position, seen


def _is_newer(new: str | None, old: str | None) -> bool:
    if new is None or old is None:
        return True
    return datetime.fromisoformat(new) >= datetime.fromisoformat(old)
