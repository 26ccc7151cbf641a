"""An index of the bibs of each event: which are there twice, and how many participants there are."""

from migrations.execute import execute_file

revision = "0020_roster_page"
down_revision = "0019_operations_page"


def upgrade() -> None:
    execute_file(revision)
