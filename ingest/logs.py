"""Writes logs to standard error, one JSON object per line, also those of uvicorn and of libraries."""

import logging
import sys
from contextvars import ContextVar
from datetime import UTC, datetime

from pydantic_core import to_json

# The id of the request that is being answered; None outside a request.
request_id: ContextVar[str | None] = ContextVar("request_id", default=None)


class JsonLines(logging.Formatter):
    """Ids and counts come in `extra={"fields": {...}}`; bodies and people's names must never be in it."""

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, object] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "event": record.getMessage(),
            "logger": record.name,
            **getattr(record, "fields", {}),
        }
        if (id_ := request_id.get()) is not None:
            line["request_id"] = id_
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return to_json(line, fallback=str).decode()


def configure_logging(level: int) -> None:
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines())
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
    for package in ("ingest", "projections"):
        logging.getLogger(package).setLevel(level)
