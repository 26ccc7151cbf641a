"""A list is read page by page as one look: every style, faults in the middle, what changes, what was begun before."""

import fcntl
import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import FrameType

import pytest

from ingest.failures import WrongUsage
from ingest.simulator.list_server import ListManner, ServedList, served_list
from ingest.simulator.people import person
from projections.truth.api.client import Unanswered
from projections.truth.api.config import EVENT
from projections.truth.api.reading import ListChanged
from projections.truth.api.unfinished import Unfinished
from projections.truth.conclusion import NothingConcluded
from tests.api_lists import BEARER, STYLES, Answer, answering_server, config_in, config_text, read_all

PEOPLE = [person(1, number) for number in range(23)]
IDS = [str(each["id"]) for each in PEOPLE]
TOTAL = 'total = "meta.total"'


@contextmanager
def listed(style: str = "cursor", **more: object) -> Iterator[ServedList]:
    with served_list(PEOPLE, ListManner(style, 5, **more)) as server:  # type: ignore[arg-type] # of a manner
        yield server


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("total", ["", TOTAL])
def test_every_style_of_pages_gives_all_rows_in_their_order(tmp_path: Path, style: str, total: str) -> None:
    with listed(style) as server:
        read = read_all(tmp_path, config_in(tmp_path, config_text(server.url, style, more=total)))
    assert [row["id"] for row in read.rows] == IDS
    assert read.rows[0]["sub_event.name"] == PEOPLE[0]["sub_event"]["name"]  # type: ignore[index] # the simulator's
    asks_once_more = style in ("page", "offset") and not total
    assert read.pages == 5 + asks_once_more
    listing = read.listing
    assert (listing.kind, listing.pages, listing.name) == ("api", read.pages, f"{server.url}/participants")


def test_the_digest_is_of_the_rows_whatever_the_pages_and_the_order_of_keys(tmp_path: Path) -> None:
    digests = set()
    for turned in (False, True):
        people = [dict([*each.items()][:: -1 if turned else 1]) for each in PEOPLE]
        with served_list(people, ListManner(size=5 + turned)) as server:
            read = read_all(tmp_path, config_in(tmp_path, config_text(server.url)))
            digests.add(read.listing.digest())
            assert not read.listing.is_changed
            assert sum(map(len, read.listing.parts())) == 23
    assert len(digests) == 1


@pytest.mark.parametrize("style", STYLES)
def test_answers_429_and_500_in_the_middle_are_waited_out(tmp_path: Path, style: str) -> None:
    with listed(style, troubles=frozenset({"limited", "failing"}), retry_after="7") as server:
        text = config_text(server.url, style, more=TOTAL, rest="[limits]\nrequests_a_second = 1000")
        read = read_all(tmp_path, config_in(tmp_path, text))
    assert [row["id"] for row in read.rows] == IDS
    assert [wait for wait in read.waited.pauses if wait > 0.1] == [7.0, 1.0]


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("total", ["", TOTAL])
def test_a_list_that_changes_between_two_pages_concludes_nothing(tmp_path: Path, style: str, total: str) -> None:
    with listed(style, troubles=frozenset({"changing"})) as server:
        config = config_in(tmp_path, config_text(server.url, style, more=total))
        with pytest.raises(ListChanged, match="the list changed while it was read; nothing is concluded"):
            read_all(tmp_path, config)


def test_a_ceiling_is_frozen_with_the_first_page(tmp_path: Path) -> None:
    people = [{**each, "updated_at": "2026-05-03T10:00:02Z"} for each in PEOPLE]
    people[7]["updated_at"] = "2999-01-01T00:00:00Z"
    with served_list(people, ListManner(size=5)) as server:
        text = config_text(server.url, path="/participants?updated_before={ceiling}", more=TOTAL)
        read = read_all(tmp_path, config_in(tmp_path, text))
    ceilings = {target.partition("updated_before=")[2][:24] for target in server.asked if "/participants" in target}
    assert len(ceilings) == 1
    assert read.ceiling.replace(":", "%3A") == ceilings.pop()
    assert len(read.rows) == 22


@dataclass
class Dated:
    """One page by a server with a clock of its own, and what it was asked for."""

    date: datetime

    def __post_init__(self) -> None:
        self.ceilings: list[str] = []

    def __call__(self, method: str, target: str, _headers: object) -> Answer:
        if method == "POST":
            return 200, {}, b'{"access_token": "t"}'
        self.ceilings.append(target.partition("=")[2].replace("%3A", ":"))
        headers = {"Date": self.date.strftime("%a, %d %b %Y %H:%M:%S GMT")}
        return 200, headers, b'{"data": [{"id": 1}], "meta": {"next_cursor": null}}'


