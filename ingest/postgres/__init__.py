"""The embedded PostgreSQL: made on first use, joined if it runs, stopped by its last user."""

from ingest.postgres.account import EmbeddedPostgresError
from ingest.postgres.binaries import find_program
from ingest.postgres.session import AlreadyUp, Server, kept_running, only_up, server

__all__ = ["AlreadyUp", "EmbeddedPostgresError", "Server", "find_program", "kept_running", "only_up", "server"]
