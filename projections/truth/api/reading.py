"""Reads the lists of an API page by page, as one look: what changes or repeats meanwhile ends it."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from hashlib import sha256

import msgspec

from ingest.cli.terminal import printable
from projections.participants.fields import Fields
from projections.participants.taken import ID_COLUMN
from projections.truth.api.client import ApiAnswer, ApiClient
from projections.truth.api.config import CEILING, EVENT, ApiConfig
from projections.truth.api.pages import ListPage, address_of, first_address, first_place, read_page
from projections.truth.api.unfinished import Reached, Unfinished
from projections.truth.api.waits import http_date
from projections.truth.conclusion import NothingConcluded
from projections.truth.mapping import guessed

_SECOND = timedelta(seconds=1)  # HTTP writes no parts of it
_SLACK = timedelta(seconds=2)  # by which clocks may differ without a second first page
_AGAIN = "nothing is concluded from a list that changes: run it again"


class ListChanged(NothingConcluded):
    """The list is not the one that its first page was of."""


@dataclass(slots=True)
class ListReading:
    """A reading of the lists of some events, or of one list of all. `taken_at`: a moment before its first request.

    `seen`: the ids so far. `digests`: of the pages.
    """

    config: ApiConfig
    client: ApiClient
    fields: Fields
    event_ids: tuple[str, ...] | None
    kept: Unfinished
    seen: set[str] = field(default_factory=set)
    digests: set[bytes] = field(default_factory=set)

    def pages(self, what: str, taken_at: datetime) -> Iterator[Reached]:
        """Read what is left; gives how far it is, at first before the first request, then after each page.

        Raises `Unanswered`, after which the next reading goes on; `NothingConcluded`, after which nothing is kept.
        """
        lists: Sequence[str | None] = [None] if EVENT not in self.config.url else self.event_ids or ()
        reached = self.kept.reached or Reached(what, taken_at, _ceiling(taken_at + _SLACK), first_place(self.config))
        if self.kept.reached is not None:
            self.seen.update(self._ids(self.kept.rows()))
        yield reached
        while reached.lists < len(lists):
            address = first_address(self.config, lists[reached.lists], reached.ceiling)
            reached = self._page(reached, address)
            yield reached

    def _page(self, reached: Reached, address: str) -> Reached:
        if reached.pages >= self.config.limits.pages:
            raise NothingConcluded(
                f"{self.config.place} has more than {self.config.limits.pages} pages: ask for larger ones, or raise "
                "limits.pages"
            )
        place, answer = self._asked(reached, address)
        if not reached.pages:
            date = http_date(answer.headers.get("date", ""))
            timed = _by_clock_of_server(reached, date)
            if CEILING in self.config.url and timed.ceiling != reached.ceiling:
                address = first_address(self.config, self._event_of(reached), timed.ceiling)
                place, answer = self._asked(timed, address)
            reached = timed
        page = read_page(self.config, answer, place, reached.place, reached.rows_of_list)
        self._check_page(page, reached, answer)
        following = self._following(page, reached)
        event_id = self._event_of(reached)
        rows = page.rows if event_id is None else [{**row, EVENT: event_id} for row in page.rows]
        self.kept.add(rows, following)
        return self.kept.reached or following

    def _asked(self, reached: Reached, address: str) -> tuple[str, ApiAnswer]:
        """The page's address, and what it answers."""
        place = address_of(self.config, address, reached.place)
        answer = self.client.get(place)
        self._check_status(answer, reached)
        return place, answer

    def _event_of(self, reached: Reached) -> str | None:
        """The event of the list that is being read; None if it is one of all events."""
        return self.event_ids[reached.lists] if self.event_ids and EVENT in self.config.url else None

    def _check_status(self, answer: ApiAnswer, reached: Reached) -> None:
        if answer.status == 200:
            return
        hint = {
            401: "is the secret right, and of this API?",
            403: "may the client read participants? Ask for its scope",
            404: "is url right? If the list answers so after its last page, give total",
        }.get(answer.status, "is url right?")
        raise NothingConcluded(f"{self.config.place} answers {answer.status} on page {reached.pages + 1}: {hint}")

    def _check_page(self, page: ListPage, reached: Reached, answer: ApiAnswer) -> None:
        number = reached.pages + 1
        digest = sha256(answer.content).digest()
        if page.rows and digest in self.digests:
            raise NothingConcluded(
                f"{self.config.place} answers the same on page {number} as before: it does not take what "
                "pages.parameter or next names; correct these"
            )
        self.digests.add(digest)
        if reached.total is not None and page.total is not None and page.total != reached.total:
            raise ListChanged(
                f"{self.config.place} said that it has {reached.total} rows, and on page {number} {page.total}: the "
                f"list changed while it was read; {_AGAIN}"
            )
        for id_ in self._ids(page.rows):
            if id_ in self.seen:
                changed = (
                    f"a second time on page {number}: the list changed while it was read; {_AGAIN}, or let its order "
                    "be one that stays, such as by id"
                )
                lists = f"{self.config.place} lists"
                raise ListChanged(f"{lists} {printable(id_)} {changed}", f"{lists} somebody {changed}")
            self.seen.add(id_)

    def _following(self, page: ListPage, reached: Reached) -> Reached:
        """How far the reading is with a page. Raises `NothingConcluded` if it cannot be told whether it is the last."""
        count = reached.rows_of_list + len(page.rows)
        more = {"pages": reached.pages + 1, "rows": reached.rows + len(page.rows)}
        if page.following is not None:
            if page.following == reached.place:
                raise NothingConcluded(f"{self.config.place} names the same page again after page {more['pages']}")
            said = {"place": page.following, "rows_of_list": count, "total": page.total, "said_following": True}
            return msgspec.structs.replace(reached, **more, **said)
        if page.total is not None and page.total != count:
            raise ListChanged(
                f"{self.config.place} says that it has {page.total} rows, and gave {count}: the list changed while it "
                f"was read, or has a filter; {_AGAIN}"
            )
        size = self.config.pages.size
        is_short = size is not None and len(page.rows) < size
        if not (page.says_end or reached.said_following or page.total is not None or is_short):
            raise NothingConcluded(
                f"{self.config.place} does not say on its first page whether there is a next one: correct next or "
                "style, or give size or total, by which a last page is known"
            )
        ended = {"lists": reached.lists + 1, "place": first_place(self.config), "rows_of_list": 0}
        return msgspec.structs.replace(reached, **more, **ended, total=None, said_following=False)

    def _ids(self, rows: Iterator[dict[str, str]] | Sequence[Mapping[str, str]]) -> Iterator[str]:
        """The ids of rows that have one."""
        key: str | None = None
        for row in rows:
            if key is None or key not in row:
                columns = self.config.columns or guessed([*row], self.fields).columns
                key = next((key for key, column in columns.items() if column == ID_COLUMN), None)
            if key is not None and row.get(key, "").strip():
                yield row[key].strip()


def _by_clock_of_server(reached: Reached, date: datetime | None) -> Reached:
    """The reading by the time that the first answer tells.

    `taken_at` is the earlier one of both clocks; the ceiling is the server's, and never before `taken_at`: whoever was
    delivered until then must not be beyond it.
    """
    if date is None:
        return reached
    if date + _SECOND <= reached.taken_at:
        return msgspec.structs.replace(reached, taken_at=date, ceiling=_ceiling(date + _SECOND))
    return msgspec.structs.replace(reached, ceiling=max(reached.ceiling, _ceiling(date + _SECOND)))


def _ceiling(moment: datetime) -> str:
    """The next whole second, as the address gets it."""
    whole = moment.astimezone(UTC).replace(microsecond=0)
    whole += _SECOND if moment.microsecond else timedelta()
    return whole.isoformat().replace("+00:00", "Z")
