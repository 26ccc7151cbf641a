"""What a fold can say of an event besides a new state: parked or passed. Plain data, so that folds stay pure."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Parked:
    """An event that could not be folded. The reason says why and holds nothing of the body."""

    position: int
    participant_id: str | None
    reason: str


@dataclass(frozen=True, slots=True)
class Passed:
    """An event this projection has nothing to do with. `event_type` is null for an erased one, which is not counted."""

    position: int
    event_type: str | None
