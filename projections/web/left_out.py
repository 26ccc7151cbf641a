"""Which of the servers that the roster can be read from are left out, and why: by what looks at them found. Pure."""

from collections.abc import Mapping, Sequence

from projections.web.lag import Lag
from projections.web.server_place import ServerPlace

_MORE_KEPT_SECONDS = 60.0  # that the primary's positions are kept longer than a replica may be behind


class LeftOut:
    """`replicas`: their names. `primary`: the name of the database that they follow; None if it is not looked at.

    `most_behind`: seconds, after which a replica is left out; 0: none is, whatever it is behind.
    """

    def __init__(self, replicas: Sequence[str], primary: str | None, most_behind: float) -> None:
        self._replicas = replicas
        self._primary = primary
        self._most_behind = most_behind
        self._lag = Lag(most_behind + _MORE_KEPT_SECONDS)
        self._behind: dict[str, float] = {}  # seconds by name, as of the last look at which the primary answered
        self.why: dict[str, str] = {}  # by name, of those that are left out

    def look(self, places: Mapping[str, ServerPlace | None], now: float) -> None:
        """Learn where each server was found; None: it did not answer. `now`: seconds of a monotonic clock."""
        self._compare(places, now)
        for name, place in places.items():
            self._judge(name, place)

    def _compare(self, places: Mapping[str, ServerPlace | None], now: float) -> None:
        """Compare the replicas with the primary, else with the one that is furthest. While the primary is away, what
        was found before stays: nobody can tell how far it had got.
        """
        if self._primary is None:
            placed = [place for place in places.values() if place is not None and place.position is not None]
            first = max(placed, key=lambda place: place.position or 0, default=None)
        else:
            first = places[self._primary]
        if first is None or first.position is None or (first.is_replica and self._primary is not None):
            return
        self._lag.note(first.position, now)
        for name in self._replicas:
            place = places[name]
            if place is None or place.position is None or place.system != first.system:
                self._behind.pop(name, None)
            else:
                self._behind[name] = self._lag.seconds(place.position, now, place.since_replayed)

    def _judge(self, name: str, place: ServerPlace | None) -> None:
        # One that has caught up by half is taken again, so that none comes and goes at the bound.
        most = self._most_behind / 2 if name in self.why else self._most_behind
        behind = self._behind.get(name, 0.0)
        if place is None:
            self.why[name] = "it does not answer"
        elif 0 < most < behind:
            self.why[name] = f"it is {behind:.0f} s behind"
        else:
            self.why.pop(name, None)
