"""The commands that receive and keep."""

from ingest.cli import programs, servers
from ingest.cli.group import group
from ingest.simulator.cli import simulate

_ = (programs, servers)  # each adds its commands to the group
group.add_command(simulate)
