"""The embedded PostgreSQL: made on first use, joined if it runs, stopped by its last user."""

from ingest.postgres.account import EmbeddedPostgresError
from ingest.postgres.binaries import find_program
from ingest.postgres.own_logins import as_login, keep_logins
from ingest.postgres.session import AlreadyUp, Server, kept_running, only_up, server

__all__ = [
    "AlreadyUp", "EmbeddedPostgresError", "Server", "as_login", "find_program", "keep_logins", "kept_running",
    "only_up", "server",
]  # fmt: skip
