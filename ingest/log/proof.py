"""Checks events against their digests, and each against the one before it. Pure: rows of COPY in, findings out.

The digests are computed here, not by the database: who can alter the log can alter the database's functions.
"""

from bisect import insort
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from struct import Struct

from ingest.signature import is_signed

# Columns in the order of the rows, those of a fixed length first. The texts come last, since PostgreSQL's binary format
# of a text, a length (-1: null) and the UTF-8 bytes, is exactly what the chain covers.
PROVED_COLUMNS = "position, received_at, digest, chain, body, source, event_type, subject, signature"
_FIXED = Struct(">hi8si8si32si32si")  # the number of columns; length and value of four columns; the length of the body
_LENGTHS = (9, 8, 8, 32, 32)  # in an intact row: that number, and the lengths a, b, c, d of the four
_DIGEST = slice(30, 62)
_POSITION = Struct(">q")
_LENGTH = Struct(">i")
_NULL = _LENGTH.pack(-1)  # four bytes ff: no UTF-8 ends like this, so a row that does has no signature
OF_OUR_OWN = b"rosterlog."  # prefix of the types of events that rosterlog itself writes, without a signature

BEGINNING = bytes(32)  # the chain value before the first event
MOST_PROBLEMS = 100  # listed per source; the rest are only counted
_PROGRESS_EVERY = 5_000


@dataclass(frozen=True, slots=True)
class Noted:
    """A position and its chain value (32 bytes) that a person noted earlier, outside the database."""

    position: int
    chain: bytes


@dataclass(frozen=True, slots=True)
class Finding:
    """What is wrong, and at which position."""

    position: int
    problem: str


@dataclass(slots=True)
class UnknownSecret:
    """Intact events that none of the given secrets signed: how many, and the first and last position."""

    events: int = 0
    first: int = 0
    last: int = 0


@dataclass(slots=True)
class Proof:
    """What one pass over a source found: how many events, from `first` to `head`, whose chain value is `chain`.

    `erased`: bodies that an erasure emptied. `unknown_secret` is None if signatures were not to be checked.
    """

    source: str
    first: int
    head: int
    chain: bytes
    events: int = 0
    erased: int = 0
    problems: list[Finding] = field(default_factory=list)
    problems_found: int = 0
    unknown_secret: UnknownSecret | None = None

    def add(self, position: int, problem: str) -> None:
        """Count a problem, and list it if it is among the first by position."""
        self.problems_found += 1
        insort(self.problems, Finding(position, problem), key=lambda finding: finding.position)
        del self.problems[MOST_PROBLEMS:]


def check_each(
    rows: Iterable[bytes],
    proof: Proof,
    named: Collection[int],
    secrets: Sequence[bytes] | None,
    progress: Callable[[int], None],
) -> None:
    """Check rows of `PROVED_COLUMNS` that follow the proof's `chain`. `named`: the positions that erasures name."""
    previous: bytes | None = proof.chain
    expected, number = proof.first, 0
    for number, row in enumerate(rows, 1):
        columns, a, position, b, received_at, c, digest, d, chain, size = _FIXED.unpack_from(row.ljust(_FIXED.size))
        if position != _POSITION.pack(expected):
            previous, expected = None, _misplaced(proof, expected, *_POSITION.unpack(position))
        if (columns, a, b, c, d) == _LENGTHS:
            texts = _FIXED.size + max(size, 0)
            body = row[_FIXED.size : texts]
            is_intact = previous is not None  # after a gap nothing proves the link
            if previous and sha256(b"".join((previous, position, received_at, digest, row[texts:]))).digest() != chain:
                proof.add(expected, "the chain breaks: this event, or its place in the log, was altered")
                is_intact = False
            if size < 0:
                _check_erased(proof, expected, named)
            elif sha256(body).digest() != digest:
                proof.add(expected, "the body was altered: it is not the one that its digest is of")
            elif expected in named:
                proof.add(expected, "an erasure names it, but the body is here: run rosterlog erase --reapply")
            if secrets is not None:
                _check_signature(proof, expected, row, size, secrets, is_intact=is_intact)
            previous = chain
        else:
            proof.add(expected, "a value is missing, or has a length it cannot have")
            previous = None
        expected += 1
        if number % _PROGRESS_EVERY == 0:
            progress(_PROGRESS_EVERY)
    proof.events = number
    progress(number % _PROGRESS_EVERY)


def _misplaced(proof: Proof, expected: int, position: int) -> int:
    """Add the problem of an unexpected position; gives the position at which the pass goes on."""
    if position < expected:
        proof.add(position, "out of place: positions are 1, 2, 3 ... and each is there once")
    elif position == expected + 1:
        proof.add(expected, "missing")
    else:
        proof.add(expected, f"missing, and so is all before position {position}")
    return max(position, 0)


def _check_erased(proof: Proof, position: int, named: Collection[int]) -> None:
    if position in named:
        proof.erased += 1
    else:
        proof.add(position, "the body is gone, and no erasure names it")


def _check_unsigned(proof: Proof, position: int, texts: bytes) -> None:
    """Add the problem of a missing signature, unless rosterlog itself wrote the event."""
    event_type = texts[_LENGTH.size + _LENGTH.unpack_from(texts)[0] :]  # the source, never null, comes before it
    if not event_type[_LENGTH.size :].startswith(OF_OUR_OWN):
        proof.add(position, "no signature")


def _check_signature(
    proof: Proof, position: int, row: bytes, size: int, secrets: Sequence[bytes], *, is_intact: bool
) -> None:
    """Distinguish a wrong signature from one by a secret that is no longer known.

    Every delivery was verified before it was stored, and the chain covers digest and signature: so an intact event
    that none of the secrets signed was signed with another secret.
    """
    texts = _FIXED.size + max(size, 0)
    if row.endswith(_NULL):
        _check_unsigned(proof, position, row[texts:])
        return
    body = row[_FIXED.size : texts]
    signature = row[-64:] if row[-68:-64] == b"\x00\x00\x00\x40" else b""
    if size < 0 or is_signed(body, signature, secrets):
        return
    if not is_intact or sha256(body).digest() != row[_DIGEST] or len(signature) != 64:
        proof.add(position, "signature wrong: none of the secrets made it, and nothing proves the event as it came")
    elif (unknown := proof.unknown_secret) is not None:
        unknown.events += 1
        unknown.first = unknown.first or position
        unknown.last = position
