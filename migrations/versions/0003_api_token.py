"""The bearer tokens of the read API: their SHA-256, never the token itself."""

from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

TABLE = """
create table api_token (
  source text collate "C" not null,
  name text collate "C" not null,
  digest bytea not null,
  event_ids text[],
  created_at timestamptz not null default now(),
  expires_at timestamptz,
  revoked_at timestamptz,
  constraint api_token_pkey primary key (digest)
)
"""


def upgrade() -> None:
    op.execute(TABLE)
    # A name may be used again once its token is revoked.
    op.execute("create unique index api_token_live_name on api_token (name) where revoked_at is null")
    op.execute("grant select on api_token to rosterlog_api")


def downgrade() -> None:
    op.execute("drop table api_token")
