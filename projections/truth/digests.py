"""Digests of what is listed and of the roster, as sets: equal ones mean that the two sides are the same.

What is hashed is the line of each participant: a key and the compared values, in the fold's own spelling. Lines are in
the order of the first five bits of their key's CRC-32, and within these in the order of their bytes; so the digest is
the same in whatever order people come, and is computed a bucket at a time.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

from projections.truth.lines import cells_of, key_of_line, written_line
from projections.truth.values import ListedValues

_LISTED = b"\t\n"  # the end of a line whose last column, `unlisted_at`, is empty


@dataclass(slots=True)
class SetDigests:
    """The digests of both sides. `has_id`: the roster's lines have the id at the end, since the key is another one."""

    values: ListedValues
    has_id: bool = False
    _listed: Any = field(default_factory=sha256)
    _roster: Any = field(default_factory=sha256)

    def add(self, listed: Sequence[bytes], stored: Sequence[bytes]) -> None:
        """Add the next bucket. Whom the roster has as not listed is in no set.

        Of whoever is listed, the roster's values are left out where the list says nothing.
        """
        if self.has_id:
            stored = [line[: line.rindex(b"\t")] + b"\n" for line in stored]
        stored = [line for line in stored if line.endswith(_LISTED)]
        on_roster = {*stored}
        of_file = {*listed}
        # Where both are the same, the line is in the fold's spelling: the roster is.
        alike = sorted(line for line in listed if line in on_roster)
        others = [line for line in listed if line not in on_roster]
        left = [line for line in stored if line not in of_file]
        self._listed.update(b"".join(sorted([*alike, *self._spelled(others, left)])))
        is_once = len(of_file) == len(listed) and len(on_roster) == len(stored)
        same = alike if is_once else sorted(line for line in stored if line in of_file)
        self._roster.update(b"".join(sorted([*same, *self._as_far_as_listed(left, others)])))

    @property
    def listed(self) -> str:
        """Of what is listed, in hexadecimal."""
        return str(self._listed.hexdigest())

    @property
    def roster(self) -> str:
        """Of the roster, in hexadecimal."""
        return str(self._roster.hexdigest())

    def _spelled(self, listed: Sequence[bytes], stored: Sequence[bytes]) -> Iterator[bytes]:
        by_key = {key_of_line(line): line for line in stored}
        for line in listed:
            key, *cells = cells_of(line)
            partner = by_key.get(key_of_line(line))
            alike = () if partner is None else cells_of(partner)[1:]
            yield written_line((key, *self.values.spelled(cells, alike)))

    def _as_far_as_listed(self, stored: Sequence[bytes], listed: Sequence[bytes]) -> Iterator[bytes]:
        times = Counter(map(key_of_line, listed))
        by_key = {key_of_line(line): line for line in listed}
        for line in stored:
            partner = by_key.get(key_of_line(line))
            if partner is None or times[key_of_line(line)] > 1:
                yield line
                continue
            key, *cells = cells_of(line)
            yield written_line((key, *self.values.said_by(cells_of(partner)[1:], cells)))
