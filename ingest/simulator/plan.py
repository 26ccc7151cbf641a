"""Plans what the fake Movemint sends, in which order: registrations, redeliveries, late ones, damaged ones. Pure."""

from collections.abc import Iterator
from dataclasses import dataclass
from random import Random

from ingest.simulator.people import body_of, edited, person


@dataclass(frozen=True, slots=True)
class Amount:
    """A number of deliveries, or a share (0 to 1) of all of them."""

    number: float
    is_share: bool = False

    def of(self, total: int) -> int:
        return min(total, round(self.number * total) if self.is_share else int(self.number))


@dataclass(frozen=True, slots=True)
class Planned:
    """One delivery to make. A damaged one is signed first and changed afterwards, so it has to be refused."""

    body: bytes
    damaged: bool = False


@dataclass(frozen=True, slots=True)
class Wishes:
    """What to simulate: `count` different deliveries about `participants` people, and what goes wrong on their way."""

    count: int
    participants: int | None = None
    duplicates: Amount = Amount(0)
    reorder: Amount = Amount(0)
    corrupt: Amount = Amount(0)
    seed: int = 1


def plan(wishes: Wishes) -> list[Planned]:
    """The deliveries in the order in which they are sent; the same wishes give the same plan."""
    random = Random(wishes.seed)  # noqa: S311 - a plan that can be repeated
    people = min(wishes.count, wishes.participants or wishes.count)
    bodies = list(_bodies(wishes.seed, wishes.count, people))
    for place in random.sample(range(wishes.count), wishes.reorder.of(wishes.count)):
        later = random.randrange(place, wishes.count)
        bodies[place], bodies[later] = bodies[later], bodies[place]
    planned = [Planned(body) for body in bodies]
    extra = [(place, False) for place in random.sample(range(wishes.count), wishes.duplicates.of(wishes.count))]
    extra += [(place, True) for place in random.sample(range(wishes.count), wishes.corrupt.of(wishes.count))]
    # From the back, so that places in front stay valid. A redelivery goes somewhere behind its delivery.
    for place, damaged in sorted(extra, reverse=True):
        planned.insert(random.randrange(place + 1, len(planned) + 1), Planned(bodies[place], damaged))
    return planned


def _bodies(seed: int, count: int, people: int) -> Iterator[bytes]:
    """The registrations of all people, then the first edits of all, and so on."""
    participants = []
    for number in range(count):
        edition, place = divmod(number, people)
        if edition == 0:
            participants.append(person(seed, place))
        else:
            participants[place] = edited(participants[place], seed, edition)
        yield body_of(participants[place])
