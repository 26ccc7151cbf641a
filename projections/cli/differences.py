"""How the differences of a comparison are printed, and written as CSV. Nobody's data are printed: ids and columns."""

from collections.abc import Callable, Mapping, Sequence

import click

from ingest.cli.terminal import printable, say, utc
from ingest.log.observe import Fate
from projections.roster.export.guard import guarded
from projections.roster.export.lines import csv_line
from projections.truth.apply import AppliedLook
from projections.truth.comparison import FileLook
from projections.truth.drift import MOST_SHOWN, DriftKind, DriftTally, RosterDifference
from projections.truth.expected import RosterCount
from projections.truth.inner import InnerCount, Whereabouts

_HINDERED = {
    Fate.OVERTAKEN: "something newer about them arrived meanwhile",
    Fate.WITHHELD: "they were erased meanwhile",
}
_LISTS = {"file": "file", "api": "list"}
_TITLES = ("kind", "because", "participant_id", "row", "column", "listed", "on_roster")


def difference_lines(write: Callable[[bytes], None]) -> Callable[[RosterDifference], None]:
    """Begins a CSV; gives what writes a difference to it, in a line per column."""
    write(csv_line(_TITLES, ",").encode())

    def write_one(difference: RosterDifference) -> None:
        why = None if difference.why is None else difference.why.value
        begin = (difference.kind.value, why, guarded(difference.participant_id or ""), difference.row)
        columns: Sequence[tuple[str, str, str]] = [
            (column, guarded(listed), guarded(stored)) for column, (listed, stored) in difference.columns.items()
        ]
        for cells in columns or [("", "", "")]:
            write(csv_line((*begin, *cells), ",").encode())

    return write_one


def say_look(look: FileLook, *, is_own_time: bool) -> None:
    """What is compared: the file, when it was taken, which column each heading is."""
    whose = "when it was changed last" if is_own_time else "as --taken-at says"
    say(f"{printable(str(look.listing.path))}: {look.listing.form}; taken at {utc(look.taken_at)}, {whose}")
    say_headings(look.columns)


def say_headings(columns: Mapping[str, str]) -> None:
    """Which column each heading is."""
    for heading, column in columns.items():
        say(f"  {printable(heading)}: {column or 'not compared'}")


def print_tally(tally: DriftTally, scope: str) -> None:
    """How many there are of each kind, and some of them by their ids."""
    click.echo(f"{scope} at position {tally.position}: {tally.rows} listed, {tally.on_roster} on the roster")
    click.echo(f"agreeing {tally.agreeing}")
    for kind in DriftKind:
        click.echo(f"{kind.value} {tally.kinds[kind]}")
        if kind is DriftKind.STALE:
            _print_counts(tally.columns)
        elif kind is DriftKind.UNLISTED and tally.written_down:
            click.echo(f"  besides, {tally.written_down} of whom it is written down already that they are not listed")
        elif kind is DriftKind.UNKNOWABLE:
            _print_counts({why.value: number for why, number in tally.reasons.items()})
        _print_examples(tally.examples_of(kind))
    for column, number in tally.unreadable.most_common():
        click.echo(f"{number} values of {column} could not be read, so they were not compared")


def tally_line(tally: DriftTally, applied: AppliedLook | None, scope: str) -> str:
    """All that a comparison found in one line."""
    parts = [f"{kind.value} {tally.kinds[kind]}" for kind in DriftKind]
    agrees = tally.agrees if applied is None else applied.agrees
    if applied is not None:
        parts.append(
            f"written down {applied.fates[Fate.APPENDED]}, with the observation at position {applied.position}"
        )
    return f"{scope} at position {tally.position}: {'agrees' if agrees else 'DIFFERS'}, {', '.join(parts)}"


def print_agreement(tally: DriftTally, kind: str = "file") -> None:
    """Whether list and roster agree. `kind`: of the list."""
    does = "agrees" if tally.agrees else "does not agree"
    click.echo(f"the roster {does} with the {_LISTS[kind]}")


def print_applied(applied: AppliedLook, kind: str = "file") -> None:
    """What was written down, what was not and why, and what is left."""
    click.echo(f"written down: {applied.fates[Fate.APPENDED]}")
    for fate, why in _HINDERED.items():
        if applied.fates[fate]:
            click.echo(f"{applied.fates[fate]} not written down: {why}")
    for reason, number in applied.left.items():
        click.echo(f"{number} not written down: {reason.value}")
    missing = applied.missing_without_id
    if missing:
        click.echo(
            f"{missing} missing are not written down: without an id, nobody erased can be told from somebody new"
        )
    if applied.after.unlisted:
        click.echo(f"{applied.after.unlisted} unlisted are not written down: {_why_not_gone(applied)}")
    click.echo(f"the observation is at position {applied.position}; the roster follows once that is folded")
    does = "agrees with" if applied.agrees else "still differs from"
    click.echo(f"the roster then {does} the {_LISTS[kind]}")


def _why_not_gone(applied: AppliedLook) -> str:
    if applied.unplaced:
        return f"{applied.unplaced} rows could be of any of them; in a file with all ids, none could"
    return "one look does not prove that they are gone; a second one, taken an hour later or more, does"


def _print_counts(counts: Mapping[str, int]) -> None:
    for name, number in sorted(counts.items(), key=lambda count: (-count[1], count[0])):
        click.echo(f"  {name}: {number}")


def _print_examples(examples: Sequence[RosterDifference]) -> None:
    known = [example for example in examples if example.participant_id is not None]
    rows = [str(example.row) for example in examples if example.row is not None]
    if known:
        shown = ", ".join(printable(example.participant_id) for example in known)
        click.echo(f"  such as {shown}" if len(examples) == MOST_SHOWN else f"  {shown}")
    if rows:
        click.echo(f"  row{'s' if len(rows) > 1 else ''} {', '.join(rows)} of the file")


def print_number(count: RosterCount, expected: int, scope: str) -> None:
    """How many are on the roster, beside the number that was given."""
    click.echo(f"{scope} at position {count.position}: {expected} expected, {count.people} on the roster")
    for status, people in count.by_status.items():
        click.echo(f"  {printable(status) or 'without a status'}: {people}")
    if count.unlisted:
        click.echo(f"besides, {count.unlisted} of whom it is written down that they are not listed")
    click.echo("the number agrees" if count.people == expected else "the number does not agree")


def print_count(count: InnerCount) -> None:
    """The arithmetic of one source, and whom it does not add up for."""
    parts = [
        f"{count.parts[part]} {part.value}" for part in (Whereabouts.PARKED, Whereabouts.ERASED, Whereabouts.PASSED)
    ]
    if count.parts[Whereabouts.LOST]:
        parts.append(f"{count.parts[Whereabouts.LOST]} {Whereabouts.LOST.value}")
    on_roster = count.on_roster - count.parts[Whereabouts.UNNAMED]
    click.echo(
        f"{count.source} at position {count.position}: {count.named} named by the log = "
        f"{' + '.join([f'{on_roster} on the roster', *parts])}"
    )
    for part, ids in count.ids.items():
        more = " and more" if count.parts[part] > len(ids) else ""
        click.echo(f"  {count.parts[part]} {part.value}: {', '.join(map(printable, ids))}{more}")
    click.echo(f"{count.source}: complete" if count.is_complete else f"{count.source}: NOT COMPLETE")
