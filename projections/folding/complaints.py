"""What a worker says of failures: the same not more often than every ten seconds."""

import logging
import threading
import time

from ingest.sqlstate import DRIVER_ERRORS, error_fields

logger = logging.getLogger(__name__)

_SAY_EVERY = 10.0  # seconds between two lines that say the same


class Complaints:
    """What was said in the last seconds. It may be used by several threads."""

    def __init__(self) -> None:
        self._said: dict[str, float] = {}
        self._saying = threading.Lock()

    def say(self, what: str, fields: dict[str, object], error: Exception | None) -> None:
        """Log an error, the same one not more often than every ten seconds. Of a fault of ours the place is said."""
        key = f"{what} {fields}"
        with self._saying:
            now = time.monotonic()
            if now - self._said.get(key, -_SAY_EVERY) < _SAY_EVERY:
                return
            self._said = {known: at for known, at in self._said.items() if now - at < _SAY_EVERY}
            self._said[key] = now
        cause = {} if error is None else error_fields(error)
        is_fault = error is not None and not isinstance(error, DRIVER_ERRORS)
        logger.error(what, extra={"fields": {**fields, **cause}}, exc_info=error if is_fault else None)
