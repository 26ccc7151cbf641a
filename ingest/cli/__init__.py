"""The commands that receive and keep."""

from ingest.cli import log, programs, servers, verify
from ingest.cli.group import group
from ingest.simulator.cli import simulate

_ = (log, programs, servers, verify)  # each adds its commands to the group
group.add_command(simulate)
