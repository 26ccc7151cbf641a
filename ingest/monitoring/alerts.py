"""The alert rules: each an expression over the declared metrics, and the line of the docs that leads out."""

from dataclasses import dataclass

from ingest.metrics import (
    API_REQUESTS,
    COMMIT_SECONDS,
    CONNECTIONS_REFUSED,
    DATABASE_UP,
    DELIVERIES,
    DISK_FREE,
    DRIFT,
    HEAD,
    INNER_DIFFERENCES,
    LAST_RECEIVED,
    LOG_BYTES,
    LOOKS_FAIL,
    MISSING_POSITION,
    OLDEST_TRANSACTION,
    OLDEST_UNFOLDED,
    QUARANTINED,
    READ_ONLY,
    REBUILD_NEEDED,
    RECONCILED,
    REFUSED_IN_A_ROW,
    REPLICAS_LEFT_OUT,
    ROSTER_BYTES,
    SLOT_BYTES,
    SOURCES_PROBLEMS,
    VERIFIED,
    VERIFY_PROBLEMS,
    WORKER_SEEN,
)

_KEPT = 'outcome=~"stored|duplicate"'
_REFUSED = 'outcome!~"stored|duplicate|unknown_source"'
_DISK = (
    "`status` says that the disk is full or nearly full, `/readyz` says `disk (...)` or "
    "`log (the database's disk is full)`"
)
_UNVERIFIED = "the log was not verified for long, or never, which `status` says after eight days"
_LONG = "a transaction is open for long, which `status` says after an hour"
_GROWTH = f"deriv({LOG_BYTES.name}[1d]) + deriv({ROSTER_BYTES.name}[1d])"


@dataclass(frozen=True, slots=True)
class Alert:
    """`lasting`: how long the expression must hold. `line`: what stands first in a line of the table "When something
    is wrong" of docs/operations.md. `is_off`: in the file as a comment.
    """

    name: str
    expression: str
    lasting: str
    severity: str
    summary: str
    line: str
    is_off: bool = False


def _oldest(name: str, by: str) -> str:
    return f"time() - min by ({by}) ({name})"


