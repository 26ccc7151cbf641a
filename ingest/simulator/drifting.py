"""Plans an organiser's export that drifts from what was delivered; the same seed plans the same. Pure."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from datetime import datetime, timedelta
from random import Random

from ingest.delivery import JsonObject
from ingest.simulator.people import body_of, person

_EDITED = ("bib", "status", "last_name", "team", "city")  # one of which an organiser changes
_EVENT_NAMES = {501: "Harbour Lights Marathon", 502: "Fellside Trail Weekend", 503: "Lakeside Triathlon"}
_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Drifts:
    """How many people drift in each way.

    `missed`: listed, never delivered. `stale`: listed with another value in one column. `hidden`: refunded, and not
    listed any more. `shown`: refunded, and listed as such. `transferred`: listed in another event. `late`: delivered
    since the export was taken. `changed`: delivered with another bib since. `ahead`: delivered with a later state
    before. `twice`: listed twice. `twins`: two of one name and birth date. `erased`: listed, and erased in the log.
    `without_id`: listed without an id.
    """

    missed: int = 0
    stale: int = 0
    hidden: int = 0
    shown: int = 0
    transferred: int = 0
    late: int = 0
    changed: int = 0
    ahead: int = 0
    twice: int = 0
    twins: int = 0
    erased: int = 0
    without_id: int = 0


DRIFT_NAMES = tuple(field.name for field in fields(Drifts))


@dataclass(frozen=True, slots=True)
class Drifted:
    """`before`, `since`: the deliveries until the export was taken, and after. `rows`: what it lists, in its order.

    `about`: by drift whom it is about, by id, with the keys that are listed otherwise than they were delivered.
    """

    before: Sequence[bytes]
    since: Sequence[bytes]
    rows: Sequence[JsonObject]
    about: dict[str, dict[str, tuple[str, ...]]]


class _Plan:
    """What was planned so far."""

    def __init__(self, random: Random) -> None:
        self.random = random
        self.before: list[bytes] = []
        self.since: list[bytes] = []
        self.rows: list[JsonObject] = []

    def add(self, drift: str, participant: JsonObject) -> tuple[str, ...]:
        """Deliver and list one person, who drifts in this way; gives the keys that are listed otherwise."""
        if drift in ("changed", "ahead"):  # an empty cell would say nothing of a bib
            participant = {**participant, "bib": f"A{self.random.randrange(10**6)}"}
        listed = participant
        (self.since if drift == "late" else self.before).append(body_of(participant))
        if drift in ("stale", "shown", "transferred"):
            listed = _later(participant, self._change(drift, participant))
        elif drift in ("changed", "ahead"):
            later = _later(participant, {"bib": f"B{self.random.randrange(10**6)}"})
            (self.since if drift == "changed" else self.before).append(body_of(later))
            changed = ("bib", "updated_at")
        if drift == "missed":
            self.before.pop()
        if drift not in ("hidden", "late"):
            self.rows.append({**listed, "id": None} if drift == "without_id" else listed)
        if drift == "twice":
            self.rows.append(listed)
        if drift in ("changed", "ahead"):
            return changed
        return tuple(key for key in listed if listed[key] != participant[key])

    def _change(self, drift: str, participant: JsonObject) -> JsonObject:
        if drift == "shown":
            return {"status": "refunded"}
        if drift == "transferred":
            event_id = self.random.choice([id_ for id_ in _EVENT_NAMES if id_ != participant["event_id"]])
            return {"event_id": event_id, "event_name": _EVENT_NAMES[event_id]}
        return {self.random.choice(_EDITED): f"Other {self.random.randrange(10**6)}"}


def drifted(seed: int, people: int, drifts: Drifts, encoding: str = "utf-8") -> Drifted:
    """Plan deliveries about so many people beside those who drift. `encoding`: of the export, which has all names."""
    random = Random(f"drift/{seed}")  # noqa: S311 - a plan that can be repeated
    plan = _Plan(random)
    about: dict[str, dict[str, tuple[str, ...]]] = {}
    for number, drift in enumerate(_ways(random, people, drifts)):
        participant = _written_in(encoding, person(seed, number))
        keys = plan.add(drift, participant)
        if drift == "twins":
            twin = {**_written_in(encoding, person(seed, -1 - number)), "event_id": participant["event_id"]}
            twin |= {key: participant[key] for key in ("event_name", "first_name", "last_name", "dob")}
            plan.add(drift, twin)
            about.setdefault(drift, {})[str(twin["id"])] = ()
        if drift:
            about.setdefault(drift, {})[str(participant["id"])] = keys
    random.shuffle(plan.rows)
    return Drifted(plan.before, plan.since, plan.rows, about)


def _ways(random: Random, people: int, drifts: Drifts) -> list[str]:
    """Per person the way of drifting; an empty text for none."""
    ways = [""] * people + [name for name in DRIFT_NAMES for _ in range(getattr(drifts, name))]
    random.shuffle(ways)
    return ways


def _later(participant: JsonObject, change: JsonObject) -> JsonObject:
    updated = datetime.fromisoformat(str(participant["updated_at"])) + _DAY
    return {**participant, **change, "updated_at": updated.isoformat().replace("+00:00", "Z")}


def _written_in(encoding: str, participant: JsonObject) -> JsonObject:
    """The person without the letters that an encoding lacks."""
    return dict(_each_written_in(encoding, participant))


def _each_written_in(encoding: str, participant: JsonObject) -> Iterator[tuple[str, object]]:
    for key, value in participant.items():
        yield key, value.encode(encoding, "ignore").decode(encoding) if isinstance(value, str) else value
