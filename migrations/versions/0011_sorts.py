"""Answers by question and event, the answers of superseded states, and orders by check-in, team and age."""

from migrations.execute import execute_file

revision = "0011_sorts"
down_revision = "0010_days"


def upgrade() -> None:
    execute_file(revision)
