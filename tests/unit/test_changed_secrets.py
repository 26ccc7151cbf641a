"""Secrets that change while the body of a delivery arrives."""

import asyncio
from collections.abc import Mapping

import pytest
from starlette.types import Message

from ingest.log.event import Delivery, Receipt
from ingest.refusals import Numbers, Refusals
from ingest.sources import Secrets
from ingest.webhook import Webhook
from tests import model


@pytest.mark.parametrize(
    ("after", "status"),
    [({"movemint": (b"new", b"old")}, 200), ({"movemint": (b"another",)}, 401), ({"autumn": (b"new",)}, 404)],
)
def test_a_delivery_is_checked_with_the_secrets_there_are_when_it_is_whole(
    after: Mapping[str, Secrets], status: int
) -> None:
    """It is signed with a secret that was not known when its first bytes came."""
    content = model.body(1)
    sent: list[Message] = []

    async def receive() -> Message:
        webhook.take_sources(after)
        return {"type": "http.request", "body": content, "more_body": False}

    async def send(message: Message) -> None:
        sent.append(message)

    webhook = Webhook({"movemint": (b"old",)}, _kept, Refusals(_write_nothing), 1_000)
    headers = [(b"x-signature", model.signature(content, b"new").encode())]
    scope = {"type": "http", "path_params": {"source": "movemint"}, "headers": headers, "state": {}}
    asyncio.run(webhook(scope, receive, send))
    assert sent[0]["status"] == status


def _kept(_delivery: Delivery) -> asyncio.Future[Receipt]:
    receipt: asyncio.Future[Receipt] = asyncio.get_running_loop().create_future()
    receipt.set_result(Receipt(1, stored=True))
    return receipt


async def _write_nothing(_numbers: Numbers) -> None:
    pass
