"""Executes SQL as it is written, in the migration that is under way."""

from importlib.resources import files

from alembic import op
from sqlalchemy import TextClause, text


def verbatim(sql: str) -> TextClause:
    """SQL in which a colon is a colon: to SQLAlchemy, `:name` would be a value to fill in."""
    return text(sql.replace(":", r"\:"))


def execute_file(revision: str, **places: str) -> None:
    """Execute the file of SQL that stands beside a version, with these texts where `{name}` stands."""
    sql = files("migrations.versions").joinpath(f"{revision}.sql").read_text(encoding="utf-8")
    for name, filled in places.items():
        sql = sql.replace(f"{{{name}}}", filled)
    op.execute(verbatim(sql))
