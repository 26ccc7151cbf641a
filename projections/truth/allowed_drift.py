"""How much a look may change without a word: a wrong heading, or a filter, must not change everybody."""

from dataclasses import dataclass, field

from projections.truth.conclusion import NothingConcluded
from projections.truth.drift import DriftKind, DriftTally
from projections.truth.values import UNLISTED_AT

_MOST = 0.05  # of the people who were compared, or who are in the scope


@dataclass(frozen=True, slots=True)
class AllowedDrift:
    """`stale`: columns in which more than 5 % may be stale. `unlisted`: how many may be gone, though it is more."""

    stale: frozenset[str] = field(default_factory=frozenset)
    unlisted: int = 0


def check_stale(tally: DriftTally, allowed: AllowedDrift) -> None:
    """Raise `NothingConcluded` if more than 5 % of those compared are stale in a column that is not allowed.

    That people are listed again, who were not, needs no word.
    """
    compared = tally.agreeing + tally.kinds[DriftKind.STALE]
    many = {column: number for column, number in tally.columns.items() if number > _MOST * compared}
    refused = sorted(many.keys() - allowed.stale - {UNLISTED_AT})
    if refused:
        told = ", ".join(f"{many[column]} in {column}" for column in refused)
        options = " ".join(f"--allow-stale {column}" for column in refused)
        raise NothingConcluded(
            f"of {compared} people compared, more than 5 % are stale: {told}; nothing was written down. If no heading "
            f"is mapped wrongly and that is right, add {options}"
        )


def check_unlisted(tally: DriftTally, gone: int, allowed: AllowedDrift) -> None:
    """Raise `NothingConcluded` if more than 5 % of the scope are not listed, and more would be gone than is allowed."""
    unlisted = tally.kinds[DriftKind.UNLISTED]
    if unlisted > _MOST * tally.on_roster and gone > allowed.unlisted:
        raise NothingConcluded(
            f"of {tally.on_roster} on the roster, {unlisted} are not listed, more than 5 %; nothing was written down. "
            f"If the list has no filter and that is right, add --allow-unlisted {gone}"
        )
