"""Names in a sentence, however many there are. Pure."""

from collections.abc import Sequence


def listed(names: Sequence[str], most: int = 5) -> str:
    """The first few of some names, and how many more there are."""
    more = len(names) - most
    return ", ".join(names[:most]) + (f" and {more:,} more" if more > 0 else "")
