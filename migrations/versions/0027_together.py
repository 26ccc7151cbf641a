"""Servers need a function that was not there: `append_events_together`.

It is made after every migration, so nothing is done here; a program of this revision asks for it.
"""

revision = "0027_together"
down_revision = "0026_looks"


def upgrade() -> None:
    """Nothing but the function is new."""
