"""The declared table: each column of a participant, its kind, and the keys of `data.object` it may come from.

Movemint's field list is not published to us. Every key but `id` is a guess, and nothing but `id` is required. To adapt,
change this table and rebuild.
"""

from dataclasses import dataclass
from enum import Enum


class Kind(Enum):
    """How a value is read. Ids are text: 12 and "12" are the same."""

    ID = "id"
    TEXT = "text"
    INTEGER = "integer"
    DATE = "date"
    TIME = "time"


@dataclass(frozen=True, slots=True)
class Field:
    """A column and where its value comes from: the key of its own name first, then the others; a dot goes deeper."""

    column: str
    kind: Kind = Kind.TEXT
    others: tuple[str, ...] = ()

    @property
    def keys(self) -> tuple[str, ...]:
        return (self.column, *self.others)


FIELDS = (
    Field("event_id", Kind.ID, ("event.id",)),
    Field("event_name", others=("event.name",)),
    Field("sub_event_id", Kind.ID, ("sub_event.id",)),
    Field("sub_event_name", others=("sub_event.name",)),
    Field("athlete_id", Kind.ID, ("athlete.id",)),
    Field("status", others=("registration_status",)),
    Field("first_name", others=("athlete.first_name",)),
    Field("last_name", others=("athlete.last_name",)),
    Field("email", others=("email_address", "athlete.email")),
    Field("phone", others=("phone_number", "athlete.phone")),
    Field("bib", others=("bib_number",)),
    Field("gender", others=("gender_identity", "gender_name", "athlete.gender_identity")),
    Field("dob", Kind.DATE, ("date_of_birth", "athlete.dob")),
    Field("age", Kind.INTEGER),
    Field("team", others=("team_name", "team.name")),
    Field("wave", others=("wave_name", "wave.name")),
    Field("city", others=("address.city",)),
    Field("state", others=("address.state",)),
    Field("country", others=("address.country",)),
    Field("zip_code", others=("postal_code", "address.zip_code")),
    Field("checked_in_at", Kind.TIME),
    Field("registered_at", Kind.TIME, ("created_at",)),
    Field("updated_at", Kind.TIME),
)
