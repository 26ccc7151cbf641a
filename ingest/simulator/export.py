"""Writes an organiser's export as spreadsheets write CSV: with their separators, encodings and dates. Pure."""

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from ingest.delivery import JsonObject

# The headings by the participant's keys, where a dot goes into an object.
HEADINGS = {
    "id": "ID",
    "event_id": "Event ID",
    "event_name": "Event name",
    "sub_event.name": "Sub event name",
    "first_name": "First name",
    "last_name": "Last name",
    "email": "E-mail",
    "dob": "Date of birth",
    "bib": "Bib",
    "team": "Team",
    "status": "Status",
    "city": "City",
    "created_at": "Created at",
    "updated_at": "Updated at",
}
_DATES = ("dob",)


@dataclass(frozen=True, slots=True)
class ExportForm:
    """`encoding`: as Python calls it, utf-8-sig with a byte order mark. `dates`: their form, for Python; None: ISO."""

    separator: str = ","
    encoding: str = "utf-8"
    dates: str | None = None
    keys: tuple[str, ...] = tuple(HEADINGS)


# Forms by the names that the command line takes.
EXPORT_FORMS = {
    "csv": ExportForm(),
    "bom": ExportForm(encoding="utf-8-sig"),
    "semicolons": ExportForm(";", "utf-8-sig"),
    "cp1252": ExportForm(";", "cp1252", "%d/%m/%Y"),
    "utf-16": ExportForm("\t", "utf-16"),
}


def export_bytes(rows: Sequence[JsonObject], form: ExportForm) -> bytes:
    """The file that lists these people."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, delimiter=form.separator, lineterminator="\r\n")
    writer.writerow([HEADINGS[key] for key in form.keys])
    writer.writerows([[_cell(row, key, form) for key in form.keys] for row in rows])
    return text.getvalue().encode(form.encoding)


def _cell(row: JsonObject, key: str, form: ExportForm) -> str:
    first, _, inner = key.partition(".")
    value = row.get(first)
    if inner:
        value = value.get(inner) if isinstance(value, dict) else None
    if value is None:
        return ""
    if form.dates is not None and key in _DATES:
        return datetime.fromisoformat(str(value)).strftime(form.dates)
    return str(value)
