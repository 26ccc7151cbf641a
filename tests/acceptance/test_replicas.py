"""Reading from replicas: what is away or far behind is left out by itself; the rest is in `tests/cluster`."""

from collections.abc import Iterator

import pytest

from tests.program import until
from tests.replicated import Replicated, read_at, register, replicated

pytestmark = pytest.mark.acceptance


@pytest.fixture(scope="module")
def site() -> Iterator[Replicated]:
    with replicated() as site:
        yield site


@pytest.fixture(autouse=True)
def _whole(site: Replicated) -> Iterator[None]:
    yield
    until(site.is_whole)


def test_a_replica_that_is_far_behind_is_left_out_said_and_taken_again(site: Replicated) -> None:
    first, _ = site.standbys
    first.pause()
    position = register(site, "paused")
    until(lambda: read_at(site) == position)
    assert site.is_read_from("replica 2")
    assert "replica 1 of READ_DATABASE_URL: it is " in str(site.detail())
    assert site.left_out() == [1, 0]
    first.resume()
    until(site.is_whole)
    assert site.left_out() == [0, 0]
    assert [line for line in site.api.lines if "replica taken again" in line]
    assert read_at(site) == position


def test_without_any_server_to_read_from_the_reason_is_answered(site: Replicated) -> None:
    until(lambda: site.answer()[0] == 200)
    for way in site.ways:
        way.refuses = True
        way.cut()
    until(lambda: site.answer()[2].get("code") == "nothing_to_read")
    status, headers, content = site.answer()
    assert (status, headers["retry-after"]) == (503, "2")
    assert "replica 1: it does not answer; replica 2: it does not answer; DATABASE_URL: it does" in content["detail"]
    for way in site.ways[:2]:
        way.refuses = False
    until(lambda: site.answer()[0] == 200)
    site.ways[2].refuses = False
