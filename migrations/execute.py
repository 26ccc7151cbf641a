"""Executes SQL exactly as it is written, in the running migration."""

from importlib.resources import files

from alembic import op
from sqlalchemy import TextClause, text


def verbatim(sql: str) -> TextClause:
    """SQL with its colons escaped: SQLAlchemy would take `:name` for a bind parameter."""
    return text(sql.replace(":", r"\:"))


def execute_file(revision: str, **places: str) -> None:
    """Execute the .sql file of a version, with each `{name}` replaced by the text of that name."""
    sql = files("migrations.versions").joinpath(f"{revision}.sql").read_text(encoding="utf-8")
    for name, replacement in places.items():
        sql = sql.replace(f"{{{name}}}", replacement)
    op.execute(verbatim(sql))
