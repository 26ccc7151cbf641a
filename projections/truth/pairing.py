"""Pairs the lines of a bucket by their keys, and leaves out those that are equal on both sides."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from ingest.cli.terminal import printable
from projections.truth.conclusion import NothingConcluded
from projections.truth.drift import Why
from projections.truth.lines import cells_of, key_of_line


class Pair(NamedTuple):
    """What is listed and what the roster has of one participant, as values without the key; None: nothing.

    `why`: what hinders that they are compared.
    """

    participant_id: str | None
    listed: list[str] | None
    stored: list[str] | None
    why: Why | None = None


class Paired(NamedTuple):
    """`equal`: how many are alike on both sides."""

    equal: int
    pairs: list[Pair]


def paired_by_id(listed: Sequence[bytes], stored: Sequence[bytes]) -> Paired:
    """The pairs of a bucket of which the key is the id. Raises `NothingConcluded` if an id is listed twice."""
    if len({*map(key_of_line, listed)}) != len(listed):
        raise NothingConcluded(f"the file lists {_first_twice(listed)} twice: a list of participants has each id once")
    same = {*listed}.intersection(stored)
    left = {key_of_line(line): line for line in stored if line not in same}
    pairs = []
    for line in listed:
        if line not in same:
            id_, *cells = cells_of(line)
            other = left.pop(key_of_line(line), None)
            pairs.append(Pair(id_, cells, None if other is None else cells_of(other)[1:]))
    for line in left.values():
        id_, *cells = cells_of(line)
        pairs.append(Pair(id_, None, cells))
    return Paired(len(same), _in_order(pairs))


def paired_by_key(listed: Sequence[bytes], stored: Sequence[bytes]) -> Paired:
    """The pairs of a bucket of which the key is another one. The last cell of `stored` is the id."""
    of_file: dict[bytes, list[bytes]] = defaultdict(list)
    of_roster: dict[bytes, list[bytes]] = defaultdict(list)
    for line in listed:
        of_file[key_of_line(line)].append(line)
    for line in stored:
        of_roster[key_of_line(line)].append(line)
    pairs: list[Pair] = []
    for key in of_file.keys() | of_roster.keys():
        pairs += _pairs_of(of_file.get(key, ()), of_roster.get(key, ()))
    differing = [pair for pair in pairs if pair.why or pair.listed != pair.stored]
    return Paired(len(pairs) - len(differing), _in_order(differing))


def _in_order(pairs: list[Pair]) -> list[Pair]:
    """In the order of the ids, so that the same comparison always says the same."""
    return sorted(pairs, key=lambda pair: (pair.participant_id or "", pair.listed or ()))


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


def _first_twice(lines: Sequence[bytes]) -> str:
    seen: set[bytes] = set()
    for line in lines:
        key = key_of_line(line)
        if key in seen:
            return printable(cells_of(line)[0])
        seen.add(key)
    return ""
