"""Logs as events with fields, one JSON object a line on standard error, for uvicorn's and the libraries' lines too."""

import logging
import sys
from contextvars import ContextVar
from datetime import UTC, datetime

from pydantic_core import to_json

# The id of the request that is being answered; None outside of one.
request_id: ContextVar[str | None] = ContextVar("request_id", default=None)


class JsonLines(logging.Formatter):
    """Ids and counts come in `extra={"fields": {...}}`. Bodies and names of people never do."""

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
    for ours in ("ingest", "projections"):
        logging.getLogger(ours).setLevel(level)
