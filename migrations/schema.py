"""Prints the schema that the migrations make, with a picture on top: `python -m migrations.schema`.

`docs/schema.sql` is its output, for reading and review; a test compares the two. No database is made from it.
"""

import re
import subprocess
import sys
import tempfile
from importlib.resources import files
from pathlib import Path

from ingest import postgres
from ingest.database import sync_engine
from ingest.migrate import migrate
from ingest.session import LONG

_NOISE = re.compile(r"^(--.*|SET .*|SELECT pg_catalog\.set_config.*|\\(un)?restrict .*)\n", re.MULTILINE)


def schema(conninfo: str, programs: Path) -> str:
    """The picture, then the schema of a migrated database as pg_dump writes it, without comments and settings."""
    options = ("--schema-only", "--no-owner", "--exclude-table=alembic_version")
    dump = subprocess.run(
        [programs / "pg_dump", *options, f"--dbname={conninfo}"], check=True, stdout=subprocess.PIPE, text=True
    ).stdout
    picture = files("migrations").joinpath("sql", "picture.txt").read_text(encoding="utf-8")
    commented = "".join(f"-- {line}".rstrip() + "\n" for line in picture.splitlines())
    statements = re.sub(r"\n{2,}", "\n\n", _NOISE.sub("", dump)).strip()
    return f"{commented}\n{statements}\n"


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o711)  # so that PostgreSQL's own account can enter if this runs as root
        with postgres.server(Path(folder) / "data", lambda line: print(line, file=sys.stderr)) as server:  # noqa: T201
            engine = sync_engine(server.conninfo, deadlines=LONG)
            migrate(engine)
            engine.dispose()
            sys.stdout.write(schema(server.conninfo, server.programs))


if __name__ == "__main__":
    main()
