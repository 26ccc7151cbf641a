"""The certificate of a comparison: the header of an observation, with the proof of the log in which it stands."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Engine, text

from ingest.delivery import JsonObject
from ingest.exact_json import read_json
from ingest.log.own_types import OBSERVATION_MADE
from ingest.log.proof import BEGINNING, Proof
from ingest.log.verify import verify
from projections.truth.conclusion import NothingConcluded

# A delivery that claims the type has a signature.
_HEADER = text("""
select e.received_at, e.chain, e.body
from event_log e
where e.source = :source and e.position = :position and e.event_type = :type and e.signature is null
""")
_CHAIN = text("select e.chain from event_log e where e.source = :source and e.position = :position")


@dataclass(frozen=True, slots=True)
class Certificate:
    """`chain`: of the header's own position. `compared_at`: the chain where file and roster were compared, as it is."""

    source: str
    position: int
    received_at: datetime
    chain: bytes
    observation: JsonObject
    compared_at: bytes
    proof: Proof

    @property
    def holds(self) -> bool:
        """Whether the whole log is intact, and the chain where the two were compared is the one that was noted."""
        return not self.proof.problems_found and self.observation["data"]["chain"] == self.compared_at.hex()  # type: ignore[index] # our own header

    def as_json(self) -> dict[str, object]:
        return {
            "holds": self.holds,
            "source": self.source,
            "position": self.position,
            "received_at": self.received_at,
            "chain": self.chain.hex(),
            "observation": self.observation,
            "proof": {
                "events": self.proof.events,
                "head": self.proof.head,
                "chain": self.proof.chain.hex(),
                "erased": self.proof.erased,
                "problems": [[each.position, each.problem] for each in self.proof.problems],
            },
        }


def certificate_at(operator: Engine, source: str, position: int, progress: Callable[[int], None]) -> Certificate:
    """The certificate of the observation at a position. Raises `NothingConcluded` if there is none."""
    with operator.connect() as connection:
        binds = {"source": source, "position": position}
        header = connection.execute(_HEADER, {**binds, "type": OBSERVATION_MADE}).one_or_none()
        if header is None:
            raise NothingConcluded(
                f"the log of {source} has no observation at position {position}: --apply tells the position of its own"
            )
        observation: JsonObject = read_json(header.body)  # type: ignore[assignment] # our own header
        compared = observation["data"]["position"]  # type: ignore[index]
        chain = connection.execute(_CHAIN, {"source": source, "position": compared}).scalar_one_or_none()
    proof = verify(operator, source, None, None, progress)
    return Certificate(
        source, position, header.received_at, header.chain, observation, BEGINNING if chain is None else chain, proof
    )
