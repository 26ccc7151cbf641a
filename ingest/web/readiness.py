"""Whether a server is alive and ready: all that it serves, or the webhook or the roster alone."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from typing import Literal

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from ingest.web.problems import problem

Check = Callable[[], Coroutine[object, object, str | None]]
Checks = Mapping[str, Check]
Remark = Callable[[], str | None]

Served = Literal["webhook", "roster"]
WEBHOOK: Served = "webhook"
ROSTER: Served = "roster"
CHECK_SECONDS = 1.5  # that a check may wait for the database; readiness is answered within two seconds
_LATEST_SECONDS = 1.8  # that a check may take
_NOT_SERVED: Mapping[Served, str] = {WEBHOOK: "no webhook", ROSTER: "no roster and folds none"}


def readiness_routes(checks: Mapping[Served, Checks], remarks: Mapping[Served, Sequence[Remark]]) -> list[Route]:
    """`/healthz`, `/livez` and `/readyz` with its parts. `checks`: by what they are of, each by its name.

    A check gives what hinders; None if nothing does. `remarks`: by what they are of, what gives a sentence for a person
    though nothing hinders; asked after the checks.
    """

    async def alive(_request: Request) -> Response:
        return JSONResponse({"status": "ok"})

    async def ready(_request: Request) -> Response:
        every = {name: check for of_part in checks.values() for name, check in of_part.items()}
        return await _answer(every, [remark for of_part in remarks.values() for remark in of_part])

    def ready_part(part: Served) -> Callable[[Request], Awaitable[Response]]:
        async def answer(_request: Request) -> Response:
            if part not in checks:
                return problem(404, f"This process serves {_NOT_SERVED[part]}; ask the process that does.")
            return await _answer(checks[part], remarks.get(part, ()))

        return answer

    return [
        Route("/healthz", alive),
        Route("/livez", alive),
        Route("/readyz", ready),
        *(Route(f"/readyz/{part}", ready_part(part)) for part in (WEBHOOK, ROSTER)),
    ]


async def _answer(checks: Checks, remarks: Sequence[Remark]) -> Response:
    hindrances = await _hindrances(checks)
    if hindrances:
        return problem(503, f"Not ready: {'; '.join(hindrances)}.", {"Retry-After": "2"})
    said = [sentence for remark in remarks if (sentence := remark()) is not None]
    return JSONResponse({"status": "ready", **({"detail": f"{'; '.join(said)}."} if said else {})})


async def _hindrances(checks: Checks) -> list[str]:
    """What each check says, all at once, each with its name; a check that does not end in time hinders, too."""
    tasks = {name: asyncio.create_task(_hindrance(check)) for name, check in checks.items()}
    said = await asyncio.gather(*tasks.values())
    return [f"{name} ({why})" for name, why in zip(tasks, said, strict=True) if why is not None]


async def _hindrance(check: Check) -> str | None:
    task = asyncio.ensure_future(check())
    done, _ = await asyncio.wait([task], timeout=_LATEST_SECONDS)
    if done:
        return task.result()
    task.cancel()  # not waited for: it may be held up by what it waits for
    return "no answer"
