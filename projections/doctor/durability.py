"""Checks whether what was answered 200 survives: a crash, a power cut, a bad disk, a failover."""

from collections.abc import Iterator

from sqlalchemy import Connection, text

from ingest.database import INGEST_ROLE, connect
from ingest.listed import listed
from ingest.session import Deadlines
from ingest.standbys import LOSES, STANDBYS
from projections.doctor.finding import DoctorFinding, fail, ok, warn

_ON = text("select name, setting from pg_settings where name = any (:names)")
_FILES = {
    "fsync": "a crash of the machine can lose deliveries that were answered 200, and damage the whole database",
    "full_page_writes": "a crash of the machine can leave half-written pages, which damages the log",
}
_STANDBYS = text(f"""
select coalesce(nullif(r.application_name, ''), 'pid ' || r.pid), coalesce(r.sync_state, 'unknown')
from {STANDBYS}
order by r.pid
""")  # noqa: S608 - ours


def check_files(connection: Connection) -> Iterator[DoctorFinding]:
    """Whether the server writes so that its files survive a crash of the machine, and would notice damage."""
    settings = {row.name: row.setting for row in connection.execute(_ON, {"names": [*_FILES, "data_checksums"]})}
    for name, danger in _FILES.items():
        if settings[name] == "on":
            yield ok(name, "on")
        else:
            yield fail(
                name,
                f"off: {danger}",
                f"alter system set {name} = on; select pg_reload_conf() (if a provider keeps it off, because its "
                "storage does this otherwise, ask the provider)",
            )
    if settings["data_checksums"] == "on":
        yield ok("checksums", "on: a page that the disk has damaged is noticed when it is read")
    else:
        yield warn(
            "checksums",
            "off: a page that the disk has damaged is read as if it were right; only rosterlog verify would notice, in "
            "the log alone",
            "stop the server and run pg_checksums --enable on its data folder",
        )


def check_commit(conninfo: str, deadlines: Deadlines) -> DoctorFinding:
    """`synchronous_commit` as a connection has it that appends: of the database and the login, in the role."""
    connection = connect(conninfo, INGEST_ROLE, deadlines)
    try:
        [value] = connection.execute("select current_setting('synchronous_commit')").fetchone() or ("",)
    finally:
        connection.close()
    if value in ("off", "local"):
        return warn(
            "synchronous_commit",
            f"{value} for this login on this database. An append sets it on for itself, so what was answered 200 is "
            "safe; an erasure or a new token is not, a crash or a failover can take it back",
            "alter database ... reset synchronous_commit, and likewise for the role or the system that sets it",
        )
    return ok("synchronous_commit", f"{value}, as the connections that append have it")


def check_standbys(connection: Connection) -> DoctorFinding:
    """Whether a failover to a standby can lose deliveries."""
    names: str = connection.execute(text("select current_setting('synchronous_standby_names')")).scalar_one()
    standbys = connection.execute(_STANDBYS).all()
    states = {state for _, state in standbys}
    shown = listed([f"{name} ({state})" for name, state in standbys])
    if names and not states & {"sync", "quorum", "unknown"}:
        return fail(
            "standbys",
            f"synchronous_standby_names is set and none of these standbys is connected: commits wait, and deliveries "
            f"are answered 503{f'; connected: {shown}' if shown else ''}",
            "start the standby, or let synchronous_standby_names name one that runs",
        )
    if not standbys:
        return ok("standbys", "none is connected: if this server's disk is lost, what there is is the newest backup")
    if not names:
        return warn(
            "standbys",
            f"{shown} follow without being waited for (synchronous_standby_names is empty): {LOSES}",
            "set synchronous_standby_names on this server, with Patroni synchronous_mode; or accept the loss, and fail "
            "over by hand only",
        )
    if "unknown" in states:
        return ok("standbys", f"{shown}: this login may not see how they follow (grant pg_monitor)")
    if "async" in states:
        return ok("standbys", f"{shown}: a failover to an asynchronous one loses deliveries, to the others none")
    return ok("standbys", f"{shown}: commits wait for them, so a failover loses no delivery")
