"""Projections in builds: each can be built anew beside the one that readers see. Answers, history, daily counts."""

from importlib import import_module

from alembic import op

from migrations.sql import sql_file

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

PROJECTION = """
create table projection (
  projection text collate "C" not null,
  tables text[] not null,
  -- squawk-ignore prefer-bigint-over-int
  last_build integer not null default 0,
  -- squawk-ignore prefer-bigint-over-int
  live integer,
  -- squawk-ignore prefer-bigint-over-int
  previous integer,
  constraint projection_pkey primary key (projection)
)
"""

PROJECTION_BUILD = """
create table projection_build (
  projection text collate "C" not null,
  -- squawk-ignore prefer-bigint-over-int
  build integer not null,
  version text not null,
  begun_at timestamptz not null default now(),
  constraint projection_build_pkey primary key (projection, build)
)
"""

# Built beside, loaded, and only then attached, so that its indexes are made at once and nobody has to wait.
PARTICIPANTS = """
create table participants_build (
  source text collate "C" not null,
  participant_id text collate "C" not null,
  event_id text collate "C",
  event_name text,
  sub_event_id text collate "C",
  sub_event_name text,
  athlete_id text collate "C",
  status text,
  first_name text,
  last_name text,
  email text,
  phone text,
  bib text,
  gender text,
  dob date,
  -- squawk-ignore prefer-bigint-over-int
  age integer,
  team text,
  wave text,
  city text,
  state text,
  country text,
  zip_code text,
  checked_in_at timestamptz,
  registered_at timestamptz,
  updated_at timestamptz,
  first_position bigint not null,
  position bigint not null,
  received_at timestamptz not null,
  field_errors jsonb not null,
  attributes jsonb,
  -- squawk-ignore prefer-bigint-over-int
  build integer not null,
  constraint participants_build_pkey primary key (source, participant_id, build)
) partition by list (build)
"""

ANSWERS = """
create table participant_answers_build (
  source text collate "C" not null,
  participant_id text collate "C" not null,
  -- squawk-ignore prefer-bigint-over-int
  place integer not null,
  question_id text collate "C",
  question text not null,
  answer text,
  position bigint not null,
  -- squawk-ignore prefer-bigint-over-int
  build integer not null,
  constraint participant_answers_build_pkey primary key (source, participant_id, place, build)
) partition by list (build)
"""

# The columns of `participants_build`, with the position of the event that ended the state.
HISTORY = """
create table participant_history_build (
  like participants_build,
  until_position bigint not null,
  constraint participant_history_build_pkey primary key (source, participant_id, position, build)
) partition by list (build)
"""

REGISTRATIONS = """
create table registrations_build (
  source text collate "C" not null,
  participant_id text collate "C" not null,
  event_id text collate "C",
  sub_event_id text collate "C",
  day date not null,
  updated_at timestamptz,
  first_position bigint not null,
  position bigint not null,
  -- squawk-ignore prefer-bigint-over-int
  build integer not null,
  constraint registrations_build_pkey primary key (source, participant_id, build)
) partition by list (build)
"""

REGISTRATIONS_DAILY = """
create table registrations_daily_build (
  source text collate "C" not null,
  event_id text collate "C",
  sub_event_id text collate "C",
  day date not null,
  registrations bigint not null,
  -- squawk-ignore prefer-bigint-over-int
  build integer not null,
  constraint registrations_daily_build_key unique nulls not distinct (source, event_id, sub_event_id, day, build)
) partition by list (build)
"""

# An erasure deletes rows and knows nothing of counts.
UNCOUNT = """
create trigger registrations_build_uncounts
after delete on registrations_build
for each row execute function uncount_registration()
"""

PROJECTIONS = {
    "participants": ("participants_build", "participant_answers_build", "participant_history_build"),
    "registrations": ("registrations_build", "registrations_daily_build"),
}

# What is kept beside the tables says which build it belongs to. What there was belongs to the first one.
KEPT_BESIDE = {
    "checkpoint": "(source, projection, build)",
    "quarantine": "(source, projection, build, position)",
    "passed_event_type": "(source, projection, build, event_type)",
}
ADD_BUILD = """
alter table {table}
  -- squawk-ignore adding-required-field,prefer-bigint-over-int
  add column build integer not null default 1,
  -- squawk-ignore ban-drop-constraint
  drop constraint {table}_pkey,
  -- squawk-ignore adding-serial-primary-key-field
  add constraint {table}_pkey primary key {key}
"""
TAKE_BUILD = """
alter table {table}
  drop constraint {table}_pkey,
  drop column build,
  -- squawk-ignore adding-serial-primary-key-field
  add constraint {table}_pkey primary key {key}
"""
QUARANTINE_INDEX = """
-- squawk-ignore require-concurrent-index-creation
create index quarantine_participant on quarantine (source, projection, {build}participant_id)
"""

FUNCTIONS = {
    "begin_build(text, text)": "0005_begin_build.sql",
    "attach_build(text, integer, text)": "0005_attach_build.sql",
    "analyze_build(text, integer, text)": "0005_analyze_build.sql",
    "drop_build(text, integer, text)": "0005_drop_build.sql",
}

