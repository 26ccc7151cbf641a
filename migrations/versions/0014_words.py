"""Indexes of those who have a text that is longer than its key, and of the events under no subject."""

from migrations.execute import execute_file

revision = "0014_words"
down_revision = "0013_plain_tokens"


def upgrade() -> None:
    execute_file(revision)
