"""Participants whose newest state is ahead of now: until then, no delivery that says when it is from changes them."""

from collections.abc import Iterable, Mapping

from sqlalchemy import Connection, text

from ingest.settings import DEFAULT_SOURCE

# A day, since a time without its zone is off by some hours.
_AHEAD = text("""
select p.source, count(*) as participants
from participants_build p
where p.build = (select r.live from projection r where r.projection = 'participants')
  and p.source = any (cast(:sources as text[]))
  and p.updated_at > now() + interval '1 day'
group by p.source
""")


def ahead_of_time(connection: Connection, sources: Iterable[str]) -> dict[str, int]:
    """By source, how many participants have an `updated_at` more than a day from now; not the sources without any."""
    rows = connection.execute(_AHEAD, {"sources": list(sources)})
    return {row.source: row.participants for row in rows}


def in_a_sentence(ahead: Mapping[str, int]) -> str:
    """What it means for these sources together, of which there is one at least, and where that of the worst shows."""
    number, worst = sum(ahead.values()), max(ahead, key=lambda source: ahead[source])
    who = "1 participant is" if number == 1 else f"{number} participants are"
    of_source = "" if worst == DEFAULT_SOURCE else f" --source {worst}"
    return (
        f"{who} ahead of now, by updated_at, so what arrives with an earlier time changes nothing: "
        f"rosterlog report late_arrivals{of_source} shows it"
    )
