"""Pairs the lines of a bucket by their keys, and leaves out those that are equal on both sides."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import NamedTuple

from ingest.cli.terminal import printable
from projections.truth.conclusion import NothingConcluded
from projections.truth.drift import Why
from projections.truth.lines import cells_of, key_of_line


class ListedTwice(NothingConcluded):
    """An id is listed twice."""

    def __init__(self, id_: str) -> None:
        super().__init__(
            f"the file lists {printable(id_)} twice, and a list of participants has each id once: export it again with "
            "one row per person, or let another heading be the id (--map)"
        )


class Pair(NamedTuple):
    """What is listed and what the roster has of one participant, as values without the key; None: nothing.

    `why`: what hinders that they are compared. `outside`: the event in which the roster has somebody of another scope.
    """

    participant_id: str | None
    listed: list[str] | None
    stored: list[str] | None
    why: Why | None = None
    outside: str | None = None


class Paired(NamedTuple):
    """`equal`: how many lines are alike on both sides. `pairs`: of the other lines, some of which may be alike, too."""

    equal: int
    pairs: Iterator[Pair]


def paired_by_id(listed: Sequence[bytes], stored: Sequence[bytes]) -> Paired:
    """The pairs of a bucket of which the key is the id. Raises `ListedTwice` for most ids that are listed twice.

    It does not see an id that is listed once as it is on the roster and once otherwise: the other one has no partner,
    though it is on the roster.
    """
    every = {*listed}
    if len(every) != len(listed):
        raise ListedTwice(first_listed_twice(listed))
    left = every.difference(stored)
    return Paired(len(every) - len(left), _pairs_by_id(left, [line for line in stored if line not in every]))


def _pairs_by_id(listed: Collection[bytes], stored: Sequence[bytes]) -> Iterator[Pair]:
    if len({*map(key_of_line, listed)}) != len(listed):
        raise ListedTwice(first_listed_twice(listed))
    left = {key_of_line(line): line for line in stored}
    for line in sorted(listed):
        id_, *cells = cells_of(line)
        other = left.pop(key_of_line(line), None)
        yield Pair(id_, cells, None if other is None else cells_of(other)[1:])
    for line in sorted(left.values()):
        id_, *cells = cells_of(line)
        yield Pair(id_, None, cells)


def paired_by_key(listed: Sequence[bytes], stored: Sequence[bytes]) -> Paired:
    """The pairs of a bucket of which the key is another one. The last cell of `stored` is the id."""
    of_file: dict[bytes, list[bytes]] = defaultdict(list)
    of_roster: dict[bytes, list[bytes]] = defaultdict(list)
    for line in sorted(listed):
        of_file[key_of_line(line)].append(line)
    for line in sorted(stored):
        of_roster[key_of_line(line)].append(line)
    keys = sorted(of_file.keys() | of_roster.keys())
    return Paired(0, (pair for key in keys for pair in _pairs_of(of_file.get(key, ()), of_roster.get(key, ()))))


def _pairs_of(listed: Sequence[bytes], stored: Sequence[bytes]) -> Iterator[Pair]:
    """The pairs of one key. Who is who is never guessed."""
    on_roster = [cells_of(line)[1:] for line in stored]
    if not listed:
        without_key = bool(stored) and not key_of_line(stored[0])
        why = Why.WITHOUT_KEY if without_key else None
        yield from (Pair(cells[-1], None, cells[:-1], why) for cells in on_roster)
    elif len(listed) == 1 and not stored:
        yield Pair(None, cells_of(listed[0])[1:], None)
    elif len(listed) == len(stored) == 1:
        yield Pair(on_roster[0][-1], cells_of(listed[0])[1:], on_roster[0][:-1])
    elif stored:
        yield from (Pair(cells[-1], None, cells[:-1], why=Why.AMBIGUOUS) for cells in on_roster)
    else:
        yield from (Pair(None, cells_of(line)[1:], None, why=Why.AMBIGUOUS) for line in listed)


def first_listed_twice(listed: Iterable[bytes]) -> str:
    """The first id that lines have twice, in the order of the lines."""
    seen: set[str] = set()
    for id_, *_ in map(cells_of, sorted(listed)):
        if id_ in seen:
            return id_
        seen.add(id_)
    return ""
