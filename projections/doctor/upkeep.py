"""Checks what a server suffers from over time: no vacuum, old transactions, slots that hold WAL, settings that hurt."""

from collections.abc import Iterator

from sqlalchemy import Connection, text

from ingest.disk import amount
from ingest.listed import listed
from projections.doctor.finding import DoctorFinding, fail, ok, warn

LONG_SECONDS = 900.0  # that a transaction may be open
MUCH_WAL = 2**30  # bytes that an active slot may hold back

_AUTOVACUUM = text("""
select current_setting('autovacuum') = 'on' and current_setting('track_counts') = 'on', array(
  select c.relname::text
  from pg_class c
  where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p')
    and 'autovacuum_enabled=false' = any (c.reloptions)
  order by 1
)
""")
_TRANSACTIONS = text("""
select t.who, extract(epoch from clock_timestamp() - t.began)::float8 as seconds
from open_transactions() t
order by seconds desc
""")
# Of the owner, since metrics and status ask by its rights, whatever their login is.
_SEES_OTHERS = text("""
select pg_has_role('pg_read_all_stats', 'usage') as this_login_does, (
  select p.proowner::regrole::text
  from pg_proc p
  where p.oid = to_regprocedure('public.oldest_transaction()')
    and not pg_has_role(p.proowner, 'pg_read_all_stats', 'usage')
) as owner_who_does_not
""")
_SLOTS = text("""
select s.slot_name, s.is_active, s.is_lost, s.is_unbounded, coalesce(s.held_bytes, 0) as held
from slots() s
order by held desc, s.slot_name
""")
_SETTINGS = text("select name, setting from pg_settings where name = any (:names)")
_PLANNER = text("""
select array(
  select name::text from pg_settings where name like 'enable\\_%' and setting = 'off' and boot_val = 'on' order by 1
)
""")
# Each with the only value that does no harm, and the harm of another one.
_HARMLESS = {
    "zero_damaged_pages": ("off", "damaged pages are emptied instead of reported: their events are gone"),
    "ignore_checksum_failure": ("off", "damaged pages are read as if they were right"),
    "session_replication_role": ("origin", "triggers and foreign keys do not work, on which the roster relies"),
}
_LOGGING = ("log_statement", "log_min_duration_statement", "log_parameter_max_length")


def check_autovacuum(connection: Connection) -> DoctorFinding:
    is_on, without = connection.execute(_AUTOVACUUM).one()
    if not is_on:
        return warn(
            "autovacuum",
            "off: tables grow without end, erased people stay in old row versions, and one day the server stops taking "
            "writes",
            "alter system set autovacuum = on (and track_counts); select pg_reload_conf()",
        )
    if without:
        return warn("autovacuum", f"switched off for {listed(without)}", "alter table ... reset (autovacuum_enabled)")
    return ok("autovacuum", "on")


def check_transactions(connection: Connection, longest: float = LONG_SECONDS) -> DoctorFinding:
    """Whether a transaction has been open for more than so many seconds, and would be seen by metrics and status."""
    open_for = connection.execute(_TRANSACTIONS)
    old = [f"{who} for {seconds / 60:.0f} min" for who, seconds in open_for if seconds > longest]
    if old:
        return warn(
            "transactions",
            f"open for long: {listed(old)}: what was erased or replaced since stays on disk, and a rebuild cannot drop "
            "its old tables",
            "end the program, or select pg_terminate_backend(pid) (for a prepared one: rollback prepared)",
        )
    none = f"none is open for more than {longest / 60:.0f} min"
    sees = connection.execute(_SEES_OTHERS).one()
    if sees.owner_who_does_not is not None:
        return warn(
            "transactions",
            f"{none} of those that this login sees; metrics and status do not see those of other programs",
            f"as a superuser: grant pg_read_all_stats to {sees.owner_who_does_not}",
        )
    return ok("transactions", none + ("" if sees.this_login_does else ", as far as this login sees (grant pg_monitor)"))


def check_slots(connection: Connection) -> Iterator[DoctorFinding]:
    """Whether a replication slot keeps the write-ahead log from being removed."""
    slots = connection.execute(_SLOTS).all()
    bad = [slot for slot in slots if not slot.is_active or slot.held > MUCH_WAL]  # nobody uses one that is lost
    for slot in bad:
        drop = f"select pg_drop_replication_slot('{slot.slot_name}')"
        bound = "without a bound (max_slot_wal_keep_size)" if slot.is_unbounded else "up to max_slot_wal_keep_size"
        if slot.is_lost:
            says = f"the slot {slot.slot_name} has lost the write-ahead log that its subscriber still needed"
            yield warn("slots", says, f"{drop}, and begin the subscriber anew")
        else:
            user = "its subscriber is behind" if slot.is_active else "nobody uses it"
            says = f"the slot {slot.slot_name} holds {amount(slot.held)} of the write-ahead log, {bound}: {user}"
            yield warn("slots", says, f"look at its subscriber, or {drop}: the log that it holds can fill the disk")
    if not bad:
        yield ok("slots", f"{len(slots)} replication slots, none of which holds much of the write-ahead log")


def check_settings(connection: Connection) -> Iterator[DoctorFinding]:
    """Settings of the server that lose data, show personal data, or make everything slow."""
    values = {row.name: row.setting for row in connection.execute(_SETTINGS, {"names": [*_HARMLESS, *_LOGGING]})}
    found = [
        fail("settings", f"{name} is {values[name]}: {harm}", f"set it to {right}, wherever it was set")
        for name, (right, harm) in _HARMLESS.items()
        if values.get(name, right) != right
    ]
    logs_statements = values["log_statement"] in ("mod", "all") or values["log_min_duration_statement"] != "-1"
    if logs_statements and values["log_parameter_max_length"] != "0":
        found.append(
            warn(
                "settings",
                "the server logs statements with their values (log_statement, log_min_duration_statement): bodies of "
                "deliveries and names of people get into its log",
                "alter system set log_parameter_max_length = 0; select pg_reload_conf()",
            )
        )
    switched_off: list[str] = connection.execute(_PLANNER).scalar_one()
    if switched_off:
        says = f"{listed(switched_off)}: switched off for the planner, which makes queries slow"
        found.append(warn("settings", says, "reset them, wherever they were set"))
    yield from found or [ok("settings", "none of those that are known to hurt")]
