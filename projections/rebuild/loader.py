"""A process that loads shares of the log. It reads its task as one line of JSON and writes its progress as lines.

It ends when its standard input ends, and so with the process that started it, even if that was killed.
"""

import gc
import json
import os
import sys
import threading
import traceback
from pathlib import Path
from typing import Any

import psycopg
from sqlalchemy import event

from ingest.database import WORKER_ROLE, sync_engine
from ingest.log.scan import Share
from ingest.session import LONG
from ingest.sqlstate import DRIVER_ERRORS, unusable
from projections.catalogue import catalogue
from projections.folding.projection import Build
from projections.participants.fields import FieldsError
from projections.rebuild.load import load_shares

# Loaded rows need not be on disk until the build is live, and the commit of the swap flushes all commits before it.
_SETTINGS = "set synchronous_commit = off"


def main() -> None:
    task = json.loads(sys.stdin.readline())
    threading.Thread(target=_end_with_input, daemon=True).start()
    gc.freeze()
    gc.set_threshold(50_000, 20, 20)  # loading makes no cycles, so that collecting seldom finds anything
    try:
        _load(task)
    except DRIVER_ERRORS as error:
        _say({"failed": str(unusable(error))})
    except FieldsError as error:
        _say({"failed": str(error)})
    except Exception as error:
        # The error's message could show a participant's data; its type and its line cannot.
        last = traceback.extract_tb(error.__traceback__)[-1]
        _say({"failed": f"{type(error).__name__} in {Path(last.filename).name}, line {last.lineno}"})


def _load(task: dict[str, Any]) -> None:
    build = Build(**task["build"])
    fields_file = Path(task["fields_file"]) if "fields_file" in task else None
    known = catalogue(fields_file, task["time_zone"])
    projection = next(each for each in known if each.name == build.projection)
    if projection.definition != build.definition:
        _say({"failed": "the definition changed while the rebuild ran: run it again"})
        return
    engine = sync_engine(task["conninfo"], WORKER_ROLE, LONG)
    event.listen(engine, "connect", _prepare)
    shares = [Share(**share) for share in task["shares"]]
    load_shares(engine, projection, build, shares, lambda done: _say({"done": done}), task["snapshot"])
    engine.dispose()


def _prepare(connection: psycopg.Connection[Any], _record: object) -> None:
    connection.execute(_SETTINGS)
    connection.commit()


def _end_with_input() -> None:
    sys.stdin.read()
    os._exit(1)


def _say(line: dict[str, object]) -> None:
    sys.stdout.write(json.dumps(line) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
