"""An index of questions in which rows with words come before rows that have only the question's id."""

from migrations.execute import execute_file

revision = "0017_newest_words"
down_revision = "0016_letters"


def upgrade() -> None:
    execute_file(revision)
