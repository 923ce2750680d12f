"""The worker that makes deliveries: lanes beside each other, within a lane one message after another.

An attempt happens outside any transaction; what came of it is one transaction, so after a crash the attempt is made
again with the same message id. Each lane is tried again by its own schedule, and given up into its dead-letter queue.
"""

import asyncio
import logging
import ssl
from functools import partial
from typing import NamedTuple

import orjson

from apitrail.arn import parse_arn
from apitrail.services.context import Context
from apitrail.services.queues import queue_at
from apitrail.services.runtime import Runtime
from apitrail.services.sns import lanes
from apitrail.services.sns.deliverylog import DeliveryLog
from apitrail.services.sns.envelope import (
    CERTIFICATES,
    NOTIFICATION,
    attributes_shown,
    confirmation,
    notification,
    string_to_sign,
    text_for,
    unsubscribe_url,
    written,
)
from apitrail.services.sns.retries import Delivery, delivery_of, pause_after
from apitrail.services.sns.senders import SENDERS, Attempt, Outside, Parcel, put_in_queue, tls_context
from apitrail.services.sns.signing import Signer, read_certificate
from apitrail.services.sns.subscribers import COURIER, SUBSCRIPTIONS
from apitrail.services.sns.verdicts import Verdict
from apitrail.services.topics import topic_at
from apitrail.store.database import Tx
from apitrail.store.resources import Doc

log = logging.getLogger("apitrail.sns")
FOLDER = "sns"
LOG_FILE = "deliveries.log"
BURST = 50
LOOK_S = 0.1


class Head(NamedTuple):
    """The oldest delivery of a lane with all that it needs."""

    waiting: lanes.Waiting
    subscription: Doc
    topic: Doc
    delivery: Delivery
    queue_here: bool


class Courier:
    """Makes the deliveries of all topics."""

    name = COURIER

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._settings = runtime.settings.sns
        self._signer = Signer(runtime.data_dir / FOLDER, runtime.clock, runtime.ids)
        self._log = DeliveryLog(runtime.data_dir / FOLDER / LOG_FILE)
        self._tls: ssl.SSLContext | None = None
        self._under_way: dict[str, asyncio.Task[None]] = {}

    async def tick(self) -> float | None:
        """Make what is due, and go on while anything is under way; return when the next delivery is due, in seconds."""
        try:
            await self._begin()
            while self._under_way:
                await asyncio.wait(self._under_way.values(), timeout=LOOK_S, return_when=asyncio.FIRST_COMPLETED)
                await self._begin()
        finally:
            await self._cancel()
        following = await self._runtime.database.read(lanes.next_due)
        return None if following is None else max(0.0, following - self._now())

    def close(self) -> None:
        """Close the delivery log."""
        self._log.close()

    def certificate(self, name: str) -> bytes | None:
        """Return a certificate that messages name, or None."""
        return read_certificate(self._runtime.data_dir / FOLDER, name)

    async def _begin(self) -> None:
        """Let go of lanes that are done, and begin with those that are due, as many at a time as is allowed."""
        for arn in [arn for arn, task in self._under_way.items() if task.done()]:
            self._under_way.pop(arn).result()
        limit, now = self._settings.in_flight_max, self._now()
        due = await self._runtime.database.read(lambda tx: lanes.due_lanes(tx, now, 2 * limit))
        for arn in due:
            if arn not in self._under_way and len(self._under_way) < limit:
                self._under_way[arn] = asyncio.create_task(self._serve(arn))

    async def _cancel(self) -> None:
        tasks = list(self._under_way.values())
        self._under_way.clear()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _serve(self, subscription_arn: str) -> None:
        """Deliver from one lane until it is empty or has to wait."""
        for _ in range(BURST):
            head = await self._runtime.database.read(partial(load_head, arn=subscription_arn, now=self._now()))
            if head is None:
                return
            await self._settle(head, await self._attempt(head))

    async def _attempt(self, head: Head) -> tuple[Parcel | None, Attempt]:
        """Make an attempt; a mistake of ours counts as a failed one, so that it holds up no other lane."""
        try:
            parcel = await self._pack(head)
            return parcel, await SENDERS[head.subscription["Protocol"]](self._outside(), parcel)
        except OSError as error:
            verdict = Verdict(False, reason=f"sns.ca_file or DATA/sns cannot be used: {error.strerror or error}")
            return None, lambda ctx: verdict
        except Exception as error:
            log.exception("delivery to %s failed", head.subscription["SubscriptionArn"])
            failed = Verdict(False, reason=f"internal error ({type(error).__name__})")
            return None, lambda ctx: failed

    def _outside(self) -> Outside:
        if self._tls is None:
            self._tls = tls_context(self._settings)
        return Outside(self._settings, self._runtime.clock, self._tls)

    async def _pack(self, head: Head) -> Parcel:
        """Return what is to be sent: the bare message, or the signed envelope."""
        message, subscription = head.waiting.message, head.subscription
        raw = subscription["Attributes"].get("RawMessageDelivery") == "true" and message["Type"] == NOTIFICATION
        text = text_for(message, subscription["Protocol"]) if raw else await self._envelope(head)
        return Parcel(subscription, message, text, raw, head.delivery.content_type, head.queue_here)

    async def _envelope(self, head: Head) -> str:
        message, subscription = head.waiting.message, head.subscription
        base, version = subscription["_Base"], head.topic["Attributes"].get("SignatureVersion", "1")
        is_notification = message["Type"] == NOTIFICATION
        members = notification(message, subscription["Protocol"]) if is_notification else confirmation(message, base)
        signed = await self._signer.sign(string_to_sign(members), version)
        members |= {"SignatureVersion": version, "Signature": signed.signature}
        members["SigningCertURL"] = f"{base}{CERTIFICATES}{signed.certificate}"
        if is_notification:
            members["UnsubscribeURL"] = unsubscribe_url(base, subscription["SubscriptionArn"])
            if attributes := attributes_shown(message.get("Attributes", {})):
                members["MessageAttributes"] = attributes
        return written(members)

    async def _settle(self, head: Head, made: tuple[Parcel | None, Attempt]) -> None:
        """Write down what came of an attempt, and note it in the delivery log."""
        parcel, attempt = made
        arn = parse_arn(head.topic["TopicArn"])
        assert arn is not None
        verdict = await self._runtime.write(arn.account, arn.region, lambda ctx: settle(ctx, head, parcel, attempt))
        if verdict is not None:
            attempts = head.waiting.attempts + 1
            self._log.note(head.subscription, head.waiting.message, verdict, attempts, self._runtime.clock.now())

    def _now(self) -> float:
        return self._runtime.clock.now().timestamp()


