"""When nothing is concluded: what a file is or lacks that makes a comparison with it worthless."""

from ingest.failures import WrongUsage


class NothingConcluded(WrongUsage):
    """A look at the source that cannot be used; the message says why, and what to do. Exit code 2."""
