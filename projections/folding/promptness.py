"""Whether the database answers a worker's looks without delay: whether the events may be blamed for what failed."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from ingest.sqlstate import DRIVER_ERRORS

LONGEST_IDLE = 0.2  # seconds between two looks at the log, however long nothing has arrived
_QUICK_SECONDS = 0.5  # for a look at the log and the heartbeat after it, which take milliseconds


class Promptness:
    """When the database answered a look late, or not at all. One thread looks, others may ask."""

    def __init__(self) -> None:
        self._looking_since: float | None = None
        self._late_at = float("-inf")

    @contextmanager
    def looking(self) -> Iterator[None]:
        """While the worker looks. An error of the driver says as much as a late answer."""
        begun = self._looking_since = time.monotonic()
        try:
            yield
        except DRIVER_ERRORS:
            self._late_at = time.monotonic()
            raise
        finally:
            self._looking_since = None
            if time.monotonic() - begun >= _QUICK_SECONDS:
                self._late_at = time.monotonic()

    def is_quick_since(self, begun: float) -> bool:
        """Whether the database has answered every look without delay, from the one before that moment until now."""
        looking_since = self._looking_since
        is_late = looking_since is not None and time.monotonic() - looking_since >= _QUICK_SECONDS
        return not is_late and self._late_at < begun - LONGEST_IDLE
