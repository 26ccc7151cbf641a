"""The commands that receive and keep, by name."""

COMMANDS = {
    "ingest": "ingest.cli.servers:ingest",
    "log": "ingest.cli.log:log",
    "migrate": "ingest.cli.servers:migrate",
    "pg": "ingest.cli.programs:pg",
    "psql": "ingest.cli.programs:psql",
    "simulate": "ingest.simulator.cli:simulate",
    "verify": "ingest.cli.verify:verify",
}
