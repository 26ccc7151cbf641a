"""Finds the events that the log has under no subject without reading the whole log."""

from migrations.execute import execute_file

revision = "0008_without_subject"
down_revision = "0007_progress"


def upgrade() -> None:
    execute_file(revision)
