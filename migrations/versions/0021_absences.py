"""Whom a look at the source missed for the first time; and an index of the events that rosterlog itself wrote."""

from migrations.execute import execute_file

revision = "0021_absences"
down_revision = "0020_roster_page"


def upgrade() -> None:
    execute_file(revision)
