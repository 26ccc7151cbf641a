"""When nothing is concluded: what a file is or lacks that makes a comparison with it worthless."""

from ingest.failures import WrongUsage


class NothingConcluded(WrongUsage):
    """A look at the source that cannot be used; the message says why, and what to do. Exit code 2.

    `impersonal`: the same without a value of somebody's, for what is kept; by default the message, which then has none.
    """

    def __init__(self, message: str, impersonal: str | None = None) -> None:
        super().__init__(message)
        self.impersonal = impersonal or message
