"""Tokens of the API without personal data."""

from migrations.execute import execute_file

revision = "0013_plain_tokens"
down_revision = "0012_keys"


def upgrade() -> None:
    execute_file(revision)
