"""When each source's log was last verified to its head, and what was found: written by `verify`, read by metrics."""

from collections.abc import Sequence

from sqlalchemy import (
    BigInteger,
    Column,
    DateTime,
    Engine,
    Executable,
    PrimaryKeyConstraint,
    Table,
    Text,
    func,
    update,
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
    PrimaryKeyConstraint("source", name="verification_pkey"),
)


def note_verified(engine: Engine, proofs: Sequence[Proof]) -> bool:
    """Write down when these sources were verified, and how many problems were found. False if it cannot be written,
    as on a replica; what was proved is proved all the same.

    A proof of a part of the log does not take back what was found in the rest, and does not count as a verification.
    """
    try:
        with engine.begin() as connection:
            for proof in proofs:
                connection.execute(_noted(proof))
    except DBAPIError:
        return False
    return True


def _noted(proof: Proof) -> Executable:
    found = verification.c
    if proof.first > 1:
        most = func.greatest(found.problems, proof.problems_found)
        return update(verification).where(found.source == proof.source).values(problems=most)
    values = {"finished_at": func.now(), "head": proof.head, "problems": proof.problems_found}
    statement = insert(verification).values(source=proof.source, **values)
    return statement.on_conflict_do_update(constraint="verification_pkey", set_=values)
