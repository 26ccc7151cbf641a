"""How far a rebuild is, and when the log was last verified."""

from migrations.execute import execute_file

revision = "0007_progress"
down_revision = "0005_operations"


def upgrade() -> None:
    execute_file(revision)
