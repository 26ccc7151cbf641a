"""The log: its events, redeliveries and erasures, and the triggers that refuse every other change."""

from migrations.execute import execute_file

revision = "0001_log"
down_revision = None


def upgrade() -> None:
    execute_file(revision)
