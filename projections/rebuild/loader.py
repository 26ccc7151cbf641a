"""A process that loads some shares of the log. It is told which on its input, and answers line by line.

It ends with whoever started it, killed or not, since its standard input ends then.
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
from ingest.sqlstate import DRIVER_ERRORS, unusable
from projections.catalogue import projections
from projections.folding.projection import Build
from projections.participants.fields import FieldsError
from projections.rebuild.load import load

# Nothing that is loaded has to last before the build is attached, and everything before that commit lasts with it.
_SETTINGS = "set synchronous_commit = off"


def main() -> None:
    told = json.loads(sys.stdin.readline())
    threading.Thread(target=_end_with_input, daemon=True).start()
    gc.freeze()
    gc.set_threshold(50_000, 20, 20)  # nothing here makes cycles
    try:
        _load(told)
    except DRIVER_ERRORS as error:
        _say({"failed": str(unusable(error))})
    except FieldsError as error:
        _say({"failed": str(error)})
    except Exception as error:
        # A traceback could show a participant; the kind of the error and its place cannot.
        last = traceback.extract_tb(error.__traceback__)[-1]
        _say({"failed": f"{type(error).__name__} in {Path(last.filename).name}, line {last.lineno}"})


def _load(told: dict[str, Any]) -> None:
    build = Build(**told["build"])
    fields_file = Path(told["fields_file"]) if told["fields_file"] else None
    projection = next(one for one in projections(fields_file) if one.name == build.projection)
    if projection.definition != build.definition:
        _say({"failed": "the definition changed while the rebuild ran: run it again"})
        return
    engine = sync_engine(told["conninfo"], WORKER_ROLE)
    event.listen(engine, "connect", _prepare)
    shares = [Share(**share) for share in told["shares"]]
    load(engine, projection, build, shares, lambda done: _say({"done": done}), told["snapshot"])
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
