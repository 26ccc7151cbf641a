"""Whether a worker's loop moves: its loop says so, readiness asks."""

import time

_LATE_SECONDS = 5.0  # without a beat, after which the worker is not ready


class Pulse:
    """The last beat of a worker's loop. It may be asked from another thread."""

    def __init__(self) -> None:
        self._beat_at: float | None = None
        self._is_read = False

    @property
    def has_begun(self) -> bool:
        return self._beat_at is not None

    def beat(self, is_read: bool) -> None:  # noqa: FBT001 - the worker's own signature
        """The loop has moved. `is_read`: it could read the log."""
        self._beat_at, self._is_read = time.monotonic(), is_read

    def stop(self) -> None:
        """The worker has ended; the next beat is that of another one."""
        self._beat_at = None

    async def hindrance(self) -> str | None:
        """Why nothing is folded now; None if the worker looks at the log."""
        if self._beat_at is None:
            return "it is starting"
        late = time.monotonic() - self._beat_at
        if late > _LATE_SECONDS:
            return f"it has not looked at the log for {late:.0f} s"
        return None if self._is_read else "it cannot read the log"
