"""The data dictionary of the schema `reporting` in Markdown, made of the database's own comments."""

from itertools import groupby

from sqlalchemy import Connection, text

_COLUMNS = text("""
select
  c.relname as view, obj_description(c.oid, 'pg_class') as about,
  a.attname as name, format_type(a.atttypid, a.atttypmod) as type, col_description(c.oid, a.attnum) as meaning
from pg_class c
join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
where c.relnamespace = 'reporting'::regnamespace and c.relkind in ('r', 'v')
order by c.relkind desc, c.relname, a.attnum
""")
_FUNCTIONS = text("""
select
  p.proname || '(' || pg_get_function_identity_arguments(p.oid) || ')' as function,
  obj_description(p.oid, 'pg_proc') as about
from pg_proc p
where p.pronamespace = 'reporting'::regnamespace
order by p.proname, p.oid
""")


def dictionary(connection: Connection) -> str:
    """Each view with its columns, then the functions. It depends on the schema alone, not on the data."""
    parts = []
    for (view, about), columns in groupby(connection.execute(_COLUMNS), lambda row: (row.view, row.about)):
        head = [f"### reporting.{view}", "", about, "", "| column | type | meaning |", "|---|---|---|"]
        rows = [f"| {column.name} | {column.type} | {column.meaning} |" for column in columns]
        parts.append("\n".join([*head, *rows]))
    functions = [f"| {row.function} | {row.about} |" for row in connection.execute(_FUNCTIONS)]
    parts.append("\n".join(["### Functions", "", "| function | meaning |", "|---|---|", *functions]))
    return "\n\n".join(parts)
