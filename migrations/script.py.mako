"""${message}."""

from migrations.columns import add_columns

revision = "${up_revision}"
down_revision = "${down_revision}"


def upgrade() -> None:
    add_columns(revision)
