"""In which zone the days of each race are, when it starts, which was its previous edition; kept with each build."""

from migrations.execute import execute_file

revision = "0010_days"
down_revision = "0009_verification"


def upgrade() -> None:
    execute_file(revision)
