"""Whom a look at the source missed for the first time; and an index of the events that rosterlog itself wrote."""

from migrations.execute import execute_file

revision = "0023_absences"
down_revision = "0022_source"


def upgrade() -> None:
    execute_file(revision)
