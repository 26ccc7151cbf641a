"""Judges a run by the record of its senders: nothing that was answered 200 is lost, doubled or at another position."""

from collections.abc import Mapping
from dataclasses import dataclass

from tests import model
from tests.fold_all import query
from tests.program import environ, said

_GAPS = "select coalesce(max(position), 0) - count(*) from event_log where source = 'movemint'"
_HEADS = "select (select max(position) from event_log), min(position), count(*) from checkpoint"


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


def judge(conninfo: str, answered: Mapping[bytes, int]) -> Verdict:
    """Compare the log with the record and the roster with the model. `conninfo`: of a login that may read all."""
    log = model.stored_bodies(conninfo)
    at = {content: position for position, content in enumerate(log, 1)}
    [(gaps,)] = query(conninfo, _GAPS)
    wrong = model.stored_roster(conninfo).items() ^ model.roster(log).items()
    proof = said("verify", env=environ(DATABASE_URL=conninfo))
    return Verdict(
        answered=len(answered),
        lost=sum(at.get(content) != position for content, position in answered.items()),
        doubled=len(log) - len(at),
        gaps=gaps,
        wrong_on_roster=len(wrong),
        proof="" if "movemint  ok" in proof else proof,
    )


def is_folded(conninfo: str) -> bool:
    """Whether every event is on the roster, in both projections."""
    [(head, slowest, tracks)] = query(conninfo, _HEADS)
    return bool(tracks == 2 and head == slowest)
