"""The outcomes of a fold other than a state: parked or passed. Plain data, so that folds stay pure."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Parked:
    """An event that could not be folded. The reason holds nothing of the body."""

    position: int
    participant_id: str | None
    reason: str


@dataclass(frozen=True, slots=True)
class Passed:
    """An event that this projection ignores. `event_type` is None if it is not to be counted as an unknown type."""

    position: int
    event_type: str | None
