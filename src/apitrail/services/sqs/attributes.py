"""Attributes of queues: which can be set, within which bounds. Source: SQS API Reference, SetQueueAttributes."""

from collections.abc import Callable, Mapping
from typing import Any

import orjson

from apitrail.arn import parse_arn
from apitrail.errors import ServiceError
from apitrail.services.context import Context
from apitrail.services.queues import RETENTION_S, message_count, queue_at
from apitrail.services.resource_policies import checked_policy
from apitrail.services.sqs.errors import InvalidAttributeName, InvalidAttributeValue
from apitrail.store.resources import Doc

# bounds and default
NUMBERS: Mapping[str, tuple[int, int, int]] = {
    "DelaySeconds": (0, 900, 0),
    "MaximumMessageSize": (1024, 1_048_576, 1_048_576),
    "MessageRetentionPeriod": (60, 1_209_600, RETENTION_S),
    "ReceiveMessageWaitTimeSeconds": (0, 20, 0),
    "VisibilityTimeout": (0, 43_200, 30),
}
FIFO = ("FifoQueue", "ContentBasedDeduplication", "DeduplicationScope", "FifoThroughputLimit")
RECEIVES_MAX = 1000
SOURCES_MAX = 10


def checked(ctx: Context, arn: str, given: Mapping[str, str]) -> dict[str, str]:
    """Return attributes as they are stored; an empty text takes one away. Raises: InvalidAttributeName, InvalidAttributeValue."""
    for name, value in given.items():
        if name in NUMBERS:
            _check_number(name, value)
        elif name in CHECKS:
            if value:
                CHECKS[name](ctx, arn, value)
        elif name in FIFO:
            raise InvalidAttributeValue(
                f"{name}: FIFO queues are not served by this version; only standard queues are."
            )
        else:
            raise InvalidAttributeName(f"Unknown Attribute {name[:80]}.")
    return dict(given)


def merged(old: Mapping[str, str], new: Mapping[str, str]) -> dict[str, str]:
    """Return attributes after a change, without those that were emptied."""
    return {name: value for name, value in {**old, **new}.items() if value != ""}


def effective(queue: Doc, name: str) -> str:
    """Return an attribute as it counts, with its default; an empty text for one that is not set."""
    text: str = queue["Attributes"].get(name, str(NUMBERS[name][2]) if name in NUMBERS else "")
    return text


def shown(ctx: Context, queue: Doc) -> dict[str, str]:
    """Return all attributes of a queue as GetQueueAttributes does."""
    found = {name: effective(queue, name) for name in NUMBERS}
    found |= {name: queue["Attributes"][name] for name in CHECKS if name in queue["Attributes"]}
    found |= {
        "QueueArn": queue["QueueArn"],
        "CreatedTimestamp": str(int(queue["_CreatedAt"])),
        "LastModifiedTimestamp": str(int(queue["_ModifiedAt"])),
        "SqsManagedSseEnabled": "false",
    }
    return found | _counts(ctx, queue["QueueArn"])


def redrive(queue: Doc) -> tuple[str, int] | None:
    """Return where messages go that were received too often, and after how many receptions, or None."""
    text = queue["Attributes"].get("RedrivePolicy")
    if not text:
        return None
    policy = orjson.loads(text)
    return policy["deadLetterTargetArn"], int(policy["maxReceiveCount"])


def _counts(ctx: Context, arn: str) -> dict[str, str]:
    """Return how many messages are waiting, in flight and delayed; in flight are those with a receipt."""
    now, all_ = ctx.now.timestamp(), message_count(ctx.tx, arn)
    sql = "SELECT count(*), coalesce(sum(receipt <> ''), 0) FROM queue_messages WHERE queue = ? AND visible_at > ?"
    hidden, in_flight = ctx.tx.one(sql, (arn, now)) or (0, 0)
    return {
        "ApproximateNumberOfMessages": str(all_ - hidden),
        "ApproximateNumberOfMessagesNotVisible": str(in_flight),
        "ApproximateNumberOfMessagesDelayed": str(hidden - in_flight),
    }


