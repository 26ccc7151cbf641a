"""The commands of `ingest` by name, each as `module:attribute`."""

COMMANDS = {
    "check-signature": "ingest.cli.signature:check_signature",
    "ingest": "ingest.cli.servers:ingest",
    "log": "ingest.cli.log:log",
    "migrate": "ingest.cli.migrate:migrate",
    "pg": "ingest.cli.programs:pg",
    "psql": "ingest.cli.programs:psql",
    "simulate": "ingest.simulator.cli:simulate",
    "source": "ingest.cli.source_commands:source",
    "verify": "ingest.cli.verify:verify",
}
