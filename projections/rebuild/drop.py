"""Drops builds that readers do not see any more, without letting a reader wait for it."""

import time

from sqlalchemy import Engine
from sqlalchemy.exc import DBAPIError

from ingest.sqlstate import dependents, is_blocked
from projections.folding import builds
from projections.folding.projection import Build

_TRIES = 20


class InTheWay(Exception):
    """An object that is not rosterlog's depends on a table of a build, so the table cannot be dropped."""


def drop(engine: Engine, build: Build) -> bool:
    """Drop a build that is not live. False if readers keep one of its tables locked; the next rebuild drops it then.

    Raises `InTheWay`.
    """
    with engine.connect() as connection:
        tables = builds.tables(connection, build.projection)
    dropped = [_drop_table(engine, build, table) for table in tables]
    if not all(dropped):
        return False
    with engine.begin() as connection:
        builds.forget(connection, build)
    return True


def _drop_table(engine: Engine, build: Build, table: str) -> bool:
    """Try a few times, each with a short lock time-out, so that readers never queue for long behind the lock."""
    for turn in range(_TRIES):
        try:
            with engine.begin() as connection:
                builds.drop_table(connection, build, table)
        except DBAPIError as error:
            if (others := dependents(error)) is not None:
                raise InTheWay(
                    f"{build.table(table)} cannot be dropped, since other objects depend on it, and will not be read "
                    f"from again: make them on the view instead ({others})"
                ) from None
            if not is_blocked(error):
                raise
            time.sleep(0.05 * turn)
        else:
            return True
    return False


def drop_beside(engine: Engine, name: str) -> list[str]:
    """Drop every build that is neither live nor previous; gives messages about builds that could not be dropped."""
    with engine.connect() as connection:
        beside = builds.beside(connection, name)
    messages = []
    for build in beside:
        try:
            if not drop(engine, build):
                messages.append(f"build {build.number} of {name} is being read from: the next rebuild drops it")
        except InTheWay as error:
            messages.append(str(error))
    return messages
