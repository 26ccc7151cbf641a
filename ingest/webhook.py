"""The webhook endpoint: raw bytes in, signature checked over them, appended, answered. A plain ASGI app, for speed."""

import asyncio
import logging
import time
from collections import Counter
from collections.abc import Callable, Mapping
from functools import partial

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from ingest.delivery import read_envelope
from ingest.lanes import NotKept, TakenElsewhere
from ingest.log.event import Delivery, Receipt
from ingest.metrics import DELIVERIES, DELIVERY_SECONDS, Histogram, Reading, readings_of
from ingest.probe import PROBE_MEMBER, echo_of, is_probe
from ingest.refusals import Reason, Refusals
from ingest.signature import is_missing, is_signed, signature_in, why_malformed
from ingest.source_labels import SourceLabels
from ingest.sources import Secrets
from ingest.web.connection import REFUSED
from ingest.web.problems import problem
from ingest.web.request_head import Headers
from ingest.web.shortcut import SendAnswer

logger = logging.getLogger(__name__)

_SENT_AWAY = {"body_too_slow": Reason.BODY_TIMEOUT, "too_much_arriving": Reason.UNAVAILABLE}
_UNVERIFIED = {
    Reason.SIGNATURE_MISSING: "X-Signature is missing: it is the hex HMAC-SHA256 of the body with the secret.",
    Reason.SIGNATURE_MALFORMED: "X-Signature {}: it must be 64 hex digits, once and without a prefix, the HMAC-SHA256 "
    "of the body with the secret.",
    Reason.SIGNATURE_WRONG: "X-Signature is of another secret, or of other bytes than these: compare the secret, and "
    "let the body pass unchanged (rosterlog check-signature tells which).",
}
_MOVED = "This source has moved to another server, or is moving to this one; deliver again."
_STORED, _DUPLICATE = "stored", "duplicate"
_OUTCOMES = (_STORED, _DUPLICATE, *(reason.value for reason in Reason if reason is not Reason.UNKNOWN_SOURCE))
_DRAIN_FACTOR = 64  # read and drop up to 64 times the limit before answering 413, or most clients see a reset
_HEADERS = [(b"content-type", b"application/json")]

Append = Callable[[Delivery], asyncio.Future[Receipt]]


class _TooLarge(Exception):
    """The body is over the limit. `drained`: it was read to its end."""

    def __init__(self, *, drained: bool) -> None:
        self.drained = drained


class _Disconnected(Exception):
    """The client disconnected, or was refused, before its body was complete; no answer can be sent."""


