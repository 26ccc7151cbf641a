"""A row for each source with its head, so that nothing looks for the sources in the log."""

from migrations.execute import execute_file

revision = "0022_source"
down_revision = "0021_reconciled"


def upgrade() -> None:
    execute_file(revision)
