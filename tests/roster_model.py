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
            id_: (person.first_position, person.position, person.seen.get("first_name"), text(person.seen.get("bib")),
                  text(person.seen.get("event_id")))
            for id_, person in self.people.items()
        }  # fmt: skip

    def history(self) -> set[tuple[str, int, int]]:
        """id, position of a state, position of the one that ended it."""
        return {(id_, since, until) for id_, person in self.people.items() for since, until in person.past}

    def answers(self) -> set[tuple[str, str, Any]]:
        """id, question, answer; without one only where the question has none. An answer of blanks is none."""
        rows = {
            (id_, row["question"], row["answer"] if row["answer"].strip() else "")
            for id_, person in self.people.items()
            for row in person.seen.get("answers") or ()
        }
        answered = {row[:2] for row in rows if row[2]}
        return {row for row in rows if row[2] or row[:2] not in answered}

    def daily(self) -> Counter[tuple[Any, Any]]:
        """How many were registered for an event on a day."""
        return Counter(
            (text(person.seen.get("event_id")), person.seen["created_at"][:10])
            for person in self.people.values()
            if person.seen.get("created_at")
        )


def text(value: object) -> str | None:
    return None if value is None else str(value)


def roster(bodies: Iterable[bytes | None]) -> Roster:
    """Fold bodies in their order; a null one was erased."""
    folded = Roster()
    for position, body in enumerate(bodies, 1):
        if body is not None:
            _take(folded, position, body)
    return folded


def _take(folded: Roster, position: int, body: bytes) -> None:
    try:
        document = json.loads(body)
        json.dumps(document, ensure_ascii=False).encode()  # half a character is none
        seen = document["data"]["object"] if document["type"] == REGISTERED else None
    except (ValueError, KeyError, TypeError):
        folded.parked.add(position)
        return
    if seen is None:
        folded.passed[document["type"]] += 1
        return
    if seen.get("id") is None:
        folded.parked.add(position)
        return
    id_ = str(seen["id"])
    before = folded.people.get(id_)
    if before is None:
        folded.people[id_] = Person(position, position, seen)
    elif json.dumps(seen) == json.dumps(before.seen):
        return  # the state goes on
    elif _is_newer(seen.get("updated_at"), before.seen.get("updated_at")):
        before.past.append((before.position, position))
        before.position, before.seen = position, seen


def _is_newer(new: str | None, old: str | None) -> bool:
    if new is None or old is None:
        return True
    return datetime.fromisoformat(new) >= datetime.fromisoformat(old)
