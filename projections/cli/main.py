"""The `rosterlog` program: the commands of `ingest` and of `projections`."""

from ingest.cli import main as ingest_main
from ingest.cli.group import run_group

COMMANDS = {
    "api": "projections.cli.servers:api",
    "doctor": "projections.cli.doctor:doctor",
    "erase": "projections.cli.erase:erase",
    "export": "projections.cli.export:export",
    "fields": "projections.cli.fields:fields",
    "quarantine": "projections.cli.quarantine:quarantine",
    "rebuild": "projections.cli.rebuild:rebuild",
    "reconcile": "projections.cli.reconcile:reconcile",
    "report": "projections.cli.report:report",
    "source": "projections.cli.moves:source",
    "serve": "projections.cli.servers:serve_both",
    "status": "projections.cli.status:status",
    "token": "projections.cli.tokens:token",
    "up": "projections.cli.servers:up",
    "worker": "projections.cli.worker:work",
}


def main() -> None:
    """Run the `rosterlog` program."""
    run_group({**ingest_main.COMMANDS, **COMMANDS})
