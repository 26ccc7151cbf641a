"""Where a source's deliveries are taken, so that one source can move to another database."""

from migrations.execute import execute_file

revision = "0024_moved"
down_revision = "0023_absences"


def upgrade() -> None:
    execute_file(revision)
