"""What operators look at: refused deliveries by hour, the workers that were seen."""

from migrations.execute import execute_file

revision = "0005_operations"
down_revision = "0004_reporting"


def upgrade() -> None:
    execute_file(revision)
