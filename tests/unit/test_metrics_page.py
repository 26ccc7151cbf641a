"""The page of metrics: written once for all that scrape meanwhile, beside the requests, in a format that there is."""

import asyncio
from collections.abc import Iterable

from starlette.requests import Request

from ingest.metrics import HEAD, Reading
from ingest.web.metrics import Metrics

MANY = [Reading(HEAD, (f"source{number}",), 1.0) for number in range(20_000)]


def scrape(accept: str = "") -> Request:
    return Request({"type": "http", "headers": [(b"accept", accept.encode())]})


def test_many_scrapes_at_once_cost_one_page_and_leave_the_loop_to_the_deliveries() -> None:
    reads: list[int] = []

    def read() -> Iterable[Reading]:
        reads.append(1)
        return MANY

    async def run() -> int:
        metrics, turns = Metrics([read], None), 0
        scraping = asyncio.gather(*(metrics.answer(scrape()) for _ in range(20)))
        while not scraping.done():
            turns += 1
            await asyncio.sleep(0)
        assert {len(answer.body) for answer in await scraping} == {len((await scraping)[0].body)}
        return turns

    assert asyncio.run(run()) > 100
    assert len(reads) < 10


def test_a_page_is_of_the_format_that_was_asked_for_and_not_of_the_one_before() -> None:
    async def run() -> list[str]:
        metrics = Metrics([lambda: MANY], None)
        accepted = ("", "application/openmetrics-text;version=1.0.0", "")
        answers = [await metrics.answer(scrape(accept)) for accept in accepted]
        for answer in answers:
            is_open = answer.headers["content-type"].startswith("application/openmetrics-text")
            assert bytes(answer.body).endswith(b"# EOF\n") is is_open
        return [answer.headers["content-type"].partition(";")[0] for answer in answers]

    assert asyncio.run(run()) == ["text/plain", "application/openmetrics-text", "text/plain"]
