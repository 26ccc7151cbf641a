"""Indexes that find people by words: those that a question had, and those at which a long text was cut."""

from migrations.execute import execute_file

revision = "0014_words"
down_revision = "0013_plain_tokens"


def upgrade() -> None:
    execute_file(revision)