ALERTS = (
    Alert(
        "RosterlogDown", 'up{job="rosterlog"} == 0', "1m", "critical",
        "{{ $labels.instance }} does not answer.", "nothing answers, `status` says that nothing runs",
    ),
    Alert(
        "RosterlogDatabaseAway", f"min by (instance) ({DATABASE_UP.name}) == 0", "30s", "critical",
        "{{ $labels.instance }} gets no answer from its database.", "webhook answers 503",
    ),
    Alert(
        "RosterlogEveryDeliveryRefused", f"max by (source) ({REFUSED_IN_A_ROW.name}) >= 5", "0s", "critical",
        "{{ $labels.source }}: the last {{ $value }} deliveries were all refused. Was the secret rotated?",
        "webhook answers 401, `status` says that deliveries were refused",
    ),
    Alert(
        "RosterlogManyDeliveriesRefused",
        f"sum by (source) (rate({DELIVERIES.name}{{{_REFUSED}}}[15m])) "
        f"/ sum by (source) (rate({DELIVERIES.name}[15m])) > 0.1",
        "10m", "warning", "{{ $labels.source }}: {{ $value | humanizePercentage }} of the deliveries are refused.",
        "webhook answers 401, `status` says that deliveries were refused",
    ),
    Alert(
        "RosterlogDeliveriesNotKept",
        f'sum by (source) (increase({DELIVERIES.name}{{outcome="unavailable"}}[5m])) > 0',
        "30s", "critical",
        "{{ $labels.source }}: deliveries are answered 503. Movemint delivers them again, but not for ever.",
        "webhook answers 503",
    ),
    Alert(
        "RosterlogDatabaseReadOnly", f"min({READ_ONLY.name}) == 1", "1m", "critical",
        "The database takes no writes: deliveries are answered 503.", "`status` says that the database is read-only",
    ),
    Alert(
        "RosterlogConnectionsRefused",
        f'sum by (instance) (rate({CONNECTIONS_REFUSED.name}{{kind="too_many_connections"}}[5m])) > 0', "10m",
        "warning", "{{ $labels.instance }} has more connections than it may, and goes on refusing some.",
        "`connections refused` in the log",
    ),
    Alert(
        "RosterlogSourcesUnusable", f"max({SOURCES_PROBLEMS.name}) > 0", "2m", "warning",
        "The file of sources, or a file of its folder, cannot be used: what it had before stays in use.",
        "`stays as it is, until its file can be used` in the log",
    ),
    Alert(
        "RosterlogReplicaLeftOut", f"max by (replica) ({REPLICAS_LEFT_OUT.name}) > 0", "5m", "warning",
        "Host {{ $labels.replica }} of READ_DATABASE_URL is away or far behind, and nothing is read from it.",
        "`replica left out` in the log, `/readyz` names a replica",
    ),
    Alert(
        "RosterlogTokensRefused",
        f'sum by (instance) (rate({API_REQUESTS.name}{{status="401"}}[15m])) > 0.1 '
        f"* sum by (instance) (rate({API_REQUESTS.name}[15m]))", "30m", "warning",
        "{{ $labels.instance }}: more than a tenth of the requests have no valid token.",
        "`answered without a valid token` in the log",
    ),
    Alert(
        "RosterlogSlowCommits",
        f"histogram_quantile(0.99, sum by (le) (rate({COMMIT_SECONDS.name}_bucket[5m]))) > 0.5",
        "5m", "warning", "One commit in a hundred takes {{ $value | humanizeDuration }}.",
        "commits are slow, `status` says that the database answers slowly",
    ),
    Alert(
        "RosterlogNoWorker",
        f"time() - max({WORKER_SEEN.name}) > 30 or (max({DATABASE_UP.name}) == 1 and absent({WORKER_SEEN.name}) == 1)",
        "30s", "critical", "No worker looks at the log: the roster stands still.",
        "`status` says that no worker was seen, `/readyz` of `api` or `serve` says "
        "`workers (none was seen for ...)`",
    ),
    Alert(
        "RosterlogRosterBehind", f"{_oldest(OLDEST_UNFOLDED.name, 'source, projection')} > 60", "30s", "critical",
        "{{ $labels.projection }} of {{ $labels.source }} is {{ $value | humanizeDuration }} behind the log.",
        "`status` says that an event waits to be folded, or shows a lag whose age grows",
    ),
    Alert(
        "RosterlogParkedEvents", f"max by (source) ({QUARANTINED.name}) > 0", "1h", "warning",
        "{{ $labels.source }}: events that could not be folded: {{ $value }}.", "`status` shows parked events",
    ),
    Alert(
        "RosterlogRebuildNeeded", f"max by (projection) ({REBUILD_NEEDED.name}) == 1", "1m", "critical",
        "{{ $labels.projection }} is not folded any more, since its definition changed.",
        "`/readyz` says that a rebuild is needed, `status` that a build is of another definition",
    ),
    Alert(
        "RosterlogLogDamaged", f"max by (source) ({VERIFY_PROBLEMS.name}) > 0", "0s", "critical",
        "{{ $labels.source }}: problems that verify found in the log: {{ $value }}.",
        "`the log of ... has no position n`, or `verify` finds problems",
    ),
    Alert(
        "RosterlogLogHasHole", f"max by (source) ({MISSING_POSITION.name}) > 0", "0s", "critical",
        "{{ $labels.source }}: the log has no position {{ $value }}, and nothing after it is folded.",
        "`the log of ... has no position n`, or `verify` finds problems",
    ),
    Alert(
        "RosterlogLogNotVerified",
        f"time() - max by (source) ({VERIFIED.name}) > 8 * 86400", "1h", "warning",
        "{{ $labels.source }}: verify last read the log {{ $value | humanizeDuration }} ago.",
        _UNVERIFIED,
    ),
    Alert(
        "RosterlogLogNeverVerified",
        f"max by (source) ({HEAD.name}) > 0 unless max by (source) ({VERIFIED.name})", "8d", "warning",
        "{{ $labels.source }}: verify has never read the log.", _UNVERIFIED,
    ),
    Alert(
        "RosterlogRosterIncomplete", f"max by (source) ({INNER_DIFFERENCES.name}) > 0", "0s", "critical",
        "{{ $labels.source }}: participants who are not where the log says: {{ $value }}.",
        "`status` says that participants are not where the log says",
    ),
    Alert(
        "RosterlogDriftLeft",
        f'sum by (source) (max by (source, kind) ({DRIFT.name}{{kind!="unknowable"}})) > 0', "1d", "warning",
        "{{ $labels.source }}: participants who are not as the source lists them: {{ $value }}.",
        "`status` says who is missing, stale or unlisted",
    ),
    Alert(
        "RosterlogNotReconciled", f"time() - max by (source) ({RECONCILED.name}) > 8 * 86400", "1h", "warning",
        "{{ $labels.source }}: the roster was last compared with its source {{ $value | humanizeDuration }} ago.",
        "the roster was compared once, and for eight days not again",
    ),
    Alert(
        "RosterlogLooksFail", f"time() - min by (source) ({LOOKS_FAIL.name}) > 86400", "10m", "warning",
        "{{ $labels.source }}: a scheduled comparison has failed for {{ $value | humanizeDuration }}.",
        "`status` says that a scheduled comparison has failed",
    ),
    Alert(
        "RosterlogLongTransaction", f"time() - min({OLDEST_TRANSACTION.name}) > 3600", "1m", "warning",
        "A transaction has been open for {{ $value | humanizeDuration }}.", _LONG,
    ),
    Alert(
        "RosterlogSlotHoldsLog", f"max by (slot) ({SLOT_BYTES.name}) > 10 * 1024 ^ 3", "15m", "warning",
        "Slot {{ $labels.slot }} holds back {{ $value | humanize1024 }}B of the write-ahead log.",
        "a slot holds back the write-ahead log, which `status` says from 10 GB on",
    ),
    Alert(
        "RosterlogDiskFills",
        f"min({DISK_FREE.name}) < 2 * 1024 ^ 3 or min({DISK_FREE.name}) / max(clamp_min({_GROWTH}, 1)) < 7 * 86400",
        "15m", "critical", "The disk of the embedded database is full, or within a week at the rate of the last day.",
        _DISK,
    ),
    Alert(
        "RosterlogLogGrowsFast", f"max({_GROWTH}) * 86400 > 5 * 1024 ^ 3", "1h", "warning",
        "Log and roster grow by {{ $value | humanize1024 }}B a day: does the disk of the database have room?", _DISK,
    ),
    Alert(
        "RosterlogSourceSilent", f"time() - max by (source) ({LAST_RECEIVED.name}) > 86400", "0s", "warning",
        "{{ $labels.source }}: nothing was delivered for {{ $value | humanizeDuration }}.",
        "nothing arrives from a source: `status` and `doctor` show when its last delivery came", is_off=True,
    ),
)  # fmt: skip
