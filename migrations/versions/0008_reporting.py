"""The schema `reporting`: views for people and tools that ask in SQL, and the two roles that may read them."""

from importlib import import_module

from alembic import op

from migrations.sql import sql_file

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

FUNCTIONS = {
    "sees_personal_data()": "0008_sees_personal_data.sql",
    "age_band(integer)": "0008_age_band.sql",
    "age_band(date, integer, timestamptz)": "0008_age_band_at.sql",
    "iso_date(text)": "0008_iso_date.sql",
    "answers_of_many()": "0008_answers_of_many.sql",
}
VIEWS = {
    "participants": "0008_reporting_participants.sql",
    "participant_history": "0008_reporting_participant_history.sql",
    "participant_answers": "0008_reporting_participant_answers.sql",
    "events": "0008_reporting_events.sql",
    "sub_events": "0008_reporting_sub_events.sql",
    "registrations_daily": "0008_reporting_registrations_daily.sql",
    "deliveries": "0008_reporting_deliveries.sql",
    "freshness": "0008_reporting_freshness.sql",
}
AS_OF = "participants_as_of(timestamptz)"

ROLES = ("rosterlog_reporting", "rosterlog_reporting_pii")
# By the name of a migration's file, which is no name of a module.
ROLE: str = import_module("migrations.versions.0001_event_log").ROLE
# With the build in it, who has a state at a position can be told from the index alone.
POSITION = "create index participants_build_position on participants_build (source, position)"
# For whoever makes one of them a login; `rosterlog report --grant` makes logins of their own.
TIMEOUT = """
do $$ begin
  alter role {role} set statement_timeout = '60s';
exception when insufficient_privilege then null;
end $$
"""


def upgrade() -> None:
    op.execute("-- squawk-ignore require-concurrent-index-deletion\ndrop index participants_build_position")
    op.execute(f"-- squawk-ignore require-concurrent-index-creation\n{POSITION} include (build)")
    for role in ROLES:
        op.execute(ROLE.format(role=role))
        op.execute(TIMEOUT.format(role=role))
    op.execute("create schema reporting")
    for file in (*FUNCTIONS.values(), *VIEWS.values(), "0008_participants_as_of.sql", "0008_comments.sql"):
        op.execute(sql_file(file))
    both = ", ".join(ROLES)
    op.execute(f"grant usage on schema reporting to {both}")
    op.execute(f"grant select on {', '.join(f'reporting.{view}' for view in VIEWS)} to {both}")


def downgrade() -> None:
    op.execute(f"drop function reporting.{AS_OF}")
    op.execute("drop view " + ", ".join(f"reporting.{view}" for view in VIEWS))
    for function in reversed(FUNCTIONS):
        op.execute(f"drop function reporting.{function}")
    op.execute("drop schema reporting")
    op.execute("drop index participants_build_position")
    op.execute(POSITION)
    # The roles stay: they belong to the server, and other databases on it may use them.
