"""What a page of a list says: its rows, how many there are in all, where the next page is. Pure."""

import re
from collections.abc import Mapping
from typing import NamedTuple
from urllib.parse import parse_qsl, quote, urlencode, urljoin, urlsplit, urlunsplit

from ingest.exact_json import read_json
from projections.truth.api.client import ApiAnswer
from projections.truth.api.config import CEILING, EVENT, ApiConfig, PageStyle
from projections.truth.conclusion import NothingConcluded
from projections.truth.json_rows import cells_by_key

_LINK = re.compile(r'<([^>]*)>((?:\s*;\s*[\w*!-]+\s*=\s*(?:"[^"]*"|[^",;\s]*))*)')
_REL = re.compile(r';\s*rel\s*=\s*(?:"([^"]*)"|([^",;\s]*))', re.IGNORECASE)
_NO_KEY = object()


class ListPage(NamedTuple):
    """`rows`: as cells by key. `following`: what stands for the next page, None for none.

    `says_end`: whether the page itself says that there is none.
    """

    rows: list[dict[str, str]]
    total: int | None
    following: str | None
    says_end: bool


def first_address(config: ApiConfig, event_id: str | None, ceiling: str) -> str:
    """The address of a list without what stands for one page. `ceiling`: a time, for what must not change meanwhile."""
    address = config.url.replace(EVENT, quote(event_id or "", safe="")).replace(CEILING, quote(ceiling, safe=""))
    pages = config.pages
    if pages.size_parameter is not None:
        address = _with_parameter(address, pages.size_parameter, str(pages.size))
    return address


def first_place(config: ApiConfig) -> str:
    """What stands for the first page; an empty text where the address alone does."""
    return {PageStyle.NUMBER: str(config.pages.first), PageStyle.OFFSET: "0"}.get(config.pages.style, "")


def address_of(config: ApiConfig, address: str, place: str) -> str:
    """The address of the page that `place` stands for."""
    if not place:
        return address
    if config.pages.style is PageStyle.LINK or config.pages.parameter is None:
        return place
    return _with_parameter(address, config.pages.parameter, place)


def read_page(config: ApiConfig, answer: ApiAnswer, address: str, place: str, rows_before: int) -> ListPage:
    """What an answer says. `rows_before`: how many rows the earlier pages had. Raises `NothingConcluded`."""
    try:
        body = read_json(answer.content)
        rows = _rows_in(config, body)
    except (ValueError, RecursionError):
        raise NothingConcluded(
            f"{config.place} answers with no JSON, or with one too deep: is url the list's address?"
        ) from None
    if len(rows) > config.limits.page_rows:
        raise NothingConcluded(
            f"{config.place} has a page of {len(rows)} rows: ask for smaller pages, or raise limits.page_rows"
        )
    total = _total(config, body)
    following, says_end = _following(config, body, answer.headers, address)
    if config.pages.style is PageStyle.NUMBER:
        following, says_end = (str(int(place) + 1), False) if rows else (None, True)
    elif config.pages.style is PageStyle.OFFSET:
        following, says_end = (str(rows_before + len(rows)), False) if rows else (None, True)
    if config.pages.style in (PageStyle.NUMBER, PageStyle.OFFSET) and total == rows_before + len(rows):
        following, says_end = None, True
    return ListPage(rows, total, following, says_end)


def _rows_in(config: ApiConfig, body: object) -> list[dict[str, str]]:
    rows = _value_at(body, config.items)
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        where = f"at {config.items!r} of its answer" if config.items else "in its answer"
        keys = f"; it has {', '.join(map(repr, body))}" if isinstance(body, dict) else ""
        lacks = f"{config.place} has no list of objects {where}: correct items"
        raise NothingConcluded(f"{lacks}{keys}", lacks)
    return [*map(cells_by_key, rows)]


def _following(config: ApiConfig, body: object, headers: Mapping[str, str], address: str) -> tuple[str | None, bool]:
    """What stands for the next page, and whether a missing one is said to be missing."""
    if config.pages.style is PageStyle.LINK:
        link = _next_link(headers.get("link", ""))
        return (urljoin(address, link), False) if link else (None, "link" in headers)
    if config.pages.following is None:
        return None, False
    said = _value_at(body, config.pages.following)
    if said is None or said is False or said == "":
        return None, True
    if isinstance(said, str | int) and said is not True:
        return (str(said) if config.pages.parameter is not None else urljoin(address, str(said))), False
    if said is _NO_KEY:
        return None, False
    raise NothingConcluded(f"{config.place} has no cursor at {config.pages.following!r} of its answer: correct next")


def _total(config: ApiConfig, body: object) -> int | None:
    if config.total is None:
        return None
    total = _value_at(body, config.total)
    if isinstance(total, bool) or not isinstance(total, int) or total < 0:
        raise NothingConcluded(f"{config.place} has no number at {config.total!r} of its answer: correct total")
    return total


def _value_at(body: object, path: str) -> object:
    """What is at a path of keys with dots between; `_NO_KEY` if nothing is."""
    for key in path.split(".") if path else ():
        if not isinstance(body, dict) or key not in body:
            return _NO_KEY
        body = body[key]
    return body


def _next_link(header: str) -> str | None:
    """The address of the header `Link` that has the relation `next` (RFC 8288)."""
    for address, parameters in _LINK.findall(header):
        relation = _REL.search(parameters)
        if relation is not None and "next" in (relation[1] or relation[2] or "").lower().split():
            return str(address)
    return None


def _with_parameter(address: str, name: str, value: str) -> str:
    """The address with a parameter of its query set."""
    parts = urlsplit(address)
    query = [(key, old) for key, old in parse_qsl(parts.query, keep_blank_values=True) if key != name]
    return urlunsplit(parts._replace(query=urlencode([*query, (name, value)])))
