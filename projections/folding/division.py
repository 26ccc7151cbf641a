"""Which of the sources that are behind a worker folds: its share, and what waits in vain for another worker.

Nothing depends on it: the checkpoint's lock decides who folds a source, whatever two workers take for their share.
"""

from collections.abc import Sequence
from hashlib import blake2b

from projections.folding.projection import Behind

_PATIENT_SECONDS = 2.0  # that an event waits for the worker whose share its source is in, before another one takes it


class Division:
    """Who folds what, as one worker sees it, by rendezvous hashing: if a worker ends, its share alone is divided.

    `worker`: the worker's own name.
    """

    def __init__(self, worker: str) -> None:
        self._worker = worker
        self._workers = frozenset([worker])
        self._owners: dict[str, str] = {}
        self._waiting: dict[tuple[str, str], tuple[int, float]] = {}  # by lane: up to which position, since when

    def share(self, behind: Sequence[Behind], workers: frozenset[str], now: float) -> list[Behind]:
        """What the worker should fold: its own share, then what has waited for another worker for some seconds.

        `workers`: the names of those that are alive, its own among them. `now`: seconds of a monotonic clock.
        """
        if workers != self._workers:
            self._workers = workers
            self._owners.clear()
        own, left, waiting = [], [], {}
        for each in behind:
            if self._owner(each.source) == self._worker:
                own.append(each)
                continue
            head, since = self._waiting.get(each.lane, (each.head, now))
            if each.position >= head:  # what was waited for is folded, and later events wait
                head, since = each.head, now
            waiting[each.lane] = head, since
            if now - since >= _PATIENT_SECONDS:
                left.append(each)
        self._waiting = waiting
        return own + left[::-1]  # from the other end than their own worker

    def _owner(self, source: str) -> str:
        if len(self._workers) == 1:
            return self._worker
        owner = self._owners.get(source)
        if owner is None:
            owner = self._owners[source] = max(self._workers, key=lambda worker: _weight(worker, source))
        return owner


def _weight(worker: str, source: str) -> bytes:
    return blake2b(f"{worker} {source}".encode(), digest_size=8).digest()
