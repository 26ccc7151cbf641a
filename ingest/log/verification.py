"""When each source's log was last verified to its head, and what was found: written by `verify`, read by metrics."""

from collections.abc import Sequence

from sqlalchemy import BigInteger, Column, DateTime, Engine, PrimaryKeyConstraint, Table, Text, func
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
    """
    rows = [{"source": proof.source, "head": proof.head, "problems": proof.problems_found} for proof in proofs]
    statement = insert(verification)
    values = {"finished_at": func.now(), "head": statement.excluded.head, "problems": statement.excluded.problems}
    try:
        with engine.begin() as connection:
            connection.execute(statement.on_conflict_do_update(constraint="verification_pkey", set_=values), rows)
    except DBAPIError:
        return False
    return True
