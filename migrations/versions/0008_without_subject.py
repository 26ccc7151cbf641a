"""Nothing by itself: the index that it is named for comes with 0014.

Made here, it would hold back every delivery until the versions after it, which write the roster anew, are done.
"""

revision = "0008_without_subject"
down_revision = "0007_progress"


def upgrade() -> None:
    pass
