"""Of which kind the verification was that found something."""

from migrations.execute import execute_file

revision = "0009_verification"
down_revision = "0008_without_subject"


def upgrade() -> None:
    execute_file(revision)
