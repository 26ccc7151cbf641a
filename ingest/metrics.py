"""The declared list of metrics, and the plain numbers that a process keeps for them; knows no database and no web."""

from bisect import bisect_left
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, TypeVar

Labels = tuple[str, ...]
OfLabels = TypeVar("OfLabels", bound=Labels)


MOST_NAMED_SOURCES = 50  # sources in a page of metrics, each with its name; beyond that all others are one
OTHER_SOURCES = "(others)"  # their label; no source can be called so


@dataclass(frozen=True, slots=True)
class Metric:
    """`page`: where docs/ explains it. `bounds`: the upper bounds of a histogram's buckets, in its own unit."""

    name: str
    kind: Literal["counter", "gauge", "histogram"]
    labels: Labels
    help: str
    page: str
    bounds: tuple[float, ...] = ()


class Histogram:
    """How many values were up to each bound, and their sum."""

    __slots__ = ("bounds", "counts", "total")

    def __init__(self, bounds: tuple[float, ...]) -> None:
        self.bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.total = 0.0

    def observe(self, value: float) -> None:
        self.counts[bisect_left(self.bounds, value)] += 1
        self.total += value

    def plus(self, other: "Histogram") -> "Histogram":
        """Both together."""
        both = Histogram(self.bounds)
        both.counts = [one + another for one, another in zip(self.counts, other.counts, strict=True)]
        both.total = self.total + other.total
        return both


@dataclass(frozen=True, slots=True)
class Reading:
    """What one metric is now, with the values of its labels."""

    metric: Metric
    labels: Labels
    value: float | Histogram


def timestamp_of(metric: Metric, moment: datetime, *labels: str) -> Reading:
    """A moment as a reading."""
    return Reading(metric, labels, moment.timestamp())


def readings_of(metric: Metric, numbers: Mapping[OfLabels, float]) -> list[Reading]:
    """A reading for each set of labels."""
    return [Reading(metric, labels, number) for labels, number in numbers.items()]


_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
_WRONG = "operations.md#when-something-is-wrong"
_BOUNDS = "reliability.md#what-a-client-may-send-hold-and-take"
_REBUILD = "projections.md#rebuild-in-production"
_TRUTH = "truth.md#where-its-result-shows"

DELIVERIES = Metric(
    "rosterlog_deliveries_total", "counter", ("source", "outcome"),
    "Deliveries by what became of them; those of an unknown source have an empty source.", _WRONG,
)  # fmt: skip
DELIVERY_SECONDS = Metric(
    "rosterlog_delivery_duration_seconds", "histogram", (),
    "From the head of a verified delivery to its answer.", "performance.md", _SECONDS,
)  # fmt: skip
COMMIT_SECONDS = Metric(
    "rosterlog_commit_duration_seconds", "histogram", (),
    "Time of a commit of deliveries that succeeded.", _WRONG, _SECONDS,
)  # fmt: skip
COMMIT_DELIVERIES = Metric(
    "rosterlog_commit_deliveries", "histogram", (),
    "Deliveries in a commit that succeeded.", "performance.md", (1, 2, 4, 8, 16, 32, 64, 128, 256),
)  # fmt: skip
PENDING_DELIVERIES = Metric(
    "rosterlog_pending_deliveries", "gauge", (), "Deliveries that wait for their commit.", _BOUNDS
)
PENDING_BYTES = Metric(
    "rosterlog_pending_bytes", "gauge", (), "Bytes of the bodies that wait for their commit.", _BOUNDS
)
CONNECTIONS = Metric("rosterlog_connections", "gauge", (), "Open connections of clients.", _BOUNDS)
CONNECTIONS_REFUSED = Metric(
    "rosterlog_connections_refused_total", "counter", ("kind",), "What clients were refused beyond a bound.", _BOUNDS
)
ARRIVING_BYTES = Metric("rosterlog_arriving_bytes", "gauge", (), "Bytes of requests that are still arriving.", _BOUNDS)
SOURCES_PROBLEMS = Metric(
    "rosterlog_sources_file_problems", "gauge", (),
    "Files of sources that a server process cannot use, so that what they had before stays in use.", _WRONG,
)  # fmt: skip
API_REQUESTS = Metric(
    "rosterlog_api_requests_total", "counter", ("endpoint", "status"), "Answers of the read API.", "api.md"
)
API_SECONDS = Metric(
    "rosterlog_api_request_duration_seconds", "histogram", ("endpoint",),
    "Time to the answer of a request of the read API.", "api.md", _SECONDS,
)  # fmt: skip
REPLICAS_LEFT_OUT = Metric(
    "rosterlog_replicas_left_out", "gauge", ("replica",),
    "Server processes that do not read from this host of READ_DATABASE_URL, since it is away or far behind.",
    "scale.md#5-replicas-for-reading",
)  # fmt: skip
EVENTS_FOLDED = Metric(
    "rosterlog_events_folded_total", "counter", ("source", "projection"), "Events that this worker folded.",
    "projections.md",
)  # fmt: skip

