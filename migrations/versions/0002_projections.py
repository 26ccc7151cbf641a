"""What every projection has: builds, of which one is live, checkpoints, the quarantine, counts of unknown types."""

from migrations.execute import execute_file

revision = "0002_projections"
down_revision = "0001_log"


def upgrade() -> None:
    execute_file(revision)
