"""The data dictionary of the schema `reporting`, as the database's own comments tell it, in Markdown."""

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
    """Each view with its columns, then the functions. Nothing in it depends on data."""
    lines: list[str] = []
    shown = None
    for row in connection.execute(_COLUMNS):
        if row.view != shown:
            shown = row.view
            lines += [f"### reporting.{row.view}", "", row.about, "", "| column | type | meaning |", "|---|---|---|"]
        lines.append(f"| {row.name} | {row.type} | {row.meaning} |")
        # A blank line after each table, which the next heading needs.
    parts = "\n".join(lines).replace("\n### ", "\n\n### ")
    functions = [f"| {row.function} | {row.about} |" for row in connection.execute(_FUNCTIONS)]
    return "\n".join([parts, "", "### Functions", "", "| function | meaning |", "|---|---|", *functions])
