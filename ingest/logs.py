"""Writes logs to standard error, also those of uvicorn and of libraries: one JSON object per line, or for a person."""

import logging
import sys
import threading
import traceback
from contextvars import ContextVar
from datetime import UTC, datetime
from types import TracebackType

from pydantic_core import to_json

from ingest.failures import Failure, WrongUsage
from ingest.server_message import server_message

# The id of the request that is being answered; None outside a request.
request_id: ContextVar[str | None] = ContextVar("request_id", default=None)

_SAYS_NO_VALUE = (Failure, WrongUsage)  # exceptions whose message never has a value of a delivery

logger = logging.getLogger(__name__)


class JsonLines(logging.Formatter):
    """Ids and counts come in `extra={"fields": {...}}`; bodies and people's names must never be in it.

    Of a message only the first line is written: libraries put the representations of objects into the others. Of an
    exception the traceback and the type are written, not its message, but for PostgreSQL's own where that quotes no
    value: that of a driver or a parser does.
    """

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, object] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "event": record.getMessage().partition("\n")[0],
            "logger": record.name,
            **getattr(record, "fields", {}),
        }
        if (id_ := request_id.get()) is not None:
            line["request_id"] = id_
        if record.exc_info and record.exc_info[1] is not None:
            line["traceback"] = _traceback(record.exc_info[1])
        return to_json(line, fallback=lambda value: type(value).__name__).decode()


class TerminalLines(logging.Formatter):
    """The same for a person at a terminal, among the lines that the program prints. It cannot move the cursor."""

    def format(self, record: logging.LogRecord) -> str:
        fields: dict[str, object] = {**getattr(record, "fields", {}), "request_id": request_id.get()}
        told = [f"{name}={_told(value)}" for name, value in fields.items() if value is not None]
        event = record.getMessage().partition("\n")[0]
        line = f"{datetime.fromtimestamp(record.created, UTC):%H:%M:%S} UTC  {record.levelname.lower()}  {event}"
        lines = ["  ".join([line, *told])]
        if record.exc_info and record.exc_info[1] is not None:
            lines += [f"    {each}" for each in _traceback(record.exc_info[1]).splitlines()]
        return "\n".join(map(escaped, lines))


def escaped(text: str) -> str:
    """A text of which what is not printable is escaped."""
    return "".join(letter if letter.isprintable() else f"\\u{ord(letter):04x}" for letter in text)


def _told(value: object) -> str:
    return value if isinstance(value, str) else to_json(value, fallback=lambda other: type(other).__name__).decode()


def configure_logging(level: str) -> None:
    """Log from now on what is at least of this level; of libraries warnings and errors alone.

    At a lower level a library would write statements, parameters and bodies into the log.
    """
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(TerminalLines() if sys.stderr.isatty() else JsonLines())
    own = logging.getLevelNamesMapping()[level.upper()]
    logging.basicConfig(level=max(own, logging.WARNING), handlers=[handler], force=True)
    for package in ("ingest", "projections"):
        logging.getLogger(package).setLevel(own)


def log_as_process(number: int) -> None:
    """Say in every line from now on which of a server's processes it is of."""

    def name(record: logging.LogRecord) -> bool:
        record.fields = {"process": number, **getattr(record, "fields", {})}
        return True

    for handler in logging.getLogger().handlers:
        handler.addFilter(name)


def log_everything() -> None:
    """Let also Python's warnings, and exceptions that nobody handles, be lines of the log: for programs that stay."""
    logging.captureWarnings(capture=True)
    sys.excepthook = _log_fault
    threading.excepthook = lambda ended: _log_fault(ended.exc_type, ended.exc_value, ended.exc_traceback)
    sys.unraisablehook = lambda failed: _log_fault(failed.exc_type, failed.exc_value, failed.exc_traceback)


def _log_fault(kind: type[BaseException], error: BaseException | None, where: TracebackType | None) -> None:
    error = kind() if error is None else error
    logger.critical("a fault in rosterlog", exc_info=(kind, error, where))


def _traceback(error: BaseException) -> str:
    """Where an exception was raised, with those that it came from, the oldest first."""
    texts = []
    for each in _causes(error):
        said = str(each) if isinstance(each, _SAYS_NO_VALUE) else server_message(each)
        state = getattr(each, "sqlstate", None)
        what = type(each).__name__ + (f" {state}" if state else "") + (f": {said}" if said else "")
        texts.append("".join(traceback.format_tb(each.__traceback__)) + what)
    return "\n".join(texts)


def _causes(error: BaseException, seen: frozenset[int] = frozenset()) -> list[BaseException]:
    """An exception after those that it came from; those of a group come after the group."""
    if id(error) in seen:
        return []
    seen |= {id(error)}
    before = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    within = error.exceptions if isinstance(error, BaseExceptionGroup) else ()
    parts = [part for inner in within for part in _causes(inner, seen)]
    return [*(_causes(before, seen) if before is not None else []), error, *parts]
