"""How each source's roster was compared with it, and with its own log: the last results, for readers of every page."""

from migrations.execute import execute_file

revision = "0021_reconciled"
down_revision = "0020_roster_page"


def upgrade() -> None:
    execute_file(revision)