def load_head(tx: Tx, arn: str, now: float) -> Head | None:
    """Return the oldest delivery of a lane if it is due."""
    waiting = lanes.oldest(tx, arn, now)
    subscription = SUBSCRIPTIONS.at(tx).get(arn)
    if waiting is None or subscription is None:
        return None
    topic = topic_at(tx, subscription["TopicArn"])
    assert topic is not None, subscription["TopicArn"]
    protocol, endpoint = subscription["Protocol"], subscription["Endpoint"]
    delivery = delivery_of(protocol, topic["Attributes"], subscription["Attributes"])
    return Head(waiting, subscription, topic, delivery, protocol == "sqs" and queue_at(tx, endpoint) is not None)


def settle(ctx: Context, head: Head, parcel: Parcel | None, attempt: Attempt) -> Verdict | None:
    """End a delivery that was made or is given up, put off any other; return how it ended, None if nobody wants it any more."""
    if not lanes.is_waiting(ctx.tx, head.waiting):
        return None
    verdict, now = attempt(ctx), ctx.now.timestamp()
    if verdict.delivered:
        pace = 1 / head.delivery.per_second if head.delivery.per_second else 0.0
        lanes.done(ctx.tx, head.waiting, now + pace)
        return verdict._replace(outcome="SUCCESS")
    pause = None if verdict.lasting else pause_after(head.delivery.schedule, head.waiting.attempts + 1)
    if pause is not None:
        lanes.put_off(ctx.tx, head.waiting, now + pause)
        return verdict
    lanes.done(ctx.tx, head.waiting, now)
    return _given_up(ctx, head, parcel, verdict)


def _given_up(ctx: Context, head: Head, parcel: Parcel | None, verdict: Verdict) -> Verdict:
    """Put what cannot be delivered into the subscription's dead-letter queue, if it has one."""
    policy = head.subscription["Attributes"].get("RedrivePolicy")
    if parcel is None or not policy or head.waiting.message["Type"] != NOTIFICATION:
        return verdict._replace(outcome="FAILURE")
    put = put_in_queue(ctx, parcel, orjson.loads(policy)["deadLetterTargetArn"])
    if put.delivered:
        return verdict._replace(outcome="DEAD_LETTER")
    return verdict._replace(outcome="FAILURE", reason=f"{verdict.reason}; dead letter: {put.reason}")