class Webhook:
    """Answers `POST /webhooks/{source}`. `append` makes a delivery durable or raises `NotKept`.

    Each refusal is counted by its source and reason. `labels`: those of the refusals, by which metrics name sources.
    """

    def __init__(
        self,
        sources: Mapping[str, Secrets],
        append: Append,
        refusals: Refusals,
        max_body_bytes: int,
        labels: SourceLabels | None = None,
    ) -> None:
        self._labels = labels or SourceLabels()
        self.take_sources(sources)
        self._append = append
        self._refusals = refusals
        self._max_body_bytes = max_body_bytes
        self._kept: Counter[tuple[str, str]] = Counter()  # by the source's label and status
        self._seconds = Histogram(DELIVERY_SECONDS.bounds)

    def take_sources(self, sources: Mapping[str, Secrets]) -> None:
        """From now on these are the sources, with these secrets."""
        self._sources = sources
        self._labels.name(sources)

    def readings(self) -> list[Reading]:
        """The metrics of the deliveries."""
        refused = {(source, reason.value): number for (source, reason), number in self._refusals.total.items()}
        # A counter that begins with its first event would hide that event from whoever looks at increases.
        labels = dict.fromkeys(map(self._labels.of, self._sources))
        zeros = {(label, outcome): 0 for label in labels for outcome in _OUTCOMES}
        outcomes = readings_of(DELIVERIES, {**zeros, **self._kept, **refused})
        return [*outcomes, Reading(DELIVERY_SECONDS, (), self._seconds)]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        source = scope["path_params"]["source"]
        try:
            refusal = await self._receive(source, scope, receive, send)
        except _Disconnected:
            if (reason := _SENT_AWAY.get(scope["state"].get(REFUSED))) is not None:
                self._refusals.count(source, reason)
            return
        except _TooLarge as error:
            if not self._is_probe(source, scope["headers"]):
                self._refusals.count(source, Reason.TOO_LARGE)
            detail = f"The limit is {self._max_body_bytes} bytes (ROSTERLOG_MAX_BODY_BYTES)."
            headers = None if error.drained else {"Connection": "close"}
            refusal = problem(413, detail, headers)
        except NotKept as error:
            refusal = self._try_again(source, error)
        except Exception:
            # Answer 503 to any fault of ours, so that Movemint delivers again and nothing is lost.
            logger.exception("webhook failed")
            refusal = self._try_again(source)
        if refusal is not None:
            await refusal(scope, receive, send)

    def _try_again(self, source: str, error: BaseException | None = None) -> Response:
        self._refusals.count(source, Reason.UNAVAILABLE)
        if isinstance(error, TakenElsewhere):
            return problem(503, _MOVED, {"Retry-After": "10"}, {"code": "moved"})
        detail = "The delivery could not be made durable now; deliver it again."
        return problem(503, detail, {"Retry-After": "2"})

    def _unverified(self, source: str, reason: Reason, headers: Headers, body: bytes) -> Response:
        why = why_malformed(headers) if reason is Reason.SIGNATURE_MALFORMED else ""
        detail = _UNVERIFIED[reason].format(why)
        if self._is_probe(source, headers):
            return problem(401, detail, members={PROBE_MEMBER: echo_of(body, reason.value)})
        self._refusals.count(source, reason)
        return problem(401, detail)

    def _unknown(self, source: str) -> Response:
        self._refusals.count(source, Reason.UNKNOWN_SOURCE)
        return problem(404, "No source of this name has a secret; see MOVEMINT_WEBHOOK_SECRET.")

    def _is_probe(self, source: str, headers: Headers) -> bool:
        return is_probe(headers, self._sources.get(source, ()), time.time())

    async def _receive(self, source: str, scope: Scope, receive: Receive, send: Send) -> Response | None:
        """Verify and append one delivery. Sends the answer itself if it is kept; otherwise gives the refusal."""
        begun = time.monotonic()
        if source not in self._sources:
            return self._unknown(source)
        body = await self._body(scope, receive)
        secrets = self._sources.get(source)  # as they are now: they may have changed while the body arrived
        if secrets is None:
            return self._unknown(source)
        delivery = _verified(source, secrets, scope["headers"], body)
        if not isinstance(delivery, Delivery):
            return self._unverified(source, delivery, scope["headers"], body)
        try:
            receipt = await self._append(delivery)
        finally:
            self._seconds.observe(time.monotonic() - begun)
        answer = self._kept_answer(source, receipt)
        headers = [*_HEADERS, (b"content-length", str(len(answer)).encode())]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": answer})
        return None

    def take(self, source: str, headers: Headers, body: bytes, answer: SendAnswer) -> bool:
        """The shortcut of a source with secrets: takes a body within the limit; the application has the others."""
        begun = time.monotonic()
        if len(body) > self._max_body_bytes:
            return False
        try:
            delivery = _verified(source, self._sources[source], headers, body)
            if not isinstance(delivery, Delivery):
                refusal = partial(self._unverified, source, delivery, headers, body)
                asyncio.get_running_loop().call_soon(answer, refusal)  # the request counts as taken when this returns
                return True
            receipt = self._append(delivery)
        except Exception:
            return False  # a fault of ours: the application says so, and has the sender deliver again
        receipt.add_done_callback(partial(self._taken, source, begun, answer))
        return True

    def _taken(self, source: str, begun: float, answer: SendAnswer, receipt: asyncio.Future[Receipt]) -> None:
        self._seconds.observe(time.monotonic() - begun)
        error = NotKept() if receipt.cancelled() else receipt.exception()
        if error is None:
            answer(self._kept_answer(source, receipt.result()))
            return
        if not isinstance(error, NotKept):
            logger.error("webhook failed", exc_info=error)
        answer(partial(self._try_again, source, error))

    def _kept_answer(self, source: str, receipt: Receipt) -> bytes:
        status = _STORED if receipt.stored else _DUPLICATE
        self._kept[self._labels.of(source), status] += 1
        return f'{{"status": "{status}", "source": "{source}", "position": {receipt.position}}}'.encode()

    async def _body(self, scope: Scope, receive: Receive) -> bytes:
        declared = _declared_length(scope)
        if declared > self._max_body_bytes * (1 + _DRAIN_FACTOR):
            raise _TooLarge(drained=False)
        chunk, more = await _next_chunk(receive)
        if more or len(chunk) > self._max_body_bytes:
            return await self._rest(chunk, receive, more=more)
        return chunk

    async def _rest(self, first: bytes, receive: Receive, *, more: bool) -> bytes:
        """The body of several chunks. Bytes over the limit are read and dropped."""
        chunks, size = [first], len(first)
        while more:
            if size > self._max_body_bytes * (1 + _DRAIN_FACTOR):
                raise _TooLarge(drained=False)
            chunk, more = await _next_chunk(receive)
            size += len(chunk)
            if size <= self._max_body_bytes:
                chunks.append(chunk)
        if size > self._max_body_bytes:
            raise _TooLarge(drained=True)
        return b"".join(chunks)


def _verified(source: str, secrets: Secrets, headers: Headers, body: bytes) -> Delivery | Reason:
    """The delivery that a request is; or why it is none that Movemint signed."""
    signature = signature_in(headers)
    if signature is None:
        return Reason.SIGNATURE_MISSING if is_missing(headers) else Reason.SIGNATURE_MALFORMED
    if not is_signed(body, signature, secrets):
        return Reason.SIGNATURE_WRONG
    envelope = read_envelope(body)
    return Delivery(source, body, signature.decode("ascii"), envelope.event_type, envelope.subject)


def _declared_length(scope: Scope) -> int:
    for name, value in scope["headers"]:
        if name == b"content-length":
            return int(value) if value.isdigit() else 0
    return 0


async def _next_chunk(receive: Receive) -> tuple[bytes, bool]:
    message = await receive()
    if message["type"] == "http.disconnect":
        raise _Disconnected
    return message.get("body", b""), message.get("more_body", False)
