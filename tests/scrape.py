"""Reads what `/metrics` answers, with the parser of the library that scrapers use."""

import http.client
from contextlib import closing

from prometheus_client.parser import text_string_to_metric_families

LATEST_SECONDS = 10.0  # a scraper gives up then; the answer comes within one, whatever the database does

Samples = dict[str, float]


def scraped(port: int, token: str | None = None) -> tuple[int, str]:
    """The status and the text."""
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=LATEST_SECONDS)) as connection:
        connection.request("GET", "/metrics", headers={"Authorization": f"Bearer {token}"} if token else {})
        answer = connection.getresponse()
        return answer.status, answer.read().decode()


def samples(text: str) -> Samples:
    """Every sample by its name and the values of its labels, such as `rosterlog_quarantined_events movemint`."""
    return {
        " ".join([sample.name, *(value for _, value in sorted(sample.labels.items()))]): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def metrics_of(port: int) -> Samples:
    """The samples of a port that asks for no token."""
    status, text = scraped(port)
    assert status == 200, text
    return samples(text)
