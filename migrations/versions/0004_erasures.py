"""Erasure: its record, the one function that carries it out, the operator's role. The log's settings for growth."""

from alembic import op

from migrations.sql import sql_file

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

# As in 0001: another database's migration may have made the role, and an administrator may have granted it.
ROLE = """
do $$ begin
  if not exists (select from pg_roles where rolname = 'rosterlog_operator') then
    begin
      create role rosterlog_operator nologin;
    exception when duplicate_object or unique_violation then null;
    end;
  end if;
  begin
    grant rosterlog_operator to current_user;
  exception when insufficient_privilege then null;
  end;
end $$
"""

# Equal is what is asked of them, never an order that a new version of the host's locale could change under an index.
# No row is rewritten: the bytes stay the same.
COLLATION = """
alter table event_log
  -- squawk-ignore changing-column-type
  alter column event_type type text collate "{collation}",
  -- squawk-ignore changing-column-type
  alter column subject type text collate "{collation}"
"""

# Deliveries wait in the meantime or are refused with 503 and come again; some ten seconds for ten million events.
SUBJECT_INDEX = """
-- squawk-ignore require-concurrent-index-creation
create index event_log_subject on event_log (source, subject) where subject is not null
"""

# Events are frozen soon after they came, so that no vacuum has to read the whole log later. What an erasure leaves
# behind is removed at the next round of autovacuum, within minutes.
AUTOVACUUM = {
    "autovacuum_vacuum_scale_factor": "0",
    "autovacuum_vacuum_threshold": "0",
    "autovacuum_vacuum_insert_scale_factor": "0",
    "autovacuum_vacuum_insert_threshold": "100000",
    "autovacuum_freeze_min_age": "0",
}
STORAGE = {**AUTOVACUUM, **{f"toast.{name}": value for name, value in AUTOVACUUM.items()}}

ERASURES = """
create table erasures (
  source text collate "C" not null,
  erasure_id uuid not null default gen_random_uuid(),
  subject text collate "C" not null,
  operator text not null,
  reason text not null,
  erased_at timestamptz not null default now(),
  positions bigint[] not null,
  digests bytea[] not null,
  lifted_at timestamptz,
  lifted_by text,
  recorded_at timestamptz not null default now(),
  recorded_by text not null default session_user,
  constraint erasures_pkey primary key (source, erasure_id),
  constraint erasures_operator check (operator <> ''),
  constraint erasures_reason check (reason <> ''),
  constraint erasures_lifted check ((lifted_at is null) = (lifted_by is null))
)
"""

ALL_BUT_THE_BODY = "source, position, received_at, event_type, subject, digest, signature, chain"
REFUSE_CHANGE = """
create trigger event_log_is_append_only
before update{columns} or delete or truncate on event_log
for each statement execute function refuse_change()
"""
REFUSE_CHANGE_OF_BODY = """
create trigger event_log_body_is_only_erased
before update of body on event_log
for each row execute function refuse_change_but_erasure()
"""
# Else `set session_replication_role = replica` would switch it off.
ALWAYS = "alter table event_log enable always trigger {trigger}"

# Who asked, when and why stays as it was written down; lifting and a restore add to it.
KEEP_ERASURES = """
create trigger erasures_are_kept
before update of source, erasure_id, subject, operator, reason, erased_at, digests, recorded_at, recorded_by
or delete or truncate on erasures
for each statement execute function refuse_change()
"""

# What the operator hands in; which login did so, and when, is the database's to say.
HANDED_IN = "source, erasure_id, subject, operator, reason, erased_at, positions, digests, lifted_at, lifted_by"

APPLY = "apply_erasure(text, uuid)"


def upgrade() -> None:
    op.execute(ROLE)
    op.execute(COLLATION.format(collation="C"))
    op.execute(SUBJECT_INDEX)
    op.execute("alter table event_log set (" + ", ".join(f"{name} = {value}" for name, value in STORAGE.items()) + ")")
    # Else the planner's statistics would keep samples of bodies that were erased since.
    op.execute("alter table event_log alter column body set statistics 0")
    op.execute(ERASURES)
    op.execute("create index erasures_subject on erasures (source, subject)")
    op.execute(KEEP_ERASURES)
    op.execute("alter table erasures enable always trigger erasures_are_kept")
    op.execute(sql_file("0004_refuse_change_but_erasure.sql"))
    _guard(f" of {ALL_BUT_THE_BODY}")
    op.execute(REFUSE_CHANGE_OF_BODY)
    op.execute(ALWAYS.format(trigger="event_log_body_is_only_erased"))
    op.execute(sql_file("0004_kept_by_participant.sql"))
    op.execute(sql_file("0004_apply_erasure.sql"))
    op.execute(f"revoke all on function {APPLY} from public")
    op.execute(f"grant execute on function {APPLY} to rosterlog_operator")
    op.execute("grant select on event_log, event_redelivery, erasures to rosterlog_operator")
    op.execute(f"grant insert ({HANDED_IN}), update (lifted_at, lifted_by) on erasures to rosterlog_operator")
    op.execute("grant select on erasures to rosterlog_worker")


def downgrade() -> None:
    op.execute(f"drop function {APPLY}")
    op.execute("drop function kept_by_participant()")
    op.execute("drop trigger event_log_body_is_only_erased on event_log")
    op.execute("drop function refuse_change_but_erasure()")
    _guard("")
    op.execute("drop table erasures")
    op.execute("alter table event_log reset (" + ", ".join(STORAGE) + ")")
    op.execute("alter table event_log alter column body set statistics -1")
    op.execute("drop index event_log_subject")
    op.execute(COLLATION.format(collation="default"))
    op.execute("revoke all on event_log, event_redelivery from rosterlog_operator")


def _guard(columns: str) -> None:
    op.execute("drop trigger event_log_is_append_only on event_log")
    op.execute(REFUSE_CHANGE.format(columns=columns))
    op.execute(ALWAYS.format(trigger="event_log_is_append_only"))
