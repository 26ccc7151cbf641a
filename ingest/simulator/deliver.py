"""Delivers planned registrations as Movemint does: signed, over HTTP, again after every answer that is not 2xx."""

import asyncio
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field

import httpx2 as httpx

from ingest.signature import sign
from ingest.simulator.plan import Planned

ATTEMPTS = 7  # per delivery, over about twelve seconds
_FIRST_DELAY, _LONGEST_DELAY = 0.2, 6.4  # seconds, doubled each time
_NO_ANSWER = "no answer"


@dataclass(slots=True)
class Answered:
    """What was sent and what was answered. `answers` counts every attempt by its status code or `no answer`."""

    deliveries: int = 0
    attempts: int = 0
    stored: int = 0
    duplicates: int = 0
    refused_rightly: int = 0
    refused_wrongly: int = 0
    accepted_wrongly: int = 0
    answers: Counter[str] = field(default_factory=Counter)

    @property
    def is_good(self) -> bool:
        return not self.refused_wrongly and not self.accepted_wrongly

    def add(self, later: "Answered") -> None:
        """Count what was sent later as well."""
        for name in self.__slots__:
            setattr(self, name, getattr(self, name) + getattr(later, name))

    def lines(self) -> Iterator[str]:
        yield f"sent      {self.deliveries} deliveries in {self.attempts} attempts"
        yield "answered  " + (", ".join(f"{answer}: {times}" for answer, times in sorted(self.answers.items())) or "-")
        yield f"kept      {self.stored} stored, {self.duplicates} duplicates"
        yield f"refused   {self.refused_rightly} damaged ones, as they should be"
        if self.refused_wrongly:
            yield f"LOST      {self.refused_wrongly} deliveries were finally refused and should not have been"
        if self.accepted_wrongly:
            yield f"WRONG     {self.accepted_wrongly} damaged deliveries were accepted"


@dataclass(frozen=True, slots=True)
class Target:
    """Where to deliver, signed with what, how many at a time, and how many a second (0: as fast as answered).

    `attempts`: how often a delivery is tried.
    """

    url: str
    secret: bytes
    concurrency: int = 16
    rate: float = 0
    attempts: int = ATTEMPTS


def unheard(_planned: Planned, _status: int | None) -> None:
    """Nobody hears the answers."""


async def deliver(
    planned: Sequence[Planned],
    target: Target,
    progress: Callable[[], None],
    hear: Callable[[Planned, int | None], None] = unheard,
) -> Answered:
    """Deliver everything, in order as far as concurrency allows.

    `progress` is called once per finished delivery; `hear` gets each answer's status, None if there was no answer.
    """
    outcome = Answered()
    queue = iter(_paced(planned, target.rate))
    limits = httpx.Limits(max_connections=target.concurrency, max_keepalive_connections=target.concurrency)
    async with httpx.AsyncClient(limits=limits, timeout=30, trust_env=False) as client, asyncio.TaskGroup() as tasks:
        for _ in range(min(target.concurrency, len(planned))):
            tasks.create_task(_work(client, queue, target, outcome, progress, hear))
    return outcome


def _paced(deliveries: Iterable[Planned], rate: float) -> Iterator[tuple[float, Planned]]:
    """Each delivery with the second at which it is due, counted from the start."""
    return ((number / rate if rate else 0, planned) for number, planned in enumerate(deliveries))


async def _work(
    client: httpx.AsyncClient,
    queue: Iterator[tuple[float, Planned]],
    target: Target,
    outcome: Answered,
    progress: Callable[[], None],
    hear: Callable[[Planned, int | None], None],
) -> None:
    clock = asyncio.get_running_loop().time
    start = clock()
    for due, planned in queue:
        await asyncio.sleep(max(0, start + due - clock()))
        await _deliver_one(client, planned, target, outcome, hear)
        progress()


async def _deliver_one(
    client: httpx.AsyncClient,
    planned: Planned,
    target: Target,
    outcome: Answered,
    hear: Callable[[Planned, int | None], None],
) -> None:
    outcome.deliveries += 1
    signature = sign(planned.body, target.secret)
    body = _damaged(planned.body) if planned.damaged else planned.body
    for attempt in range(target.attempts):
        answer = await _post(client, target.url, body, signature)
        hear(planned, None if answer is None else answer.status_code)
        outcome.attempts += 1
        outcome.answers[_NO_ANSWER if answer is None else str(answer.status_code)] += 1
        if planned.damaged and answer is not None and answer.status_code == 401:
            outcome.refused_rightly += 1
            return
        if answer is not None and answer.is_success:
            _count_kept(outcome, planned, answer)
            return
        if attempt + 1 < target.attempts:
            await asyncio.sleep(min(_FIRST_DELAY * 2**attempt, _LONGEST_DELAY))
    outcome.refused_wrongly += 1


async def _post(client: httpx.AsyncClient, url: str, body: bytes, signature: str) -> httpx.Response | None:
    headers = {"Content-Type": "application/json", "X-Signature": signature}
    try:
        return await client.post(url, content=body, headers=headers)
    except httpx.HTTPError:
        return None


def _count_kept(outcome: Answered, planned: Planned, answer: httpx.Response) -> None:
    if planned.damaged:
        outcome.accepted_wrongly += 1
    elif b'"duplicate"' in answer.content:
        outcome.duplicates += 1
    else:
        outcome.stored += 1


def _damaged(body: bytes) -> bytes:
    """The body with one byte in its middle changed, as by a faulty network."""
    middle = len(body) // 2
    return body[:middle] + bytes([body[middle] ^ 1]) + body[middle + 1 :]
