"""What needs a person: each in a sentence that ends with the next step."""

from datetime import UTC

from ingest.disk import FULL_BYTES, NEARLY_FULL_BYTES, amount
from ingest.log.whereabouts import ARRIVING
from projections.folding.drift_needs import needs_of_completeness, needs_of_drift, needs_of_looks
from projections.folding.health import UNSEEN_SECONDS, Health, SourceHealth, in_words, number_of, seconds_since
from projections.folding.likewise import few_of_each

BEHIND_SECONDS = 60.0  # that an event may wait to be folded
SLOW_SECONDS = 0.5  # for the answer to a statement that does nothing
LONG_TRANSACTION_SECONDS = 3_600.0
UNVERIFIED_SECONDS = 8 * 86_400.0  # since the log was verified, or began
HELD_BYTES = 10 * 2**30  # of the write-ahead log, by one slot
_UNAVAILABLE_SECONDS = 300.0  # that a delivery which was answered 503 is news
_CHANGE_THE_WAY = "the source is not taken here, so have the proxy send it to where it is (rosterlog source list)"
_MANY = 5  # refused in a row, with none stored between
_WHY = {
    "signature_missing": ("without a signature", "does a proxy drop X-Signature?"),
    "signature_malformed": ("signature malformed", "does a proxy or another sender write X-Signature in its own form?"),
    "signature_wrong": ("signature wrong", "was the secret rotated?"),
    "too_large": ("too large", "raise ROSTERLOG_MAX_BODY_BYTES?"),
    "body_timeout": ("the body came too slowly", "is the way to this server slow?"),
    "unavailable": ("no commit in time", "look at the database and at the server's log"),
    "unknown_source": ("unknown source", "is the address of the webhook right?"),
}


def needs(health: Health) -> list[str]:
    """What needs a person, the most urgent first: a sentence each, with the next step.

    Of what is alike of many sources the worst few, and how many more.
    """
    return [*few_of_each(_each_need(health))]


def _each_need(health: Health) -> list[str]:
    found = _of_disk(health) + _of_problems(health)
    refusing = sorted(health.sources, key=lambda source: -source.refused.run)
    found += [
        sentence
        for source in refusing
        if source.status.source not in health.elsewhere and (sentence := _all_refused(source)) is not None
    ]
    found += _of_worker(health)
    found += [
        f"{each.projection}: nothing is folded, since another definition folded its build {each.build}: set "
        f"ROSTERLOG_FIELDS and ROSTERLOG_TIME_ZONE as they were then, or run rosterlog rebuild {each.projection} if "
        "this one is right"
        for each in health.projections
        if each.needs_rebuild
    ]
    found += [
        f"{each.status.source}: an event waits to be folded for {in_words(each.seconds_behind)}: see the worker's log"
        for each in sorted(health.sources, key=lambda source: -source.seconds_behind)
        if each.seconds_behind > BEHIND_SECONDS and not _arrives(health, each)
    ]
    found += _of_database(health)
    found += needs_of_completeness(health)
    found += [
        f"{each.status.source}: {number_of(each.status.quarantined, 'parked event', 'parked events')}: rosterlog "
        "quarantine list shows what, and why"
        for each in sorted(health.sources, key=lambda source: -source.status.quarantined)
        if each.status.quarantined
    ]
    return found + needs_of_drift(health) + needs_of_looks(health) + _of_verification(health)


def _arrives(health: Health, source: SourceHealth) -> bool:
    """Whether the source is copied to here: its events are as old as they were there, however soon they are folded."""
    place = health.elsewhere.get(source.status.source)
    return place is not None and place.state == ARRIVING


def _of_worker(health: Health) -> list[str]:
    """The sentence about a worker that is missing, or about everything that was there once and is not any more."""
    if health.worker is None:
        unseen, since = None, "ever"
    else:
        unseen = seconds_since(health.worker.seen_at)
        since = f"for {in_words(unseen)}"
    if unseen is not None and unseen <= UNSEEN_SECONDS:
        return []
    if health.is_used or (unseen is None and health.seconds_behind > BEHIND_SECONDS):
        return [f"no worker was seen {since}: start rosterlog worker, or look at its log"]
    if unseen is None:
        return []
    runs = f"nothing runs, no server is connected to this database and no worker was seen {since}"
    return [f"{runs}: start rosterlog up, or rosterlog ingest, api and worker; until then no delivery is received"]


