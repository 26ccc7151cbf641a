"""A list that was read at two times is compared, and says of nobody that they are gone, unless a ceiling holds it."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

import pytest

from projections.cli.api_options import ApiOptions, api_look
from projections.cli.file_options import FileOptions
from projections.participants.fields import DECLARED
from projections.truth.api.client import Unanswered
from tests.api_lists import BEARER, SECRETS, Answer, answering_server, config_text


@pytest.mark.parametrize(("path", "holds"), [("/p", False), ("/p?until={ceiling}", True)])
def test_a_reading_that_goes_on_is_a_look_of_one_time_only_under_a_ceiling(
    tmp_path: Path, path: str, *, holds: bool
) -> None:
    fails = True

    def answering(_method: str, target: str, _headers: Mapping[str, str]) -> Answer:
        is_second = "page=2" in target
        if is_second and fails:
            return 503, {}, b""
        return 200, {}, json.dumps({"data": [{"id": 1 + is_second}], "total": 2}).encode()

    def is_of_one_time() -> bool:
        options = ApiOptions(tmp_path / "api.toml")
        with api_look(options, FileOptions(), None, None, DECLARED, lambda: datetime.now(UTC), SECRETS) as (look, _):
            return look.is_of_one_time

    with answering_server(answering) as url:
        text = config_text(
            url, "page", path=path, more='total = "total"', entry=BEARER, rest="[limits]\nattempts = 1\n"
        )
        (tmp_path / "api.toml").write_text(text)
        with pytest.raises(Unanswered):
            is_of_one_time()
        fails = False
        assert is_of_one_time() is holds
        assert is_of_one_time()


@pytest.mark.parametrize("says_event", [False, True])
def test_rows_of_several_lists_are_of_the_event_that_was_asked_for(tmp_path: Path, *, says_event: bool) -> None:
    def answering(_method: str, target: str, _headers: Mapping[str, str]) -> Answer:
        event_id = target.split("/")[2].partition("?")[0]
        row = {"id": f"of-{event_id}", "bib": 7} | ({"event": {"id": event_id}} if says_event else {})
        return 200, {}, json.dumps({"data": [row], "total": 1}).encode()

    with answering_server(answering) as url:
        (tmp_path / "api.toml").write_text(
            config_text(url, "page", path="/events/{event_id}", more='total = "total"', entry=BEARER)
        )
        options = ApiOptions(tmp_path / "api.toml")
        events = ("501", "502")
        with api_look(options, FileOptions(), events, None, DECLARED, lambda: datetime.now(UTC), SECRETS) as (look, _):
            columns = [look.columns.get(heading) for heading in look.listing.headings]
            place = columns.index("event_id")
            listed = [(row[columns.index("participant_id")], row[place]) for row in look.listing.rows()]
            assert listed == [("of-501", "501"), ("of-502", "502")]
            assert columns.count("event_id") == 1
            assert (look.listing.headings[place] == "{event_id}") is not says_event
