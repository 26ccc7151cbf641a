"""The participants projection: the roster, the checkpoints, the quarantine and the counts of unknown event types."""

from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

CHECKPOINT = """
create table checkpoint (
  source text collate "C" not null,
  projection text collate "C" not null,
  position bigint not null,
  moved_at timestamptz not null default now(),
  constraint checkpoint_pkey primary key (source, projection)
)
"""

QUARANTINE = """
create table quarantine (
  source text collate "C" not null,
  projection text collate "C" not null,
  position bigint not null,
  participant_id text collate "C",
  reason text not null,
  parked_at timestamptz not null default now(),
  constraint quarantine_pkey primary key (source, projection, position)
)
"""

PASSED_EVENT_TYPE = """
create table passed_event_type (
  source text collate "C" not null,
  projection text collate "C" not null,
  event_type text collate "C" not null,
  events bigint not null,
  last_position bigint not null,
  constraint passed_event_type_pkey primary key (source, projection, event_type)
)
"""

PARTICIPANTS = """
create table participants (
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
  attributes jsonb not null,
  constraint participants_pkey primary key (source, participant_id)
)
"""

TABLES = ("participants", "passed_event_type", "quarantine", "checkpoint")


def upgrade() -> None:
    op.execute(CHECKPOINT)
    op.execute(QUARANTINE)
    op.execute("create index quarantine_participant on quarantine (source, projection, participant_id)")
    op.execute(PASSED_EVENT_TYPE)
    op.execute(PARTICIPANTS)
    op.execute("create index participants_event on participants (source, event_id, participant_id)")
    for table in TABLES:
        op.execute(f"grant select, insert, update, delete on {table} to rosterlog_worker")
        op.execute(f"grant select on {table} to rosterlog_api")


def downgrade() -> None:
    for table in TABLES:
        op.execute(f"drop table {table}")
