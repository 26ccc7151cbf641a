create table event_log (
  source text collate "C" not null,
  position bigint not null,
  received_at timestamptz not null,
  event_type text collate "C",
  subject text collate "C",
  digest bytea not null,
  body bytea,
  signature text,
  chain bytea not null,
  constraint event_log_pkey primary key (source, position),
  constraint event_log_dedup unique (source, digest),
  constraint event_log_position check (position > 0)
)
-- Events are frozen soon after they are appended, so that no vacuum has to read the whole log later. The old row
-- versions of an erasure are removed by the next autovacuum, within minutes.
with (
  autovacuum_vacuum_scale_factor = 0,
  autovacuum_vacuum_threshold = 0,
  autovacuum_vacuum_insert_scale_factor = 0,
  autovacuum_vacuum_insert_threshold = 100000,
  autovacuum_freeze_min_age = 0,
  toast.autovacuum_vacuum_scale_factor = 0,
  toast.autovacuum_vacuum_threshold = 0,
  toast.autovacuum_vacuum_insert_scale_factor = 0,
  toast.autovacuum_vacuum_insert_threshold = 100000,
  toast.autovacuum_freeze_min_age = 0
);
create index event_log_subject on event_log (source, subject) where subject is not null;
-- No statistics, which would keep samples of bodies that are erased later.
alter table event_log alter column body set statistics 0;

create table event_redelivery (
  source text collate "C" not null,
  position bigint not null,
  redeliveries bigint not null,
  last_at timestamptz not null,
  constraint event_redelivery_pkey primary key (source, position)
);

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
);
create index erasures_subject on erasures (source, subject);

-- Placeholders that refuse everything: the same transaction replaces each with the function of migrations/sql.
create function refuse_change() returns trigger language plpgsql as $$begin raise exception 'the migration was not finished'; end$$;
create function refuse_change_but_erasure() returns trigger language plpgsql as $$begin raise exception 'the migration was not finished'; end$$;

create trigger event_log_is_append_only
before update of source, position, received_at, event_type, subject, digest, signature, chain
or delete or truncate on event_log
for each statement execute function refuse_change();

create trigger event_log_body_is_only_erased
before update of body on event_log
for each row execute function refuse_change_but_erasure();

-- Who asked, when and why never changes; a lifting, and a reapply after a restore, update the other columns.
create trigger erasures_are_kept
before update of source, erasure_id, subject, operator, reason, erased_at, digests, recorded_at, recorded_by
or delete or truncate on erasures
for each statement execute function refuse_change();

-- Without `always`, `set session_replication_role = replica` would switch the triggers off.
alter table event_log enable always trigger event_log_is_append_only;
alter table event_log enable always trigger event_log_body_is_only_erased;
alter table erasures enable always trigger erasures_are_kept;

-- Neither the body, which the worker reads in readable_log, nor the columns that only a proof needs.
grant select (source, position, received_at, event_type, subject, digest) on event_log to rosterlog_worker;
grant select (source, position, received_at, event_type) on event_log to rosterlog_api;
grant select on event_redelivery, erasures to rosterlog_worker;
grant select on event_log, event_redelivery, erasures to rosterlog_operator;
-- Neither recorded_at nor recorded_by: the database itself writes down when, and by which login.
grant
  insert (source, erasure_id, subject, operator, reason, erased_at, positions, digests, lifted_at, lifted_by),
  update (lifted_at, lifted_by)
on erasures to rosterlog_operator;
