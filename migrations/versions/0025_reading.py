"""Programs need functions that were not there: `scope_of`, `arrivals`, `sources_in_log`, `make_live`.

Those are made after every migration, so nothing is done here; a program of this revision asks for it.
"""

revision = "0025_reading"
down_revision = "0024_moved"


def upgrade() -> None:
    """Nothing but the functions is new."""
