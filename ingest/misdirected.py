"""Addresses that are almost the webhook's: told the right one and counted, so that a lost delivery shows somewhere.

They are not redirected: a client may follow with a GET, or not at all, and the delivery would be lost.
"""

import re

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from ingest.refusals import Reason, Refusals
from ingest.web.problems import problem

_SOURCE = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}\Z")


def misdirected_routes(refusals: Refusals) -> list[Route]:
    """The routes of `/webhooks` without a source, and with slashes or segments too many. The webhook's come first."""

    async def misdirected(request: Request) -> Response:
        refusals.count("", Reason.UNKNOWN_SOURCE)
        segments = [segment for segment in request.path_params.get("rest", "").split("/") if segment]
        if len(segments) == 1 and _SOURCE.match(segments[0]):
            detail = f"The address of a webhook has no slash more: POST to /webhooks/{segments[0]}."
        else:
            detail = "The address of a webhook ends with the name of its source: POST to /webhooks/movemint, for one."
        return problem(404, detail)

    return [Route(path, misdirected, methods=["POST"]) for path in ("/webhooks", "/webhooks/{rest:path}")]
