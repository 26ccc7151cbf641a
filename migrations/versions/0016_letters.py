"""Vowel signs and other marks that words are spelled with are letters of keys; a word at which a key ends is marked."""

from migrations.execute import execute_file
from migrations.letters import insert_letters

revision = "0016_letters"
down_revision = "0015_sessions"


def upgrade() -> None:
    execute_file(revision, letters=insert_letters())
