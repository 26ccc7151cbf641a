"""What participants are sorted, compared and searched by is written by the fold, and does not depend on the server."""

from migrations.execute import execute_file
from migrations.letters import insert_letters

revision = "0012_keys"
down_revision = "0011_sorts"


def upgrade() -> None:
    execute_file(revision, letters=insert_letters())
