"""What the pages of operations and of a participant read: redeliveries by hour, people by their athlete."""

from migrations.execute import execute_file

revision = "0019_operations_page"
down_revision = "0018_observed"


def upgrade() -> None:
    execute_file(revision)
