"""The event log: its table, the one function that writes it, the triggers that refuse the rest, and the roles."""

from alembic import op

from migrations.sql import sql_file

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

# Roles belong to the whole server, so another database's migration may have made them, even at this very moment.
# Whoever migrates may take each of them; where an administrator has seen to that already, the grant may be refused.
ROLE = """
do $$ begin
  if not exists (select from pg_roles where rolname = '{role}') then
    begin
      create role {role} nologin;
    exception when duplicate_object or unique_violation then null;
    end;
  end if;
  begin
    grant {role} to current_user;
  exception when insufficient_privilege then null;
  end;
end $$
"""
ROLES = ("rosterlog_ingest", "rosterlog_worker", "rosterlog_api")

EVENT_LOG = """
create table event_log (
  source text collate "C" not null,
  position bigint not null,
  received_at timestamptz not null,
  event_type text,
  subject text,
  digest bytea not null,
  body bytea,
  signature text not null,
  chain bytea not null,
  constraint event_log_pkey primary key (source, position),
  constraint event_log_dedup unique (source, digest),
  constraint event_log_position check (position > 0)
)
"""

EVENT_REDELIVERY = """
create table event_redelivery (
  source text collate "C" not null,
  position bigint not null,
  redeliveries bigint not null,
  last_at timestamptz not null,
  constraint event_redelivery_pkey primary key (source, position)
)
"""

TRIGGER = """
create trigger event_log_is_append_only
before update or delete or truncate on event_log
for each statement execute function refuse_change()
"""

APPEND = "append_events(text, bytea[], text[], text[], text[])"


def upgrade() -> None:
    for role in ROLES:
        op.execute(ROLE.format(role=role))
    op.execute(EVENT_LOG)
    op.execute(EVENT_REDELIVERY)
    op.execute(sql_file("0001_refuse_change.sql"))
    op.execute(TRIGGER)
    # Else `set session_replication_role = replica` would switch it off.
    op.execute("alter table event_log enable always trigger event_log_is_append_only")
    op.execute(sql_file("0001_append_events.sql"))
    op.execute(f"revoke all on function {APPEND} from public")
    op.execute(f"grant execute on function {APPEND} to rosterlog_ingest")
    op.execute("grant select on event_log, event_redelivery to rosterlog_worker")
    op.execute("grant select (source, position, received_at, event_type) on event_log to rosterlog_api")


def downgrade() -> None:
    op.execute(f"drop function {APPEND}")
    op.execute("drop table event_redelivery")
    op.execute("drop table event_log")
    op.execute("drop function refuse_change()")
    # The roles stay: they belong to the server, and other databases on it may use them.