@pytest.mark.parametrize(
    ("behind", "taken", "ceilings"),
    [
        (300, "10:00:00", ["10:05:03", "10:00:01"]),
        (-300, "10:05:00.250000", ["10:05:03", "10:10:01"]),
        (0, "10:05:00.250000", ["10:05:03"]),
    ],
)
def test_the_look_was_taken_before_its_first_request_by_the_earlier_clock(
    tmp_path: Path, behind: int, taken: str, ceilings: list[str]
) -> None:
    now = datetime(2026, 5, 3, 10, 5, 0, 250_000, UTC)
    server = Dated(now - timedelta(seconds=behind))
    with answering_server(server) as url:
        read = read_all(tmp_path, config_in(tmp_path, config_text(url, path="/x?until={ceiling}")), now=now)
    assert read.taken_at.isoformat() == f"2026-05-03T{taken}+00:00"
    assert server.ceilings == [f"2026-05-03T{ceiling}Z" for ceiling in ceilings]


def test_a_reading_that_was_stopped_goes_on_with_the_pages_that_are_left(tmp_path: Path) -> None:
    with listed() as server:
        config = config_in(tmp_path, config_text(server.url, more=TOTAL))
        first = read_all(tmp_path, config, stop_after=2)
        with (tmp_path / "api.toml.rows").open("ab") as rows:
            rows.write(b'{"id": "half a pa')  # as a process that is killed leaves it
        (tmp_path / "api.toml.rows").chmod(0o644)
        asked = len(server.asked)
        whole = read_all(tmp_path, config)
        pages = [target for target in server.asked[asked:] if "/participants" in target]
        assert len(pages) == 3
        assert "cursor=" in pages[0]
        assert [row["id"] for row in whole.rows] == IDS
        assert whole.taken_at == first.taken_at
        assert [path.stat().st_mode & 0o777 for path in tmp_path.glob("api.toml.r*")] == [0o600, 0o600]
        again = read_all(tmp_path, config)  # it is whole, and asks for nothing
        assert (again.rows, len(server.asked)) == (whole.rows, asked + 4)
        assert "simulated" not in (tmp_path / "api.toml.reached").read_text()


def test_a_page_that_comes_again_is_seen_after_a_stop_too(tmp_path: Path) -> None:
    with listed(troubles=frozenset({"changing"})) as server:
        config = config_in(tmp_path, config_text(server.url))
        read_all(tmp_path, config, stop_after=1)
        with pytest.raises(ListChanged, match="a second time on page 2"):
            read_all(tmp_path, config)


def test_an_earlier_reading_of_another_list_or_day_is_not_gone_on_with(tmp_path: Path) -> None:
    now = datetime.now(UTC)
    with listed() as server:
        config = config_in(tmp_path, config_text(server.url))

        def begun(what: str, at: datetime) -> tuple[str | None, bool]:
            read_all(tmp_path, config, stop_after=1, now=now)
            kept = Unfinished(tmp_path / "api.toml", what, at)
            kept.close()
            return kept.why, kept.reached is None

        assert begun(config.digest, now + timedelta(hours=23)) == (None, False)
        assert begun(config.digest, now + timedelta(hours=25)) == ("it is older than a day", True)
        assert begun("another", now) == ("it is of another configuration, or of other events", True)
        read_all(tmp_path, config, stop_after=1, now=now)
        (tmp_path / "api.toml.rows").write_bytes(b"")
        assert begun(config.digest, now) == (None, False)
        rows = tmp_path / "api.toml.rows"
        rows.write_bytes(rows.read_bytes().replace(b":", b"=", 1))
        again = Unfinished(tmp_path / "api.toml", config.digest, now)
        again.close()
        assert (again.why, again.reached) == ("its rows are not whole", None)
        (tmp_path / "api.toml.reached").write_text("{")
        kept = Unfinished(tmp_path / "api.toml", config.digest, now)
        assert kept.why == "it cannot be read"
        with pytest.raises(WrongUsage, match="another rosterlog reconcile reads"):
            Unfinished(tmp_path / "api.toml", config.digest, now)
        kept.discard()
        kept.close()
        assert [*tmp_path.iterdir()] == [tmp_path / "api.toml"]


def test_a_reading_that_another_one_has_just_ended_is_begun_anew(tmp_path: Path) -> None:
    """Two begin at once: the first ends and removes the file, which the second has opened already."""
    now = datetime.now(UTC)
    first = Unfinished(tmp_path / "api.toml", "x", now)
    ended: list[bool] = []

    def ends_before_it_is_locked(_frame: FrameType, event: str, called: object) -> None:
        if event == "c_call" and called is fcntl.flock and not ended:
            ended.append(True)
            first.discard()
            first.close()

    sys.setprofile(ends_before_it_is_locked)
    try:
        second = Unfinished(tmp_path / "api.toml", "x", now)
    finally:
        sys.setprofile(None)
    assert ended
    assert second.rows_file.exists()
    with pytest.raises(WrongUsage, match="another rosterlog reconcile reads"):
        Unfinished(tmp_path / "api.toml", "x", now)
    second.discard()
    second.close()


