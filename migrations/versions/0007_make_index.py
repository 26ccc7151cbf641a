"""The indexes of a build, several at a time."""

from alembic import op

from migrations.sql import sql_file

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

MAKE = "make_index(text, integer, text, text)"


def upgrade() -> None:
    op.execute(sql_file("0007_make_index.sql"))
    op.execute(f"revoke all on function {MAKE} from public")
    op.execute(f"grant execute on function {MAKE} to rosterlog_worker")
    op.execute(sql_file("0007_attach_build.sql"))


def downgrade() -> None:
    op.execute(sql_file("0005_attach_build.sql").replace("create function", "create or replace function"))
    op.execute(f"drop function {MAKE}")
