"""The examination of a deployment: every check in its order, and what is left out where the database is away."""

import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial

from psycopg.conninfo import make_conninfo
from pydantic import SecretStr
from sqlalchemy import Connection, text

from ingest.cli.terminal import say
from ingest.database import advised, open_database, sync_engine
from ingest.failures import Failure
from ingest.log.read import heads
from ingest.read_hosts import read_hosts
from ingest.session import Deadlines
from ingest.settings import DEFAULT_SOURCE, Settings
from ingest.sqlstate import DRIVER_ERRORS, unusable
from projections.catalogue import catalogue
from projections.doctor import database, durability, log, machine, replicas, rights, services, upkeep
from projections.doctor.complete import check_complete
from projections.doctor.finding import DoctorFinding, Level, ok, warn
from projections.doctor.sample import check_fields
from projections.doctor.watched import check_watched
from projections.folding.health import read_health
from projections.folding.projection import Projection
from projections.participants.fields import read_fields

DEADLINES = Deadlines(statement=10, idle=60)
_NAME = "rosterlog doctor"  # so that its own sessions are not taken for those of a server
_MAX_WAL = text("select setting::bigint * 1048576 from pg_settings where name = 'max_wal_size'")

_Check = Callable[[], DoctorFinding | Iterable[DoctorFinding]]


def examine(settings: Settings) -> Iterator[DoctorFinding]:
    """Every finding about the database and this machine, one after the other. Changes nothing in the database."""
    projections = catalogue(settings.fields_file, settings.time_zone)
    yield machine.check_account(os.geteuid())
    is_embedded = settings.database_url is None
    if is_embedded:
        yield from machine.check_files_of(settings.data_dir)
    yield from log.check_sources_file(settings)
    try:
        yield from _examine_database(settings, projections)
    except Failure as error:
        yield database.unreachable("database", error)
        if is_embedded:
            yield from machine.check_disk(settings.data_dir)
        yield from log.check_secrets(settings.sources, None)
    if settings.read_database_url is not None:
        yield from _examine_replicas(settings, settings.read_database_url.get_secret_value())


def _examine_replicas(settings: Settings, conninfo: str) -> Iterator[DoctorFinding]:
    hosts = sorted(read_hosts(conninfo), key=lambda host: host.number)
    for host in hosts:
        name = "READ_DATABASE_URL" if len(hosts) == 1 else f"replica {host.number} of READ_DATABASE_URL"
        own = dict.fromkeys(("database_url", "read_database_url"), SecretStr(host.conninfo))
        written = _written(settings)
        try:
            with (
                advised(settings.model_copy(update=own)),
                reading(make_conninfo(host.conninfo, application_name=_NAME)) as connection,
            ):
                yield replicas.check_replica(connection, name, written)
        except Failure as error:
            yield database.unreachable("replica", error)


def _written(settings: Settings) -> replicas.Written | None:
    """Where the primary is now; None if it is the embedded database, or away, which was said before."""
    if settings.database_url is None:
        return None
    try:
        with reading(make_conninfo(settings.database_url.get_secret_value(), application_name=_NAME)) as connection:
            return replicas.written_by(connection)
    except DRIVER_ERRORS:
        return None


def _examine_database(settings: Settings, projections: tuple[Projection, ...]) -> Iterator[DoctorFinding]:
    with open_database(settings, say) as conninfo:
        named = make_conninfo(conninfo, application_name=_NAME)
        with reading(named) as connection:
            yield ok("database", "it answers")
            yield from examine_connection(connection, named, settings, projections)


@contextmanager
def reading(conninfo: str) -> Iterator[Connection]:
    """A connection on which nothing can be changed."""
    engine = sync_engine(conninfo, deadlines=DEADLINES, read_only=True)
    try:
        with engine.connect() as connection:
            yield connection
    finally:
        engine.dispose()


def examine_connection(
    connection: Connection, conninfo: str, settings: Settings, projections: tuple[Projection, ...]
) -> Iterator[DoctorFinding]:
    """Every finding about the database of a connection. Raises an error of the driver if the connection is lost."""
    for name, check in _checks_of_server(connection, settings):
        yield from _guarded(connection, name, check)
    schema = [*_guarded(connection, "migrated", partial(database.check_schema, connection))]
    yield from schema
    if all(finding.level is Level.OK for finding in schema):
        for name, check in _checks_of_schema(connection, conninfo, settings, projections):
            yield from _guarded(connection, name, check)
    yield backups()


def backups() -> DoctorFinding:
    """That an examination cannot see them."""
    return ok(
        "backups",
        "unknown: nothing in a database tells whether it is backed up, or whether the backup can be restored (see "
        "'Backup and restore' in docs/operations.md)",
    )


def _checks_of_server(connection: Connection, settings: Settings) -> Iterator[tuple[str, _Check]]:
    yield "version", partial(database.check_server_kind, connection)
    if settings.database_url is not None:
        yield "hosts", partial(database.check_hosts, settings.database_url.get_secret_value())
    yield "clock", partial(database.check_clock, connection, lambda: datetime.now(UTC))
    yield "login", partial(rights.check_login, connection, is_embedded=settings.database_url is None)
    yield "pool", partial(database.check_pool, connection, has_direct=settings.direct_database_url is not None)
    yield "services", partial(services.check_services, connection)
    yield "fsync", partial(durability.check_files, connection)
    yield "standbys", partial(durability.check_standbys, connection)
    yield "autovacuum", partial(upkeep.check_autovacuum, connection)
    yield "settings", partial(upkeep.check_settings, connection)
    if settings.database_url is None:
        yield "disk", lambda: machine.check_disk(settings.data_dir, connection.execute(_MAX_WAL).scalar_one())


def _checks_of_schema(
    connection: Connection, conninfo: str, settings: Settings, projections: tuple[Projection, ...]
) -> Iterator[tuple[str, _Check]]:
    yield "roles", partial(rights.check_rights, connection)
    yield "owner", partial(rights.check_ownership, connection)
    yield "synchronous_commit", partial(durability.check_commit, conninfo, DEADLINES)
    yield "transactions", partial(upkeep.check_transactions, connection)
    yield "slots", partial(upkeep.check_slots, connection)
    yield "log", partial(log.check_log, connection)
    known = settings.sources or [DEFAULT_SOURCE]
    yield "status", lambda: check_watched(read_health(connection, projections, known))
    if (logged := _logged(connection)) is not None:
        yield "secrets", partial(log.check_secrets, settings.sources, logged)
        yield "holes", partial(log.check_holes, connection, logged)
        yield "complete", partial(check_complete, connection, projections[0].name, logged)
        yield "demo", partial(log.check_demo, connection, logged)
        yield "fields", partial(check_fields, connection, read_fields(settings.fields_file), logged)


def _logged(connection: Connection) -> dict[str, int] | None:
    """The head of every source; None if this login may not read the log, which `check_log` has found already."""
    try:
        return heads(connection)
    except DRIVER_ERRORS:
        if connection.invalidated:
            raise
        return None


def _guarded(connection: Connection, name: str, check: _Check) -> Iterator[DoctorFinding]:
    """What a check finds; if the database refuses it, that. Raises an error of the driver if the connection is lost."""
    try:
        found = check()
        yield from [found] if isinstance(found, DoctorFinding) else [*found]
    except DRIVER_ERRORS as error:
        if connection.invalidated:
            raise
        yield warn(name, f"it could not be looked at: {unusable(error)}", "run doctor with the login that migrates")
    finally:
        connection.rollback()
