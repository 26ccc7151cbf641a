"""What a comparison finds: differences of four kinds, each with its reason, and how many there are. Pure."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import NamedTuple

MOST_SHOWN = 20  # examples of each kind


class DriftKind(Enum):
    """`missing`: listed, not on the roster. `stale`: listed with other values. `unlisted`: on the roster, not listed.

    `unknowable`: it differs, and what is right cannot be told.
    """

    MISSING = "missing"
    STALE = "stale"
    UNLISTED = "unlisted"
    UNKNOWABLE = "unknowable"


class Why(Enum):
    """Why a difference is unknowable. Some of it passes by itself, or is as it should be; the rest is for a person."""

    YOUNGER = "younger than the file"
    AHEAD = "updated later than the file says"
    WAITING = "not folded yet"
    ERASED = "withheld by an erasure"
    PARKED = "parked"
    AMBIGUOUS = "several have this key"
    WITHOUT_KEY = "without a key"
    UNREADABLE = "a value that cannot be read"


EXPECTED = frozenset({Why.YOUNGER, Why.AHEAD, Why.WAITING, Why.ERASED})


class RosterDifference(NamedTuple):
    """One difference. `participant_id`: None of a row with another key that nobody on the roster has.

    `columns`: by column what is listed and what the roster has, converted, "" for nothing; of a missing participant all
    that is listed. `base`: the position of the participant's newest event, 0 if there is none. `row`: its number in the
    file, where nothing else tells it.
    """

    kind: DriftKind
    participant_id: str | None
    columns: Mapping[str, tuple[str, str]]
    base: int = 0
    why: Why | None = None
    row: int | None = None


@dataclass(slots=True)
class DriftTally:
    """How many there are. `agreeing`: listed as the roster has them. `columns`: by column, how many are stale in it.

    `written_down`: who is not listed, and was observed not to be before. `digests`: of what is listed and of the
    roster, where they were asked for.
    `unreadable`: by column, how many values could not be read; `read`: how many could, of those that were looked at.
    """

    position: int
    rows: int = 0
    on_roster: int = 0
    agreeing: int = 0
    written_down: int = 0
    digests: tuple[str, str] | None = None
    kinds: Counter[DriftKind] = field(default_factory=Counter)
    reasons: Counter[Why] = field(default_factory=Counter)
    columns: Counter[str] = field(default_factory=Counter)
    unreadable: Counter[str] = field(default_factory=Counter)
    examples: list[RosterDifference] = field(default_factory=list)

    def add(self, difference: RosterDifference) -> None:
        """Count a difference."""
        self.kinds[difference.kind] += 1
        if self.kinds[difference.kind] <= MOST_SHOWN:
            self.examples.append(difference)
        if difference.why is not None:
            self.reasons[difference.why] += 1
        elif difference.kind is DriftKind.STALE:
            self.columns.update(difference.columns.keys())

    def examples_of(self, kind: DriftKind) -> list[RosterDifference]:
        """Some differences of a kind, in the order of their ids: 7 before 10."""
        of_kind = [example for example in self.examples if example.kind is kind]
        return sorted(of_kind, key=lambda example: (len(example.participant_id or ""), example.participant_id or ""))

    @property
    def agrees(self) -> bool:
        """Whether nothing differs but what passes by itself, or is as it should be."""
        is_drift = any(self.kinds[kind] for kind in DriftKind if kind is not DriftKind.UNKNOWABLE)
        return not is_drift and self.reasons.keys() <= EXPECTED

    def as_json(self) -> dict[str, object]:
        return {
            "agrees": self.agrees,
            "position": self.position,
            "rows": self.rows,
            "on_roster": self.on_roster,
            "agreeing": self.agreeing,
            **{kind.value: self.kinds[kind] for kind in DriftKind},
            "unlisted_written_down": self.written_down,
            "unknowable_because": {why.value: number for why, number in self.reasons.items()},
            "stale_by_column": dict(self.columns.most_common()),
            "unreadable_by_column": dict(self.unreadable.most_common()),
            "examples": [_as_json(example) for kind in DriftKind for example in self.examples_of(kind)],
        }


def _as_json(example: RosterDifference) -> dict[str, object]:
    return {
        "kind": example.kind.value,
        "participant_id": example.participant_id,
        "columns": [*example.columns] if example.kind is DriftKind.STALE else [],
        "because": None if example.why is None else example.why.value,
        "row": example.row,
        "base": example.base,
    }
