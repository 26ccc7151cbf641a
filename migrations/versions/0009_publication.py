"""The publication `rosterlog_reporting`: the roster without personal data as a plain table, for subscribers.

A plain table, since neither a view nor the tables of a build that was loaded beside can be followed by a subscriber.
"""

from alembic import op

from migrations.sql import sql_file

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

PARTICIPANTS = """
create table published_participants (
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
  bib text,
  gender text,
  team text,
  wave text,
  state text,
  country text,
  checked_in_at timestamptz,
  registered_at timestamptz,
  updated_at timestamptz,
  first_position bigint not null,
  position bigint not null,
  received_at timestamptz not null,
  age_band text,
  constraint published_participants_pkey primary key (source, participant_id)
)
"""

# How far it is. `filled_to`: after a rebuild everybody is compared, up to this id so far; null once that is done.
SOURCE = """
create table published_source (
  source text collate "C" not null,
  -- squawk-ignore prefer-bigint-over-int
  build integer not null default 0,
  position bigint not null default 0,
  change bigint not null default 0,
  filled_to text collate "C",
  constraint published_source_pkey primary key (source)
)
"""

PUBLISH = "publish_participants(text, integer)"
THESE = "publish_these(text, text[])"


def upgrade() -> None:
    op.execute(PARTICIPANTS)
    op.execute(
        "comment on table published_participants is 'The roster without personal data, as reporting.participants has "
        "it, for subscribers of the publication rosterlog_reporting; filled while there is one'"
    )
    op.execute(SOURCE)
    for function, file in {THESE: "0009_publish_these.sql", PUBLISH: "0009_publish_participants.sql"}.items():
        op.execute(sql_file(file))
        op.execute(f"revoke all on function {function} from public")
    op.execute(f"grant execute on function {PUBLISH} to rosterlog_worker")
    op.execute("grant select on published_source, roster_change to rosterlog_worker")
    # What a subscriber copies first.
    op.execute("grant select on published_participants to rosterlog_reporting, rosterlog_reporting_pii")
    op.execute("create publication rosterlog_reporting for table published_participants")


def downgrade() -> None:
    op.execute("drop publication rosterlog_reporting")
    op.execute("revoke select on roster_change from rosterlog_worker")
    op.execute(f"drop function {PUBLISH}")
    op.execute(f"drop function {THESE}")
    op.execute("drop table published_participants, published_source")
