"""What an answer says when the database did not give it: why, and when to ask again."""

from dataclasses import dataclass

from ingest.sqlstate import DRIVER_ERRORS, is_cancelled, is_recovery_conflict
from projections.web.replicas import NothingToRead


@dataclass(frozen=True, slots=True)
class Unreadable:
    """`code`: by which programs know the reason; None for one that needs no other treatment than any 503."""

    detail: str
    retry_after: str = "2"
    code: str | None = None
    is_slow: bool = False


def unreadable(error: Exception) -> Unreadable:
    """What is said of an error of the driver or a time-out that hindered an answer."""
    if isinstance(error, DRIVER_ERRORS) and is_cancelled(error):
        return Unreadable("This takes too long: ask for less, or sort by another column.", "5", is_slow=True)
    if is_recovery_conflict(error):
        detail = "The replica that was asked had to end this several times, to go on following its primary; ask again."
        return Unreadable(detail, code="replica_conflict")
    if isinstance(error, NothingToRead):
        return Unreadable(f"The roster can be read nowhere now ({error}); ask again.", code="nothing_to_read")
    return Unreadable("The roster cannot be read now; ask again.")
