"""Looks at the source that failed, and how the last of them did."""

from migrations.execute import execute_file

revision = "0026_looks"
down_revision = "0025_reading"


def upgrade() -> None:
    execute_file(revision)