DATABASE_UP = Metric(
    "rosterlog_database_up", "gauge", (), "1 if the database answered this scrape in time, else 0.", _WRONG
)
BUILD_INFO = Metric("rosterlog_build_info", "gauge", ("version",), "Always 1; the version that runs.", "operations.md")
HEAD = Metric("rosterlog_log_head_position", "gauge", ("source",), "The last position of the log.", "operations.md")
LAST_RECEIVED = Metric(
    "rosterlog_log_last_received_timestamp_seconds", "gauge", ("source",), "When the last event was received.", _WRONG
)
LAST_REFUSED = Metric(
    "rosterlog_deliveries_last_refused_timestamp_seconds", "gauge", ("source",),
    "When the last delivery was refused.", _WRONG,
)  # fmt: skip
REFUSED_IN_A_ROW = Metric(
    "rosterlog_deliveries_refused_in_a_row", "gauge", ("source",),
    "Deliveries refused since the last one that was stored.", _WRONG,
)  # fmt: skip
LOG_BYTES = Metric("rosterlog_log_size_bytes", "gauge", (), "Size of the log with its indexes.", _WRONG)
DISK_FREE = Metric(
    "rosterlog_database_disk_free_bytes", "gauge", (), "Free space on the disk of the embedded database.", _WRONG
)
READ_ONLY = Metric(
    "rosterlog_database_read_only", "gauge", (), "1 if the database takes no writes: a replica, or made so.", _WRONG
)
OLDEST_TRANSACTION = Metric(
    "rosterlog_oldest_transaction_timestamp_seconds", "gauge", (),
    "When the oldest transaction of this database that is open or prepared began; absent if there is none. Sessions of "
    "other logins are seen only if the database's owner has pg_read_all_stats.", _WRONG,
)  # fmt: skip
SLOT_BYTES = Metric(
    "rosterlog_replication_slot_retained_bytes", "gauge", ("slot",), "Write-ahead log that a slot holds back.", _WRONG
)
VERIFIED = Metric(
    "rosterlog_verify_timestamp_seconds", "gauge", ("source",), "When verify last read the log to its end.",
    "operations.md#proving-the-log-verify",
)  # fmt: skip
VERIFY_PROBLEMS = Metric(
    "rosterlog_verify_problems", "gauge", ("source",), "Problems that the last verify found.",
    "operations.md#proving-the-log-verify",
)  # fmt: skip
RECONCILED = Metric(
    "rosterlog_reconcile_timestamp_seconds", "gauge", ("source",),
    "When it was last written down how roster and source compare; absent if it never was.", _TRUTH,
)  # fmt: skip
LOOKS_FAIL = Metric(
    "rosterlog_reconcile_failing_since_timestamp_seconds", "gauge", ("source",),
    "When scheduled comparisons that failed twice or more began to, for the events that do longest; else absent.",
    _TRUTH,
)  # fmt: skip
DRIFT = Metric(
    "rosterlog_reconcile_drift", "gauge", ("source", "kind"),
    "Participants by how they still differ from what the source listed; absent if nothing was ever compared.", _TRUTH,
)  # fmt: skip
INNER_DIFFERENCES = Metric(
    "rosterlog_inner_differences", "gauge", ("source",),
    "Participants who are not where the log says, by the last reconcile --inner; absent before it.", _TRUTH,
)  # fmt: skip
PROJECTION_POSITION = Metric(
    "rosterlog_projection_position", "gauge", ("source", "projection"), "The last position folded.", "projections.md"
)
PROJECTION_LAG = Metric(
    "rosterlog_projection_lag_events", "gauge", ("source", "projection"), "Events of the log not folded yet.", _WRONG
)
MISSING_POSITION = Metric(
    "rosterlog_log_missing_position", "gauge", ("source",),
    "A position that the log lacks, at which folding stands still; absent if there is none.", _WRONG,
)  # fmt: skip
OLDEST_UNFOLDED = Metric(
    "rosterlog_projection_oldest_unfolded_timestamp_seconds", "gauge", ("source", "projection"),
    "When the oldest event that is not folded yet was received; absent if all are.", _WRONG,
)  # fmt: skip
QUARANTINED = Metric(
    "rosterlog_quarantined_events", "gauge", ("source",), "Events that are parked, and not dismissed.", _WRONG
)
REBUILD_NEEDED = Metric(
    "rosterlog_rebuild_needed", "gauge", ("projection",),
    "1 if nothing is folded, since another definition folded the live build.", _REBUILD,
)  # fmt: skip
REBUILD_RATIO = Metric(
    "rosterlog_rebuild_progress_ratio", "gauge", ("projection",),
    "How much of the log a rebuild under way has loaded; absent if there is none.", _REBUILD,
)  # fmt: skip
REBUILD_MOVED = Metric(
    "rosterlog_rebuild_progress_timestamp_seconds", "gauge", ("projection",),
    "When a rebuild under way last moved; absent if there is none.", _REBUILD,
)  # fmt: skip
WORKER_SEEN = Metric(
    "rosterlog_worker_seen_timestamp_seconds", "gauge", (), "When a worker last looked at the log.", _WRONG
)
ROSTER_BYTES = Metric(
    "rosterlog_roster_size_bytes", "gauge", (), "Size of all builds of all projections.", "operations.md"
)

