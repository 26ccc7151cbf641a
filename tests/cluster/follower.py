"""A program that keeps a copy of the roster by `/v1/changes` alone, through any failover."""

from typing import Any

from tests.program import get


class Follower:
    """`resets`: how often it was told to begin again."""

    def __init__(self, port: int, token: str) -> None:
        self._port, self._token = port, token
        self._after = "0"
        self.copy: dict[str, Any] = {}
        self.resets = 0

    def catch_up(self) -> None:
        is_last = False
        while not is_last:
            status, _, page = get(self._port, f"/v1/changes?limit=500&after={self._after}", self._token)
            assert status == 200, page
            for change in page["data"]:
                self._apply(change)
            self._after, is_last = page["after"], page["next"] is None

    def is_right(self) -> bool:
        """Whether its copy is the roster."""
        status, _, page = get(self._port, "/v1/participants?limit=1000", self._token)
        assert (status, page["next"]) == (200, None)
        return {row["participant_id"]: row for row in page["data"]} == self.copy

    def _apply(self, change: dict[str, Any]) -> None:
        if change["change"] == "reset":
            self.copy.clear()
            self.resets += 1
        elif change["change"] == "removed":
            self.copy.pop(change["participant_id"], None)
        else:
            self.copy[change["participant_id"]] = change["participant"]
