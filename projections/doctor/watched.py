"""Checks what `rosterlog status` watches, in its words: refusals, worker, definitions, lag, parked events."""

from collections.abc import Iterator
from datetime import UTC, datetime

from projections.doctor.finding import DoctorFinding, fail, first_few, ok
from projections.folding.health import UNSEEN_SECONDS, Health, in_words, number_of
from projections.folding.needs import BEHIND_SECONDS, needs


def check_watched(health: Health) -> Iterator[DoctorFinding]:
    """Each sentence of `needs`, which ends with what to do, is a finding; what is well is said beside them."""
    yield from map(_needed, needs(health))
    yield from first_few(_arrivals(health))
    yield from first_few((name, ok("elsewhere", f"{name}: {place}")) for name, place in health.elsewhere.items())
    yield from _worker(health)
    built = [live for live in health.projections if live.build is not None]
    if not any(live.needs_rebuild for live in built):
        yield ok("definitions", f"{number_of(len(built), 'live build', 'live builds')}, folded as this program folds")
    if health.seconds_behind <= BEHIND_SECONDS:
        lag = sum(source.status.lag for source in health.sources)
        waiting = number_of(lag, "event waits", "events wait")
        yield ok("lag", f"{waiting} to be folded, the oldest for {health.seconds_behind:.0f} s")
    yield from first_few(_compared(health))
    if not any(source.status.quarantined for source in health.sources):
        yield ok("parked", "no event is parked")


def _needed(sentence: str) -> DoctorFinding:
    says, _, do = sentence.rpartition(": ")
    return fail("status", says or sentence, do)


def _arrivals(health: Health) -> Iterator[tuple[str, DoctorFinding]]:
    """What is said of each source whose last delivery was stored."""
    for source in health.sources:
        is_here = source.status.source not in health.elsewhere
        if is_here and source.last_received_at is not None and not source.refused.run:
            ago = in_words((datetime.now(UTC) - source.last_received_at).total_seconds())
            refused = f"{source.refused.last_hour} were refused in the last hour"
            name = source.status.source
            yield name, ok("refused", f"{name}: the last delivery came {ago} ago and was stored, {refused}")


def _compared(health: Health) -> Iterator[tuple[str, DoctorFinding]]:
    """How each source's roster was compared with it last, unless `needs` tells what is left of it."""
    for name in (source.status.source for source in health.sources if source.status.source not in health.elsewhere):
        comparisons = health.reconciled.get(name)
        if not comparisons:
            says = f"{name} was never compared with its source (rosterlog reconcile --file FILE --apply notes it)"
            yield name, ok("compared", says)
        elif not any(each.drift for each in comparisons):
            last = comparisons[0]
            when = f"{last.taken_at.astimezone(UTC):%Y-%m-%d %H:%M} UTC at position {last.compared_at:,}, {last.scope}"
            yield name, ok("compared", f"{name} as its source was on {when}: {last.result}")


def _worker(health: Health) -> Iterator[DoctorFinding]:
    """How a worker was seen, unless `needs` has said that none was."""
    if health.worker is None:
        if not health.is_used and health.seconds_behind <= BEHIND_SECONDS:
            yield ok("worker", "none was ever seen, and no program of rosterlog is connected that would need one")
        return
    seconds = (datetime.now(UTC) - health.worker.seen_at).total_seconds()
    if seconds <= UNSEEN_SECONDS:
        yield ok("worker", f"one was seen {max(seconds, 0):.0f} s ago, on {health.worker.host}")
