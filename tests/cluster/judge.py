"""Judges a run by the record of its senders: nothing that was answered 200 is lost, doubled or at another position."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tests import model
from tests.fold_all import query
from tests.program import environ, said

_GAPS = """
select coalesce(sum(s.gaps), 0) from (select max(position) - count(*) as gaps from event_log group by source) s
"""
_HEADS = "select source, max(position) from event_log group by source"
_FOLDED = """
select s.source, min(coalesce(c.position, 0))
from source s cross join projection p
left join checkpoint c on c.source = s.source and c.projection = p.projection and c.build = p.live
group by s.source having count(*) = 2
"""


@dataclass(frozen=True, slots=True)
class Verdict:
    """`lost`: answered 200 and not in the log at that position. `proof`: what `verify` printed, if it is not ok."""

    answered: int
    lost: int
    doubled: int
    gaps: int
    wrong_on_roster: int
    proof: str

    @property
    def sentence(self) -> str:
        return (
            f"in all: {self.answered:,} answered 200, {self.lost} lost, {self.doubled} doubled, {self.gaps} gaps, "
            f"{self.wrong_on_roster} participants other than the model's"
        )

    @property
    def problems(self) -> list[str]:
        wrong = {
            "answered 200 and lost": self.lost,
            "stored twice": self.doubled,
            "positions missing": self.gaps,
            "participants other than the model's": self.wrong_on_roster,
        }
        said = [f"{number} {what}" for what, number in wrong.items() if number]
        return [*said, *([self.proof] if self.proof else [])]


def judge(conninfo: str, answered: Mapping[bytes, int], sources: Sequence[str] = ("movemint",)) -> Verdict:
    """Compare the logs with the record and the rosters with the model. `conninfo`: of a login that may read all."""
    at: dict[tuple[str, bytes], int] = {}
    stored = wrong = 0
    for source in sources:
        log = model.stored_bodies(conninfo, source)
        at |= {(source, content): position for position, content in enumerate(log, 1)}
        stored += len(log)
        wrong += len(model.stored_roster(conninfo, source).items() ^ model.roster(log).items())
    [(gaps,)] = query(conninfo, _GAPS)
    proof = said("verify", "--json", env=environ(DATABASE_URL=conninfo))
    return Verdict(
        answered=len(answered),
        lost=sum(at.get((_source(content), content)) != position for content, position in answered.items()),
        doubled=stored - len(at),
        gaps=gaps,
        wrong_on_roster=wrong,
        proof="" if json.loads(proof.splitlines()[-1])["ok"] else proof,
    )


def _source(content: bytes) -> str:
    """To which source its sender delivered it."""
    return str(json.loads(content)["data"]["object"]["team"])


def heads(conninfo: str) -> dict[str, int]:
    """The last position of each source's log."""
    return dict(query(conninfo, _HEADS))


def is_folded(conninfo: str, until: Mapping[str, int] | None = None) -> bool:
    """Whether every event of every source, or those up to these positions, is on the roster, in both projections."""
    folded = dict(query(conninfo, _FOLDED))
    return all(folded.get(source, 0) >= head for source, head in (until or heads(conninfo)).items())
