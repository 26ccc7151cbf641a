"""Sessions of the pages, and links that sign in once."""

from migrations.execute import execute_file

revision = "0015_sessions"
down_revision = "0014_words"


def upgrade() -> None:
    execute_file(revision)
