"""Where each state comes from, and since when the source does not list a participant."""

from migrations.execute import execute_file

revision = "0018_observed"
down_revision = "0017_newest_words"


def upgrade() -> None:
    execute_file(revision)