def _of_disk(health: Health) -> list[str]:
    """The sentence about a database that writes nothing, or soon will not."""
    free = health.free_bytes
    if free is not None and free < NEARLY_FULL_BYTES:
        how = "full" if free < FULL_BYTES else "nearly full"
        return [f"the disk of the database is {how}, {amount(free)} are left: make room on it, nothing else is needed"]
    if health.is_read_only:
        return ["the database is read-only: is it a replica, or was its disk full? look at the server's own status"]
    return []


def _of_problems(health: Health) -> list[str]:
    holes = [
        f"{each.status.source}: the log has no position {each.missing}, so nothing after it is folded: it was damaged; "
        "keep a copy as it is, and restore a backup beside it"
        for each in health.sources
        if each.missing is not None
    ]
    return holes + [
        f"{source}: verify found {number_of(verified.problems, 'problem', 'problems')} in the log: rosterlog verify"
        f"{' --signatures' if verified.with_signatures else ''} names them; keep a copy as it is, and restore a backup "
        "beside it"
        for source, verified in sorted(health.verified.items(), key=lambda item: (-item[1].problems, item[0]))
        if verified.problems
    ]


def _of_verification(health: Health) -> list[str]:
    found = []
    for each in health.sources:
        verified = health.verified.get(each.status.source)
        since = each.first_received_at if verified is None else verified.finished_at
        if since is not None and (seconds := seconds_since(since)) > UNVERIFIED_SECONDS:
            how = "was never verified" if verified is None else f"was verified {in_words(seconds)} ago"
            sentence = f"{each.status.source}: the log {how}: run rosterlog verify, once a week by a timer"
            found.append((since, sentence))
    return [sentence for _, sentence in sorted(found)]


def _of_database(health: Health) -> list[str]:
    """The sentences about a database that keeps deliveries waiting, or lets nothing be tidied up."""
    found = [
        f"{each.status.source}: {number_of(number, 'delivery was', 'deliveries were')} answered 503 in the last hour, "
        f"the last at {at.astimezone(UTC):%H:%M}, and {'comes' if number == 1 else 'come'} again: "
        + (_CHANGE_THE_WAY if each.status.source in health.elsewhere else "look at the database and the server's log")
        for each in health.sources
        if (at := each.refused.unavailable_at) and seconds_since(at) < _UNAVAILABLE_SECONDS
        for number in [each.refused.by_reason.get("unavailable", 0)]
    ]
    if health.answer_seconds > SLOW_SECONDS:
        found.append(
            f"the database answers slowly, a statement that does nothing takes {health.answer_seconds:.1f} s: look at "
            "its disk and its load, and at the way to it"
        )
    if health.open_seconds > LONG_TRANSACTION_SECONDS:
        found.append(
            f"a transaction has been open for {in_words(health.open_seconds)}, so that nothing is tidied up: rosterlog "
            "doctor names it; end its program"
        )
    found += [
        f"the slot {name} holds back {amount(held)} of the write-ahead log: start what reads from it, or drop it; "
        "rosterlog doctor says how"
        for name, held in health.slots.items()
        if held > HELD_BYTES
    ]
    return found


def _all_refused(source: SourceHealth) -> str | None:
    """The sentence about a source of which all deliveries since the last stored one were refused, if they are many."""
    refused = source.refused
    many = 1 if source.last_received_at is None else _MANY  # the first delivery of all says whether it works
    if refused.run < many or refused.run_since is None or refused.run_reason is None:
        return None
    why, question = _WHY[refused.run_reason]
    total = number_of(refused.last_hour + source.stored_last_hour, "delivery", "deliveries")
    was = "was" if refused.last_hour == 1 else "were"
    return (
        f"{source.status.source}: {refused.last_hour:,} of {total} in the last hour {was} refused, "
        f"{why} since {refused.run_since.astimezone(UTC):%H:%M}: {question}"
    )
