"""The schema `reporting`, and the publication of the roster without personal data."""

from migrations.columns import BASELINE, definitions
from migrations.execute import execute_file

revision = "0004_reporting"
down_revision = "0003_roster"


def upgrade() -> None:
    execute_file(revision, columns=definitions(BASELINE, personal=False))