# Of the process, then of the database.
METRICS = (
    DELIVERIES, DELIVERY_SECONDS, COMMIT_SECONDS, COMMIT_DELIVERIES, PENDING_DELIVERIES, PENDING_BYTES, CONNECTIONS,
    CONNECTIONS_REFUSED, ARRIVING_BYTES, SOURCES_PROBLEMS, API_REQUESTS, API_SECONDS, REPLICAS_LEFT_OUT, EVENTS_FOLDED,
    BUILD_INFO, DATABASE_UP, HEAD, LAST_RECEIVED, LAST_REFUSED, REFUSED_IN_A_ROW, LOG_BYTES, DISK_FREE, READ_ONLY,
    OLDEST_TRANSACTION, SLOT_BYTES, VERIFIED, VERIFY_PROBLEMS, RECONCILED, LOOKS_FAIL, DRIFT, INNER_DIFFERENCES,
    PROJECTION_POSITION, PROJECTION_LAG, MISSING_POSITION, OLDEST_UNFOLDED, QUARANTINED, REBUILD_NEEDED,
    REBUILD_RATIO, REBUILD_MOVED, WORKER_SEEN, ROSTER_BYTES,
)  # fmt: skip

# What programs are used to reading of a process, whatever it does.
PROCESS_CPU = Metric("process_cpu_seconds_total", "counter", (), "User and system CPU time spent, in seconds.", "")
PROCESS_STARTED = Metric("process_start_time_seconds", "gauge", (), "When the process started.", "")
PROCESS_METRICS = (
    PROCESS_CPU, PROCESS_STARTED,
    Metric("process_virtual_memory_bytes", "gauge", (), "Virtual memory size.", ""),
    Metric("process_resident_memory_bytes", "gauge", (), "Resident memory size.", ""),
    Metric("process_max_fds", "gauge", (), "Most file descriptors that may be open.", ""),
    Metric("process_open_fds", "gauge", (), "File descriptors that are open.", ""),
)  # fmt: skip
