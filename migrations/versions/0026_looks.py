"""Scheduled comparisons with a list of the source that failed."""

from migrations.execute import execute_file

revision = "0026_looks"
down_revision = "0025_reading"


def upgrade() -> None:
    execute_file(revision)
