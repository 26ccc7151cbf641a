"""Which parked events a person has put away: they can never be read, and nobody has to look at them again."""

from migrations.execute import execute_file

revision = "0006_dismissed"
down_revision = "0005_operations"


def upgrade() -> None:
    execute_file(revision)
