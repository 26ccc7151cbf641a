"""Judges a fault run by the simulator's record: nothing accepted is lost, nothing doubled, nothing else is there."""

import hashlib
from collections import Counter
from dataclasses import dataclass

from tests import model
from tests.faults.load import Load
from tests.faults.site import Site
from tests.program import run, status_json


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is wrong after a run: nothing, if every number is zero and every text is empty."""

    lost: frozenset[bytes]
    doubled: frozenset[bytes]
    foreign: int
    damaged_accepted: int
    wrong_on_roster: int
    proof: str
    status: str

    @property
    def is_good(self) -> bool:
        wrong = (self.lost, self.doubled, self.foreign, self.damaged_accepted, self.wrong_on_roster)
        return not any(wrong) and not self.proof and not self.status


def judge(site: Site, load: Load) -> Verdict:
    """Compare the log with the record, the roster with the model, and ask the commands."""
    with site.database() as connection:
        rows = connection.execute("select body from event_log order by position").fetchall()
    bodies = [row[0] for row in rows]
    times = Counter(hashlib.sha256(body).digest() for body in bodies)
    roster, expected = model.stored_roster(site.conninfo), model.roster(bodies)
    return Verdict(
        lost=frozenset(body for body in load.accepted if not times[hashlib.sha256(body).digest()]),
        doubled=frozenset(body for body in load.accepted if times[hashlib.sha256(body).digest()] > 1),
        foreign=sum(body not in load.sent for body in bodies),
        damaged_accepted=load.damaged_accepted,
        wrong_on_roster=len(roster.items() ^ expected.items()),
        proof=_printed(site, "verify"),
        status="; ".join(said for said in status_json(site.environ)["needs"] if not _is_of_the_run(said)),
    )


def _is_of_the_run(said: str) -> bool:
    """Whether this needs a person only because of what the run did: a small disk, and 503s a moment ago."""
    return said.startswith("the disk of the database is nearly full") or "were answered 503 in the last hour" in said


def _printed(site: Site, command: str) -> str:
    """What a command printed if it found a problem; nothing otherwise."""
    try:
        run(command, env=site.environ)
    except AssertionError as error:
        return str(error)
    return ""