def test_events_are_read_one_list_after_the_other(tmp_path: Path) -> None:
    with listed() as server:
        config = config_in(tmp_path, config_text(server.url, path="/events/{event_id}/participants", more=TOTAL))
        read_all(tmp_path, config, events=("502", "501"), stop_after=3)
        read = read_all(tmp_path, config, events=("502", "501"))
    expected = [str(each["id"]) for event_id in (502, 501) for each in PEOPLE if each["event_id"] == event_id]
    assert [row["id"] for row in read.rows] == expected
    assert {row[EVENT] for row in read.rows} == {"501", "502"}
    assert all(row[EVENT] == row["event_id"] for row in read.rows)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ({"style": 'style = "page"\nparameter = "nobody_reads"'}, "answers the same on page 2 as before"),
        (
            {"style": 'style = "cursor"\nnext = "meta.following"'},
            "does not say on its first page whether there is a next",
        ),
        ({"style": 'style = "link"', "path": "/participants?x"}, "does not say on its first page"),
        ({"more": 'total = "meta.all"'}, "no number at 'meta.all'"),
        ({"rest": "[limits]\npages = 4"}, "has more than 4 pages"),
        ({"path": "/people"}, "answers 404 on page 1: is url right"),
        ({"rest": "[limits]\nbody_bytes = 500"}, "answers with more than 500 bytes"),
        (
            {"rest": '[columns]\nid = "participant_id"\nnumber = "bib"'},
            "no row has the key 'number' that columns names",
        ),
    ],
)
def test_what_is_not_as_the_file_says_concludes_nothing(tmp_path: Path, text: dict[str, str], said: str) -> None:
    with listed() as server, pytest.raises(NothingConcluded, match=said):
        read_all(tmp_path, config_in(tmp_path, config_text(server.url, **text)))


def test_one_page_that_is_not_full_needs_no_word_of_a_next_one(tmp_path: Path) -> None:
    with served_list(PEOPLE[:3], ListManner("cursor")) as server:
        for style in ('style = "link"\nsize = 4', 'style = "cursor"\nnext = "meta.following"\nsize = 4'):
            assert len(read_all(tmp_path, config_in(tmp_path, config_text(server.url, style))).rows) == 3
            (tmp_path / "api.toml.reached").unlink()
            with pytest.raises(NothingConcluded, match="does not say on its first page"):
                read_all(tmp_path, config_in(tmp_path, config_text(server.url, style.replace("4", "3"))))


def test_a_cursor_that_stands_still_and_a_total_that_is_not_reached_end_it(tmp_path: Path) -> None:
    def answers(method: str, target: str, _headers: object) -> Answer:
        number = len(asked)
        asked.append(target)
        page = {"data": [{"id": number}], "meta": {"next_cursor": None if total else "x", "total": 3}}
        return 200, {}, b'{"access_token": "t"}' if method == "POST" else json.dumps(page).encode()

    asked: list[str] = []
    with answering_server(answers) as url:
        total = False
        with pytest.raises(NothingConcluded, match="names the same page again after page 2"):
            read_all(tmp_path, config_in(tmp_path, config_text(url)))
        (tmp_path / "api.toml.reached").unlink()
        total = True
        with pytest.raises(ListChanged, match="says that it has 3 rows, and gave 1"):
            read_all(tmp_path, config_in(tmp_path, config_text(url, more=TOTAL)))


def test_a_total_that_changes_concludes_nothing_though_the_last_one_is_reached(tmp_path: Path) -> None:
    pages = [
        b'{"data": [{"id": 1}], "meta": {"total": 3, "next_cursor": "x"}}',
        b'{"data": [{"id": 2}], "meta": {"total": 2, "next_cursor": null}}',
    ]
    with answering_server(lambda *_: (200, {}, pages.pop(0))) as url:
        config = config_in(tmp_path, config_text(url, more=TOTAL, entry=BEARER))
        with pytest.raises(ListChanged, match="said that it has 3 rows, and on page 2 2"):
            read_all(tmp_path, config)


def test_the_whole_time_is_bound_and_what_was_read_is_kept(tmp_path: Path) -> None:
    with listed() as server:
        text = config_text(server.url, rest="[limits]\nrequests_a_second = 1\nminutes = 0.05")
        with pytest.raises(Unanswered, match=r"what was read is kept"):
            read_all(tmp_path, config_in(tmp_path, text))
        assert (tmp_path / "api.toml.reached").exists()
