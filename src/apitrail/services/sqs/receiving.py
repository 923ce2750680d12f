"""ReceiveMessage: up to ten messages, at once or when they come. Source: SQS API Reference; SQS Developer Guide, long polling.

Waiting is a prepare step outside the transaction; the messages are taken inside it, so each is handed out once per
visibility timeout.
"""

import asyncio
import contextlib
from typing import Any

from apitrail.identity.principal import Principal
from apitrail.services.context import Context
from apitrail.services.operation import operation
from apitrail.services.queues import (
    Message,
    add_message,
    drop_expired,
    drop_message,
    next_visible,
    number_of,
    queue_at,
    visible_messages,
)
from apitrail.services.runtime import Runtime
from apitrail.services.sqs.access import Params, Result, queue_of
from apitrail.services.sqs.attributes import NUMBERS, redrive
from apitrail.services.sqs.contents import md5_of_attributes, md5_of_text, select
from apitrail.services.sqs.errors import InvalidParameterValue
from apitrail.services.sqs.receipts import RECEIPT_LENGTH, handle_of
from apitrail.store.database import Tx
from apitrail.store.resources import Doc
from apitrail.wire.call import Call

MESSAGES_MAX = 10
WAIT_MAX_S = NUMBERS["ReceiveMessageWaitTimeSeconds"][1]
VISIBILITY_MAX_S = NUMBERS["VisibilityTimeout"][1]


async def wait_for_messages(runtime: Runtime, call: Call, principal: Principal) -> None:
    """Wait until the queue has a message that can be received, at most as long as the call or the queue says."""

    def look(tx: Tx) -> tuple[str, int, float | None]:
        now = runtime.clock.now()
        ctx = Context(
            tx, principal.account, call.region, now, runtime.ids, runtime.settings, runtime.key, principal, call
        )
        queue = queue_of(ctx, call.params, "ReceiveMessage")
        wait = call.params.get("WaitTimeSeconds", number_of(queue, "ReceiveMessageWaitTimeSeconds", 0))
        following = next_visible(tx, queue["QueueArn"])
        return queue["QueueArn"], wait, None if following is None else following - now.timestamp()

    arn, wait, _ = await runtime.database.read(look)
    if not 0 < wait <= WAIT_MAX_S:
        return
    until = runtime.clock.monotonic() + wait
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(wait):
            while not runtime.arrivals.closed and runtime.clock.monotonic() < until:
                with runtime.arrivals.expect(arn) as arrived:
                    _, _, visible_in = await runtime.database.read(look)
                    if visible_in is not None and visible_in <= 0:
                        return
                    with contextlib.suppress(TimeoutError):
                        async with asyncio.timeout(visible_in):
                            await arrived


@operation(prepare=wait_for_messages)
def receive_message(ctx: Context, params: Params) -> Result:
    """Return messages and hide them from others for a while; those received too often go to the dead-letter queue.

    Raises: InvalidParameterValue, QueueDoesNotExist, AccessDeniedException.
    """
    queue = queue_of(ctx, params, "ReceiveMessage")
    limit = _number(params, "MaxNumberOfMessages", 1, MESSAGES_MAX, 1)
    _number(params, "WaitTimeSeconds", 0, WAIT_MAX_S, 0)
    hidden_s = _number(params, "VisibilityTimeout", 0, VISIBILITY_MAX_S, number_of(queue, "VisibilityTimeout", 30))
    drop_expired(ctx.tx, queue, ctx.now.timestamp())
    found = []
    for message in _living(ctx, queue, limit):
        receipt = ctx.ids.token(RECEIPT_LENGTH)
        _take(ctx, message, receipt, hidden_s)
        found.append(_shown(ctx, params, message, receipt))
    return {"Messages": found} if found else {}


def _living(ctx: Context, queue: Doc, limit: int) -> list[Message]:
    """Return messages that may be received once more; the others are moved to the dead-letter queue."""
    now, goal = ctx.now.timestamp(), redrive(queue)
    found = visible_messages(ctx.tx, queue, now, limit)
    dead_letters = queue_at(ctx.tx, goal[0]) if goal is not None else None
    if goal is None or dead_letters is None:
        return found
    dead = [message for message in found if message.receive_count >= goal[1]]
    for message in dead:
        system = {**message.doc.get("System", {}), "DeadLetterQueueSourceArn": queue["QueueArn"]}
        add_message(ctx, dead_letters, {**message.doc, "System": system}, sent_at=message.sent_at)
        drop_message(ctx.tx, queue["QueueArn"], message.id)
    return _living(ctx, queue, limit) if dead else found


def _take(ctx: Context, message: Message, receipt: str, hidden_s: int) -> None:
    now = ctx.now.timestamp()
    ctx.tx.run(
        "UPDATE queue_messages SET visible_at = ?, receipt = ?, receive_count = receive_count + 1,"
        " first_received_at = coalesce(first_received_at, ?) WHERE id = ?",
        (now + hidden_s, receipt, now, message.id),
    )


def _shown(ctx: Context, params: Params, message: Message, receipt: str) -> dict[str, Any]:
    doc = message.doc
    shown = {
        "MessageId": doc["MessageId"],
        "ReceiptHandle": handle_of(message.id, receipt),
        "Body": doc["Body"],
        "MD5OfBody": md5_of_text(doc["Body"]),
    }
    wanted = {*params.get("AttributeNames", ()), *params.get("MessageSystemAttributeNames", ())}
    system = _system(message, ctx.now.timestamp())
    chosen = system if "All" in wanted else {name: value for name, value in system.items() if name in wanted}
    if chosen:
        shown["Attributes"] = chosen
    attributes = select(doc.get("MessageAttributes", {}), params.get("MessageAttributeNames", []))
    if attributes:
        shown |= {"MessageAttributes": attributes, "MD5OfMessageAttributes": md5_of_attributes(attributes)}
    return shown


def _system(message: Message, now: float) -> dict[str, str]:
    first = message.first_received_at if message.first_received_at is not None else now
    return {
        "SenderId": message.doc["SenderId"],
        "SentTimestamp": str(int(message.sent_at * 1000)),
        "ApproximateReceiveCount": str(message.receive_count + 1),
        "ApproximateFirstReceiveTimestamp": str(int(first * 1000)),
        **message.doc.get("System", {}),
    }


def _number(params: Params, name: str, low: int, high: int, default: int) -> int:
    value: int = params.get(name, default)
    if not low <= value <= high:
        said = f"Reason: Must be >= {low} and <= {high}, if provided."
        raise InvalidParameterValue(f"Value {value} for parameter {name} is invalid. {said}")
    return value
