"""Digests of both sides: the same for the same sets, in whatever order and spelling people come; others for others."""

import random
from collections.abc import Sequence
from hashlib import sha256
from zlib import crc32

import pytest

from projections.participants.fields import DECLARED
from projections.truth.buckets import BUCKETS, LineBuckets
from projections.truth.cells import converting, date_forms
from projections.truth.digests import SetDigests
from projections.truth.lines import written_line
from projections.truth.values import UNLISTED_AT, ListedValues

COLUMNS = ("bib", "dob", "registered_at", UNLISTED_AT)
VALUES = ListedValues(COLUMNS, converting(DECLARED, date_forms("DD/MM/YYYY")), frozenset({UNLISTED_AT, "bib"}))
Row = tuple[str, ...]
PEOPLE = [(str(number), f"b{number}", "1990-05-06", "2026-05-01T10:00:00.5Z", "") for number in range(1, 200)]
LISTED = [(id_, bib, "06/05/1990", "2026-05-01T12:00:00.500+02:00", "") for id_, bib, *_ in PEOPLE]


def digests(listed: Sequence[Row], stored: Sequence[Row], *, has_id: bool = False) -> tuple[str, str]:
    of_file, of_roster = LineBuckets(), LineBuckets()
    of_file.add([*map(written_line, listed)])
    of_roster.add([*map(written_line, stored)])
    taken = SetDigests(VALUES, has_id)
    for bucket in range(BUCKETS):
        taken.add(of_file.lines(bucket), of_roster.lines(bucket))
    return taken.listed, taken.roster


def test_the_same_people_have_the_same_digest_however_they_are_spelled_and_ordered() -> None:
    for listed in (PEOPLE, LISTED, random.sample(LISTED, len(LISTED)), [*PEOPLE[:100], *LISTED[100:]]):
        [*equal] = digests(listed, random.sample(PEOPLE, len(PEOPLE)))
        assert equal[0] == equal[1] == digests(PEOPLE, [])[0]
    with_ids = [(*row, f"id {row[0]}") for row in PEOPLE]
    assert digests(LISTED, with_ids, has_id=True) == digests(LISTED, PEOPLE)


def test_the_digest_is_that_of_the_lines_in_a_documented_order() -> None:
    lines = [written_line(row) for row in PEOPLE]
    lines.sort(key=lambda line: (crc32(line.split(b"\t")[0]) >> 27, line))
    assert digests(LISTED, [])[0] == sha256(b"".join(lines)).hexdigest()


@pytest.mark.parametrize(
    ("listed", "stored"),
    [
        ([("1", "x", *LISTED[0][2:]), *LISTED[1:]], PEOPLE),
        ([("1", "", *LISTED[0][2:]), *LISTED[1:]], PEOPLE),  # an empty bib says that there is none
        ([(*LISTED[0][:3], "2026-05-01T10:00:00.5001Z", ""), *LISTED[1:]], PEOPLE),
        (LISTED[1:], PEOPLE),
        ([*LISTED, ("200", *LISTED[0][1:])], PEOPLE),
        ([(*LISTED[0][:2], "31/02/1990", *LISTED[0][3:]), *LISTED[1:]], PEOPLE),
        ([LISTED[0], *LISTED], PEOPLE),
        (LISTED, [(*PEOPLE[0][:4], "2026-05-01T10:00:00Z"), *PEOPLE[1:]]),  # listed, and unlisted on the roster
    ],
)
def test_others_have_another_digest(listed: Sequence[Row], stored: Sequence[Row]) -> None:
    of_list, of_roster = digests(listed, stored)
    assert of_list != of_roster


def test_what_a_list_does_not_say_is_not_in_the_digest() -> None:
    silent = [("1", *LISTED[0][1:2], "", *LISTED[0][3:]), *LISTED[1:]]
    of_list, of_roster = digests(silent, PEOPLE)
    assert of_list == of_roster != digests(PEOPLE, [])[0]
    # Whoever is not listed, and was observed not to be, is in neither set.
    assert digests(LISTED[1:], [(*PEOPLE[0][:4], "2026-05-01T10:00:00Z"), *PEOPLE[1:]]) == digests(
        PEOPLE[1:], PEOPLE[1:]
    )
