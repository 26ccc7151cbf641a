"""Sentences of the page of operations about what `needs` leaves out: erasures, and what may be right as it is."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from ingest.log.withheld import WaitingErasures
from projections.folding.health import Health, in_words, number_of
from projections.participants.ahead import in_a_sentence

_MANY_QUIET = 5
_QUIET_SECONDS = 86_400.0  # without a delivery, after which it is said


def needs_of_erasures(erasures: Sequence[WaitingErasures]) -> list[str]:
    """The erasures that somebody has to carry out again: a sentence per source, with the next step."""
    return [
        f"{each.source}: {number_of(each.undone, 'erasure names a body', 'erasures name bodies')} that the log has "
        "again, as after the restore of a backup: rosterlog erase --reapply"
        for each in erasures
        if each.undone
    ]


def remarks(health: Health, erasures: Sequence[WaitingErasures], ahead: Mapping[str, int]) -> list[str]:
    """What may be right as it is, and what to look at if it is not."""
    said = _of_quiet(health)
    said += [
        f"{each.source}: {number_of(each.delivered_since, 'erased participant was', 'erased participants were')} "
        f"delivered again since, in {number_of(each.events, 'event', 'events')}, which nobody sees: rosterlog erase "
        "--list says who; erase again, or lift the erasure"
        for each in erasures
        if each.delivered_since
    ]
    said += [f"{source}: {in_a_sentence({source: number})}" for source, number in sorted(ahead.items())]
    if health.unknown.last_hour:
        number = number_of(health.unknown.last_hour, "delivery", "deliveries")
        said.append(f"{number} came in the last hour for a source that nobody knows: is a webhook's address right?")
    return said


def _of_quiet(health: Health) -> list[str]:
    """The sources from which nothing came for a day: a sentence each, or one for all if they are many."""
    quiet = {
        source.status.source: seconds
        for source in health.sources
        if source.status.source not in health.elsewhere
        and source.last_received_at
        and (seconds := _seconds_since(source.last_received_at)) > _QUIET_SECONDS
    }
    if len(quiet) > _MANY_QUIET:
        return [
            f"from {len(quiet):,} sources no delivery came for a day, {', '.join([*quiet][:_MANY_QUIET])} among them"
        ]
    return [
        f"{source}: the last delivery came {in_words(seconds)} ago: is no race open, or has Movemint's subscription "
        "ended?"
        for source, seconds in quiet.items()
    ]


def _seconds_since(moment: datetime) -> float:
    return (datetime.now(UTC) - moment).total_seconds()
