"""A row for each source with its head, so that nothing looks for the sources in the log."""

from migrations.execute import execute_file

revision = "0024_source"
down_revision = "0020_roster_page"


def upgrade() -> None:
    execute_file(revision)
