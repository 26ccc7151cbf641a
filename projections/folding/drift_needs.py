"""What needs a person of a roster that is not complete: by its own log, or by what its source listed."""

from collections.abc import Sequence
from itertools import chain

from ingest.log.failed_look import MANY
from ingest.log.reconciliation import DRIFT_LEFT, Reconciled, events_in_words
from projections.folding.health import Health, number_of


def needs_of_completeness(health: Health) -> list[str]:
    """A sentence for each source whose roster lacks somebody whom its log names, or has somebody else."""
    return [
        f"{source}: {number_of(found.differences, 'participant is', 'participants are')} not where the log says, as "
        f"was found at position {found.position:,}: rosterlog rebuild folds the log again; rosterlog reconcile --inner "
        "then looks again"
        for source, found in sorted(health.inner.items(), key=lambda item: (-item[1].differences, item[0]))
        if found.differences
    ]


def needs_of_drift(health: Health) -> list[str]:
    """A sentence for each source with differences that are left of what its roster was compared with.

    But of those that are elsewhere: there they are as many, and what may be is written down.
    """
    found = []
    for source, comparisons in sorted(health.reconciled.items()):
        drifting = [] if source in health.elsewhere else [each for each in comparisons if each.drift]
        if drifting:
            sums = {kind: sum(getattr(each, kind) for each in drifting) for kind in DRIFT_LEFT}
            numbers = ", ".join(f"{number:,} {kind}" for kind, number in sums.items() if number)
            sentence = (
                f"{source}: {numbers} of {_scopes(drifting)}, as the source listed them: rosterlog reconcile with a "
                "new list names them, and --apply writes down what may be"
            )
            found.append((-sum(sums.values()), sentence))
    return [sentence for _, sentence in sorted(found)]


def needs_of_looks(health: Health) -> list[str]:
    """A sentence for each scheduled comparison that fails again and again; none for sources that are elsewhere."""
    failing = [
        (look.since, f"{source}: {look.said}")
        for source, looks in health.failing.items()
        if source not in health.elsewhere
        for look in looks
        if look.failures >= MANY
    ]
    return [sentence for _, sentence in sorted(failing)]


def _scopes(drifting: Sequence[Reconciled]) -> str:
    if any(each.event_ids is None for each in drifting):
        return events_in_words(None)
    return events_in_words({*chain.from_iterable(each.event_ids or () for each in drifting)})
