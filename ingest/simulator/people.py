"""Makes up registrations; the same seed gives the same ones. Pure.

The envelope is what Movemint publishes. THE FIELDS OF `data.object` ARE A GUESS: Movemint does not publish its
participant; these are plausible names in its conventions (snake_case, integer ids, ISO 8601 times), nothing more.
"""

import json
from datetime import UTC, date, datetime, timedelta
from random import Random

from ingest.delivery import JsonObject

_EVENTS = (
    (501, "Harbour Lights Marathon", ((9011, "Marathon"), (9012, "Half marathon"), (9013, "10 km"))),
    (502, "Fellside Trail Weekend", ((9021, "Ultra 60 km"), (9022, "Trail 25 km"))),
    (503, "Lakeside Triathlon", ((9031, "Olympic"), (9032, "Sprint"), (9033, "Relay"))),
)
_FIRST_NAMES = (
    "Aiko Amara Anders Beatriz Björn Chiara Daniel Elif Emeka Eva Fatima Gwen Hana Ines Ivan Joao José Kateryna Kofi "
    "Lars Leila Liam Mai Malik Marta Mehmet Ngozi Noa Olena Oskar Priya Rahul Rosa Sam Siobhán Sofia Tomás Wei Yara Zoë"
).split()
_LAST_NAMES = (
    "Adeyemi Andersson Bauer Çelik Costa Dubois Eze Fernández García Haddad Horvat Iversen Jansen Kim Kovač Lindqvist "
    "Martin Mensah Müller Nakamura Nguyen Novák O'Brien Okafor Olsen Patel Petrov Quinn Rossi Sato Schmidt Silva Smith "
    "Søndergaard Tanaka Torres Van-Dijk Walker Yılmaz Zhang"
).split()
_SHIRTS = ("XS", "S", "M", "L", "XL")
_CITIES = (
    ("Portland", "OR", "US", "97201"), ("Austin", "TX", "US", "78701"), ("Leeds", None, "GB", "LS1 4AP"),
    ("Gent", None, "BE", "9000"), ("Zürich", "ZH", "CH", "8001"), ("Toronto", "ON", "CA", "M5H 2N2"),
)  # fmt: skip
_STATUSES = ("active",) * 17 + ("waitlisted", "deferred", "cancelled")
_OPENING = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)
_FIRST_ID = 7_000_001


def person(seed: int, number: int) -> JsonObject:
    """The person of this number (0, 1, ...) as registered."""
    return _person(Random(f"{seed}/{number}"), number)  # noqa: S311 - made-up people, not secrets


def edited(participant: JsonObject, seed: int, edition: int) -> JsonObject:
    """The same person after one more edit by the organiser: `updated_at` moves on with it."""
    random = Random(f"{seed}/{participant['id']}/{edition}")  # noqa: S311
    updated = datetime.fromisoformat(str(participant["updated_at"]))
    return {
        **participant,
        "status": random.choice(_STATUSES),
        "bib": str(1 + random.randrange(20_000)),
        "updated_at": _iso(updated + timedelta(seconds=1 + random.randrange(10 * 86_400))),
    }


def body_of(participant: JsonObject) -> bytes:
    """The body of a delivery about this person."""
    body = {"type": "event.participant.created", "data": {"object": participant}}
    return json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()


def _person(random: Random, number: int) -> JsonObject:
    event_id, event_name, races = random.choice(_EVENTS)
    race_id, race_name = random.choice(races)
    first, last = random.choice(_FIRST_NAMES), random.choice(_LAST_NAMES)
    city, state, country, zip_code = random.choice(_CITIES)
    born = date(1950, 1, 1) + timedelta(days=random.randrange(57 * 365))
    registered = _OPENING + timedelta(seconds=random.randrange(120 * 86_400))
    return {
        "id": _FIRST_ID + number,
        "event_id": event_id,
        "event_name": event_name,
        "sub_event": {"id": race_id, "name": race_name},
        "athlete_id": 300_000 + random.randrange(900_000),
        "first_name": first,
        "last_name": last,
        "email": f"{first}.{last}.{number}@example.org".lower(),
        "phone": f"+1555{random.randrange(10**7):07d}",
        "gender_identity": random.choice(("female", "male", "non-binary", "undisclosed")),
        "dob": born.isoformat(),
        "bib": random.choice((None, None, str(1 + number), f"A{1 + number}")),
        "team": random.choice((None, None, "Night Owls", "Café Runners", "Team Açaí")),
        "wave": random.choice((None, "1", "2", "Elite")),
        "status": random.choice(_STATUSES),
        "city": city,
        "state": state,
        "country": country,
        "zip_code": zip_code,
        "checked_in_at": None,
        "answers": [{"question_id": 41, "question": "Shirt size", "answer": random.choice(_SHIRTS)}],
        "created_at": _iso(registered),
        "updated_at": _iso(registered),
    }


def _iso(moment: datetime) -> str:
    return moment.isoformat().replace("+00:00", "Z")