# The roster as it was stays readable; that it was built by an older definition makes workers ask for a rebuild.
KEEP_OLD_ROSTER = """
do $$ begin
  if exists (select from checkpoint) then
    alter table participants drop constraint participants_pkey, add column build integer not null default 1;
    alter table participants alter column attributes drop not null;
    drop index participants_event;
    alter table participants rename to participants_build_1;
    alter table participants_build attach partition participants_build_1 for values in (1);
    create table participant_answers_build_1 partition of participant_answers_build for values in (1);
    create table participant_history_build_1 partition of participant_history_build for values in (1);
    grant select, insert, update, delete on participant_answers_build_1, participant_history_build_1
      to rosterlog_worker;
    insert into projection_build (projection, build, version) values ('participants', 1, 'before 0005');
    update projection set live = 1, last_build = 1 where projection = 'participants';
  else
    -- squawk-ignore ban-drop-table
    drop table participants;
  end if;
end $$
"""

DROP_UNATTACHED = """
do $$ declare made text; begin
  for made in
    select t.name || '_' || b.build
    from projection_build b
    join projection p on p.projection = b.projection
    cross join unnest(p.tables) as t (name)
  loop
    execute format('drop table if exists public.%I', made);
  end loop;
end $$
"""
# By the name of a migration's file, which is no name of a module.
PARTICIPANTS_OF_0002: str = import_module("migrations.versions.0002_participants").PARTICIPANTS

# Who could read the roster can read it still.
COPY_GRANTS = """
do $$ declare given record; begin
  if to_regclass('public.participants_build_1') is not null then
    for given in
      select r.rolname from pg_class c
      cross join aclexplode(c.relacl) as acl
      join pg_roles r on r.oid = acl.grantee
      where c.oid = 'public.participants_build_1'::regclass and acl.privilege_type = 'SELECT'
    loop
      execute format('grant select on participants to %I', given.rolname);
    end loop;
  end if;
end $$
"""

APPLY = "apply_erasure(text, uuid)"

VIEWS = ("participants", "participant_answers", "participant_history", "registrations", "registrations_daily")


def upgrade() -> None:
    op.execute(PROJECTION)
    op.execute(PROJECTION_BUILD)
    for table in (PARTICIPANTS, ANSWERS, HISTORY, REGISTRATIONS, REGISTRATIONS_DAILY):
        op.execute(table)
    for projection, tables in PROJECTIONS.items():
        names = "{" + ", ".join(tables) + "}"
        op.execute(f"insert into projection (projection, tables) values ('{projection}', '{names}')")  # noqa: S608
    op.execute("-- squawk-ignore require-concurrent-index-deletion\ndrop index quarantine_participant")
    for table, key in KEPT_BESIDE.items():
        op.execute(ADD_BUILD.format(table=table, key=key))
        op.execute(f"-- squawk-ignore ban-drop-default\nalter table {table} alter column build drop default")
    op.execute(QUARANTINE_INDEX.format(build="build, "))
    op.execute(sql_file("0005_uncount_registration.sql"))
    op.execute(UNCOUNT)
    op.execute(KEEP_OLD_ROSTER)
    op.execute(
        "-- squawk-ignore require-concurrent-index-creation\n"
        "create index participants_build_event on participants_build (source, event_id, participant_id)"
    )
    for view in VIEWS:
        op.execute(sql_file(f"0005_{view}.sql"))
    op.execute(sql_file("0005_position_at.sql"))
    op.execute(sql_file("0005_apply_erasure.sql"))
    op.execute(COPY_GRANTS)
    _grant()


def _grant() -> None:
    for function, file in FUNCTIONS.items():
        op.execute(sql_file(file))
        op.execute(f"revoke all on function {function} from public")
        op.execute(f"grant execute on function {function} to rosterlog_worker")
    op.execute("grant select, update (live, previous) on projection to rosterlog_worker")
    op.execute("grant select, delete on projection_build to rosterlog_worker")
    op.execute("grant select on projection, projection_build to rosterlog_api")
    every = ", ".join(table for tables in PROJECTIONS.values() for table in tables)
    op.execute(f"grant select, insert, update, delete on {every} to rosterlog_worker")
    op.execute(f"grant select on {', '.join(VIEWS)} to rosterlog_worker, rosterlog_api")


def downgrade() -> None:
    # What was folded goes; the worker of the older release folds the log again.
    op.execute("drop view " + ", ".join(VIEWS))
    op.execute("drop function position_at(text, timestamptz)")
    op.execute(f"drop function {APPLY}")
    op.execute(sql_file("0004_apply_erasure.sql"))
    op.execute(f"revoke all on function {APPLY} from public")
    op.execute(f"grant execute on function {APPLY} to rosterlog_operator")
    for function in FUNCTIONS:
        op.execute(f"drop function {function}")
    op.execute("drop table " + ", ".join(table for tables in PROJECTIONS.values() for table in tables))
    op.execute(DROP_UNATTACHED)
    op.execute("drop function uncount_registration()")
    op.execute("drop table projection_build, projection")
    op.execute("drop index quarantine_participant")
    for table, key in KEPT_BESIDE.items():
        op.execute(f"truncate {table}")
        op.execute(TAKE_BUILD.format(table=table, key=key.replace(", build", "")))
    op.execute(QUARANTINE_INDEX.format(build=""))
    op.execute(PARTICIPANTS_OF_0002)
    op.execute("create index participants_event on participants (source, event_id, participant_id)")
    op.execute("grant select, insert, update, delete on participants to rosterlog_worker")
    op.execute("grant select on participants to rosterlog_api")
