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
