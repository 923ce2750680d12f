"""The queues that exist and the messages in them, shared by SQS, which serves them, and SNS, which sends into them.

A message is a row; its document holds what never changes. A message that was received is invisible until its time, and
its receipt is the proof of the latest reception. Queues keep at most `sns.queue_messages_max` messages.
"""

from typing import Any, NamedTuple

from apitrail.arn import parse_arn
from apitrail.services.context import Context
from apitrail.services.resource_policies import service_may
from apitrail.store.database import Tx
from apitrail.store.resources import Collection, Doc, decode_doc, encode_doc

QUEUES = Collection("sqs/queue")
"""By name: QueueName, QueueArn, Owner, Attributes (as set, by name), Tags; _CreatedAt, _ModifiedAt, _PurgedAt: epoch seconds."""

SNS = "sns.amazonaws.com"
EXPIRED_AT_ONCE = 20
RETENTION_S = 345_600


class Message(NamedTuple):
    """A message in a queue. doc: MessageId, Body, SenderId, and if sent: MessageAttributes, System (by name)."""

    id: int
    sent_at: float
    receive_count: int
    first_received_at: float | None
    doc: Doc


def queue_at(tx: Tx, arn: str) -> Doc | None:
    """Return the queue of an ARN, of whatever account and region, or None."""
    parts = parse_arn(arn)
    if parts is None or parts.service != "sqs":
        return None
    return QUEUES.at(tx, parts.account, parts.region).get(parts.resource)


def number_of(queue: Doc, attribute: str, default: int) -> int:
    """Return a numeric attribute of a queue."""
    return int(queue["Attributes"].get(attribute, default))


def topic_may_send(ctx: Context, queue: Doc, topic_arn: str, account: str) -> bool:
    """Return whether a queue's policy lets SNS send into it for a topic of an account."""
    policy = queue["Attributes"].get("Policy", "")
    return service_may(ctx, SNS, account, topic_arn, "sqs:SendMessage", queue["QueueArn"], policy)


def message_count(tx: Tx, queue_arn: str) -> int:
    """Return how many messages a queue holds, visible or not."""
    row = tx.one("SELECT message_count FROM queue_sizes WHERE queue = ?", (queue_arn,))
    return row[0] if row else 0


def has_room(ctx: Context, queue: Doc) -> bool:
    """Return whether a queue takes one more message."""
    return message_count(ctx.tx, queue["QueueArn"]) < ctx.settings.sns.queue_messages_max


def add_message(ctx: Context, queue: Doc, doc: Doc, *, delay_s: float = 0, sent_at: float | None = None) -> None:
    """Put a message into a queue that has room. sent_at: of a message that comes from another queue."""
    now, arn = ctx.now.timestamp(), queue["QueueArn"]
    drop_expired(ctx.tx, queue, now)
    ctx.tx.insert(
        "INSERT INTO queue_messages (queue, visible_at, sent_at, doc) VALUES (?, ?, ?, ?)",
        (arn, now + delay_s, now if sent_at is None else sent_at, encode_doc(doc)),
    )
    _count(ctx.tx, arn, 1)
    if delay_s == 0:
        ctx.wake(arn)


def message_of(message_id: str, body: str, sender_id: str, attributes: dict[str, Any] | None = None) -> Doc:
    """Return the document of a new message."""
    doc: Doc = {"MessageId": message_id, "Body": body, "SenderId": sender_id}
    return {**doc, "MessageAttributes": attributes} if attributes else doc


def visible_messages(tx: Tx, queue: Doc, now: float, limit: int) -> list[Message]:
    """Return up to limit messages that can be received now, those first that have been visible longest."""
    rows = tx.all(
        "SELECT id, sent_at, receive_count, first_received_at, doc FROM queue_messages"
        " WHERE queue = ? AND visible_at <= ? AND sent_at >= ? ORDER BY visible_at, id LIMIT ?",
        (queue["QueueArn"], now, kept_since(queue, now), limit),
    )
    return [Message(id_, sent, count, first, decode_doc(doc)) for id_, sent, count, first, doc in rows]


def next_visible(tx: Tx, queue_arn: str) -> float | None:
    """Return when a queue's next message can be received (epoch seconds, maybe past), or None."""
    row = tx.one("SELECT min(visible_at) FROM queue_messages WHERE queue = ?", (queue_arn,))
    return row[0] if row else None


def drop_message(tx: Tx, queue_arn: str, id: int) -> None:
    """Remove a message."""
    if tx.run("DELETE FROM queue_messages WHERE id = ? AND queue = ?", (id, queue_arn)):
        _count(tx, queue_arn, -1)


def drop_all(tx: Tx, queue_arn: str) -> None:
    """Remove every message of a queue."""
    tx.run("DELETE FROM queue_messages WHERE queue = ?", (queue_arn,))
    tx.run("DELETE FROM queue_sizes WHERE queue = ?", (queue_arn,))


def kept_since(queue: Doc, now: float) -> float:
    """Return the age, as epoch seconds, before which a queue's messages are gone."""
    return now - number_of(queue, "MessageRetentionPeriod", RETENTION_S)


def drop_expired(tx: Tx, queue: Doc, now: float) -> None:
    """Remove some of the messages that are older than the queue keeps them; each use of a queue removes some."""
    gone = tx.run(
        "DELETE FROM queue_messages WHERE id IN"
        " (SELECT id FROM queue_messages WHERE queue = ? AND sent_at < ? ORDER BY sent_at LIMIT ?)",
        (queue["QueueArn"], kept_since(queue, now), EXPIRED_AT_ONCE),
    )
    if gone:
        _count(tx, queue["QueueArn"], -gone)


def _count(tx: Tx, queue_arn: str, by: int) -> None:
    tx.run(
        "INSERT INTO queue_sizes VALUES (?, ?) ON CONFLICT (queue)"
        " DO UPDATE SET message_count = message_count + excluded.message_count",
        (queue_arn, by),
    )
