"""The commands that make the log answer questions, added to ingest's. `main` is the program."""

from ingest.cli.group import run_group
from projections.cli import erase, export, fields, quarantine, rebuild, report, servers, status, tokens

_ = (erase, export, fields, quarantine, rebuild, report, servers, status, tokens)  # each adds its commands to the group


def main() -> None:
    """The `rosterlog` program."""
    run_group()
