"""Distributes the tables over the nodes of the engine Citus, by source. What is distributed already stays as it is.

Everything of a source is on one node: a statement, a lock and a snapshot about one source are as on plain PostgreSQL.
"""

from sqlalchemy import Connection, text

from ingest.citus import is_distributed
from migrations.distributed import DELEGATED

# On every node: small, and joined with everything.
_REFERENCE = ("letter", "projection", "projection_build", "event_calendar")
# By source. Tables without one (tokens, sessions, workers) stay on the coordinator.
_DISTRIBUTED = (
    "source", "event_log", "event_redelivery", "redelivery_hour", "reconciliation", "failed_look", "first_absence",
    "erasures", "refused_delivery", "verification", "dismissed_event", "roster_change", "checkpoint", "quarantine",
    "unknown_event_type", "inner_completeness", "participants_build", "participant_history_build",
    "participant_answers_build", "registrations_build", "registrations_daily_build", "published_participants",
    "published_source",
)  # fmt: skip
_WITH_BUILD = ("checkpoint", "event_calendar", "quarantine", "unknown_event_type")  # whose rows go with their build's

_SETTINGS = """
set local citus.multi_shard_modify_mode = sequential;
set local citus.enable_unsafe_triggers = on
"""
_DROP_KEY = "alter table {table} drop constraint {table}_build_fkey"
_ADD_KEY = """
alter table {table} add constraint {table}_build_fkey
  foreign key (projection, build) references projection_build (projection, build) on delete cascade
"""
# It checks rights to the tables below a view, not to the view alone, and knows none to single columns.
_RIGHTS = """
grant select on event_log to rosterlog_worker, rosterlog_api;
grant select on erasures, participants_build, participant_history_build, participant_answers_build,
  registrations_build, registrations_daily_build to rosterlog_api;
grant insert on roster_change to rosterlog_worker;
grant insert, update on erasures to rosterlog_operator;
grant update on event_log to rosterlog_operator; -- of bodies alone, by an erasure alone, as triggers see to
grant select, insert, update on published_source to rosterlog_operator;
grant select, delete on published_participants, first_absence to rosterlog_operator;
grant select on participants, participant_history to rosterlog_worker, rosterlog_operator;
grant execute on function note_roster_change(text, text) to rosterlog_operator
"""
# To take another role would be another connection to a node, which does not see what this one has written.
_OPERATOR_FOLDS = """
do $$ begin
  if current_setting('server_version_num')::int >= 160000 then
    execute 'grant rosterlog_worker to rosterlog_operator with inherit true';
  end if;
  alter role rosterlog_operator inherit;
  execute format(
    'alter role rosterlog_operator in database %I set citus.enable_ddl_propagation = off', current_database()
  );
end $$
"""
# A worker locks the table of checkpoints for each batch: on the coordinator, by which all workers connect, is enough.
_LOCKS_HERE = """
do $$ begin
  execute format(
    'alter role rosterlog_worker in database %I set citus.enable_ddl_propagation = off', current_database()
  );
end $$
"""
# Builds of before; `begin_build` does so for those to come.
_MOVABLE = """
do $$
declare
  made text;
begin
  for made in
    select i.inhrelid::regclass::text from pg_inherits i where i.inhparent = 'registrations_daily_build'::regclass
  loop
    execute format('alter table %s replica identity full', made);
  end loop;
end $$
"""
_DELEGATE = text("""
select create_distributed_function(
  p.oid::regprocedure, 'in_source', colocate_with => 'event_log', force_delegation => true
)
from pg_proc p
where p.pronamespace = 'public'::regnamespace and p.proname = any (:names)
""")


def spread(connection: Connection) -> None:
    """Distribute the tables, in the caller's transaction. On a coordinator with workers alone."""
    connection.execute(text(_SETTINGS))
    if not is_distributed(connection):
        # As a reference table it may have no trigger: `make_live` notes what this one does.
        connection.execute(text("drop trigger projection_goes_live on projection"))
        for table in _WITH_BUILD:
            connection.execute(text(_DROP_KEY.format(table=table)))
        for table in _REFERENCE:
            connection.execute(text("select create_reference_table(:table)"), {"table": table})
        for table in _DISTRIBUTED:
            together = "none" if table == _DISTRIBUTED[0] else _DISTRIBUTED[0]
            values = {"table": table, "together": together}
            connection.execute(
                text("select create_distributed_table(:table, 'source', colocate_with => :together)"), values
            )
        for table in _WITH_BUILD:
            connection.execute(text(_ADD_KEY.format(table=table)))
    connection.execute(text(_MOVABLE))
    connection.execute(text(_RIGHTS))
    connection.execute(text(_LOCKS_HERE))
    connection.execute(text(_OPERATOR_FOLDS))


def delegate(connection: Connection) -> None:
    """Let functions of one source run on its node, in the caller's transaction."""
    connection.execute(_DELEGATE, {"names": [*DELEGATED]})
