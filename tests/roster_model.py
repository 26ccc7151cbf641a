"""An independent model of everything the roster keeps: states, the positions between which they held, answers, counts.

An observation is a state as a delivery is, by the same rules. The model shares no code with the fold, and takes the
simplest way: one event after the other, over plain dictionaries.
"""

import json
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from tests.model import OwnBody

REGISTERED = "event.participant.created"
OBSERVED, UNLISTED = "rosterlog.participant.observed", "rosterlog.participant.unlisted"


@dataclass
class Person:
    """The newest state, its origin, whether it is that the person is not listed, and the states before it.

    `past`: positions, each with the position of its end.
    """

    first_position: int
    position: int
    seen: dict[str, Any]
    origin: str = "delivery"
    is_unlisted: bool = False
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

    def listed(self) -> dict[str, tuple[str, bool]]:
        """id -> origin, and whether the person is observed not to be listed."""
        return {id_: (person.origin, person.is_unlisted) for id_, person in self.people.items()}

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
        is_own = isinstance(body, OwnBody)
        is_about = document["type"] == REGISTERED or (is_own and document["type"] in (OBSERVED, UNLISTED))
        seen = document["data"]["object"] if is_about else None
    except (ValueError, KeyError, TypeError):
        folded.parked.add(position)
        return
    if seen is None:
        folded.passed[document["type"]] += not is_own
        return
    if seen.get("id") is None:
        folded.parked.add(position)
        return
    id_ = str(seen["id"])
    new = Person(position, position, seen, "observation" if is_own else "delivery", document["type"] == UNLISTED)
    before = folded.people.get(id_)
    if before is None:
        folded.people[id_] = new
    elif (json.dumps(seen), new.is_unlisted) == (json.dumps(before.seen), before.is_unlisted):
        return  # the state goes on
    elif _is_newer(seen.get("updated_at"), before.seen.get("updated_at")):
        new.first_position, new.past = before.first_position, [*before.past, (before.position, position)]
        folded.people[id_] = new


def _is_newer(new: str | None, old: str | None) -> bool:
    if new is None or old is None:
        return True
    return datetime.fromisoformat(new) >= datetime.fromisoformat(old)