def _check_number(name: str, value: str) -> None:
    low, high, _ = NUMBERS[name]
    if not (value.isascii() and value.isdigit() and len(value) < 10 and low <= int(value) <= high):
        raise _invalid(name, f"must be a number from {low} to {high}")


def _check_policy(ctx: Context, arn: str, value: str) -> None:
    try:
        checked_policy(value)
    except ServiceError as error:
        raise _invalid("Policy", error.message) from error


def _check_redrive(ctx: Context, arn: str, value: str) -> None:
    policy = _object("RedrivePolicy", value)
    count, target = str(policy.get("maxReceiveCount", "")), str(policy.get("deadLetterTargetArn", ""))
    if not (count.isascii() and count.isdigit() and len(count) < 5 and 1 <= int(count) <= RECEIVES_MAX):
        raise _invalid("RedrivePolicy", f"maxReceiveCount must be from 1 to {RECEIVES_MAX}")
    parts, own = parse_arn(target), parse_arn(arn)
    if parts is None or own is None or (parts.service, parts.account, parts.region) != ("sqs", own.account, own.region):
        raise _invalid("RedrivePolicy", "deadLetterTargetArn must be the ARN of a queue of the same account and region")
    other = queue_at(ctx.tx, target)
    if other is None:
        raise _invalid("RedrivePolicy", f"the dead-letter queue {target} does not exist")
    allowed = orjson.loads(other["Attributes"].get("RedriveAllowPolicy", "{}"))
    if allowed.get("redrivePermission") == "denyAll" or (
        allowed.get("redrivePermission") == "byQueue" and arn not in allowed["sourceQueueArns"]
    ):
        raise _invalid("RedrivePolicy", f"the queue {target} does not let this queue use it for dead letters")


def _check_redrive_allow(ctx: Context, arn: str, value: str) -> None:
    policy = _object("RedriveAllowPolicy", value)
    permission, sources = policy.get("redrivePermission"), policy.get("sourceQueueArns")
    if permission not in ("allowAll", "denyAll", "byQueue"):
        raise _invalid("RedriveAllowPolicy", "redrivePermission must be allowAll, denyAll or byQueue")
    listed = (
        isinstance(sources, list) and 0 < len(sources) <= SOURCES_MAX and all(isinstance(it, str) for it in sources)
    )
    if (permission == "byQueue") != listed:
        raise _invalid("RedriveAllowPolicy", f"byQueue, and only it, needs 1 to {SOURCES_MAX} sourceQueueArns")


def _check_unencrypted(name: str) -> Callable[[Context, str, str], None]:
    def check(ctx: Context, arn: str, value: str) -> None:
        if value != "false":
            raise _invalid(name, "encryption is not served by this version")

    return check


def _object(name: str, text: str) -> dict[str, Any]:
    try:
        value = orjson.loads(text)
    except orjson.JSONDecodeError:
        value = None
    if not isinstance(value, dict):
        raise _invalid(name, "must be a JSON object")
    return value


def _invalid(name: str, why: str) -> InvalidAttributeValue:
    return InvalidAttributeValue(f"Invalid value for the parameter {name}. Reason: {why}.")


CHECKS: Mapping[str, Callable[[Context, str, str], None]] = {
    "Policy": _check_policy,
    "RedrivePolicy": _check_redrive,
    "RedriveAllowPolicy": _check_redrive_allow,
    "KmsMasterKeyId": _check_unencrypted("KmsMasterKeyId"),
    "KmsDataKeyReusePeriodSeconds": _check_unencrypted("KmsDataKeyReusePeriodSeconds"),
    "SqsManagedSseEnabled": _check_unencrypted("SqsManagedSseEnabled"),
}
