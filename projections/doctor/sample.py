"""Looks at the newest events: keys that no column reads, columns that nothing arrives for, values that do not fit."""

from collections.abc import Iterator, Mapping

from sqlalchemy import Connection

from ingest.failures import Failure
from ingest.listed import listed
from ingest.log.read import read_after
from projections.doctor.finding import DoctorFinding, ok, warn
from projections.participants.discovery import Discovery
from projections.participants.fields import Fields

NEWEST = 200  # events per source, and 4 MB of their bodies
_MOST_SOURCES = 20
_DO = "rosterlog fields shows all of them; name the keys in a file of ROSTERLOG_FIELDS, then rosterlog rebuild"


def check_fields(connection: Connection, fields: Fields, logged: Mapping[str, int]) -> Iterator[DoctorFinding]:
    """Whether the columns fit what Movemint sends. No value is shown, only keys."""
    discovery = Discovery(fields)
    for source in sorted(logged)[:_MOST_SOURCES]:
        try:
            events = read_after(connection, source, max(logged[source] - NEWEST, 0), NEWEST)
        except Failure:  # a hole, which is a finding of its own
            continue
        for event in events:
            discovery.add(event)
    if not discovery.events:
        yield ok("fields", "no delivery about a participant has arrived yet, so the columns cannot be compared with it")
        return
    looked_at = f"the newest {discovery.events} deliveries about participants"
    odd = sorted({column for key in discovery.keys for column in key.unconverted})
    unread = listed(discovery.unmapped)
    if odd:
        says = f"values of {listed(odd)} in {looked_at} do not convert, so these columns are empty there"
        yield warn("fields", says, _DO)
    if unread and discovery.empty_columns:
        says = f"no column reads {unread} in {looked_at}, and nothing arrives for {listed(discovery.empty_columns)}"
        yield warn("fields", f"{says}: are they the same?", _DO)
    elif not odd:
        kept = f"; kept, and read by no column: {unread}" if unread else ""
        yield ok("fields", f"the columns fit {looked_at}{kept}")
