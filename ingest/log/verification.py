"""When each source's log was last verified to its head, and what was found: written by `verify`, read by metrics."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Connection,
    DateTime,
    Engine,
    Executable,
    PrimaryKeyConstraint,
    Table,
    Text,
    case,
    false,
    func,
    literal,
)
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import DBAPIError

from ingest.database import metadata
from ingest.log.proof import Proof

verification = Table(
    "verification",
    metadata,
    Column("source", Text(collation="C"), nullable=False),
    Column("finished_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    Column("head", BigInteger, nullable=False),
    Column("problems", BigInteger, nullable=False),
    Column("with_signatures", Boolean, nullable=False, server_default=false()),
    PrimaryKeyConstraint("source", name="verification_pkey"),
)


@dataclass(frozen=True, slots=True)
class Verified:
    """When a source was last verified to its head, and the problems that stand. `with_signatures`: it takes a
    verification of the signatures to find them all again.
    """

    finished_at: datetime
    problems: int
    with_signatures: bool


def read_verified(connection: Connection) -> dict[str, Verified]:
    """The last verification of each source that was verified."""
    return {
        row.source: Verified(row.finished_at, row.problems, row.with_signatures)
        for row in connection.execute(verification.select())
    }


def note_verified(engine: Engine, proofs: Sequence[Proof]) -> bool:
    """Write down when these sources were verified, and how many problems were found. False if it cannot be written,
    as on a replica; what was proved is proved all the same.

    A proof takes back what one of at most its kind has found: a proof of a part of the log nothing, one without the
    signatures nothing that was found with them. A part that is whole does not count as a verification.
    """
    try:
        with engine.begin() as connection:
            for proof in proofs:
                if proof.first == 1 or proof.problems_found:
                    connection.execute(_noted(proof))
    except DBAPIError:
        return False
    return True


def _noted(proof: Proof) -> Executable:
    before, is_whole, has_signatures = verification.c, proof.first == 1, proof.unknown_secret is not None
    statement = insert(verification).values(
        source=proof.source, finished_at=func.now(), head=proof.head,
        problems=proof.problems_found, with_signatures=has_signatures,
    )  # fmt: skip
    new = statement.excluded
    # What this proof could not have found again stays.
    stays = (before.problems > 0) & ((before.with_signatures & ~new.with_signatures) | literal(not is_whole))
    kept = {
        "problems": case((stays, func.greatest(before.problems, new.problems)), else_=new.problems),
        "with_signatures": case((stays, before.with_signatures | new.with_signatures), else_=new.with_signatures),
    }
    reached = {"finished_at": new.finished_at, "head": new.head} if is_whole else {}
    return statement.on_conflict_do_update(constraint="verification_pkey", set_={**kept, **reached})
