"""The roster: participants with their history and answers, registrations, what changed beside the log, API tokens."""

from migrations.columns import definitions
from migrations.execute import execute_file

revision = "0003_roster"
down_revision = "0002_projections"


def upgrade() -> None:
    execute_file(revision, columns=definitions(revision))
