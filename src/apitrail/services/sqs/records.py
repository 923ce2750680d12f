"""How calls of SQS are recorded: message operations are data events, what messages say is hidden.

Source: SQS Developer Guide, "Logging Amazon SQS API calls using AWS CloudTrail"; CloudTrail User Guide, data events.
Inferred: attributes of messages are hidden as their bodies are.
"""

from typing import Any
from urllib.parse import urlsplit

from apitrail.arn import make_arn
from apitrail.events.rules import RecordRules, Resource, is_read_only

QUEUE = "AWS::SQS::Queue"
DATA_OPERATIONS = (
    "ChangeMessageVisibility",
    "ChangeMessageVisibilityBatch",
    "DeleteMessage",
    "DeleteMessageBatch",
    "ReceiveMessage",
    "SendMessage",
    "SendMessageBatch",
)
FREE = frozenset({"GetQueueAttributes", "GetQueueUrl", "ListDeadLetterSourceQueues", "ListQueues", "ListQueueTags"})
"""Operations that change nothing and hand out no messages; they may pass unrecorded in capture mode `blocking`."""


def reads_only(operation: str) -> bool:
    """Return the record's readOnly. ReceiveMessage counts as a read, as in the documented events."""
    return operation == "ReceiveMessage" or is_read_only(operation)


def queue_name(url: str) -> tuple[str, str]:
    """Return account and name in a queue's URL, empty where it has none."""
    parts = urlsplit(url).path.strip("/").split("/")
    return (parts[-2], parts[-1]) if len(parts) >= 2 else ("", "")


def resources(account: str, region: str, params: dict[str, Any], result: dict[str, Any] | None) -> list[Resource]:
    """Return the queue that a call names or made."""
    url = params.get("QueueUrl") or (result or {}).get("QueueUrl")
    owner, name = queue_name(url) if isinstance(url, str) else ("", "")
    if not name:
        return []
    return [{"accountId": owner, "type": QUEUE, "ARN": make_arn("sqs", region, owner, name)}]


RULES = RecordRules(
    event_source="sqs.amazonaws.com",
    read_only=reads_only,
    masked=frozenset({"MessageBody", "MessageAttributes", "MessageSystemAttributes"}),
    resources=resources,
    data_operations=dict.fromkeys(DATA_OPERATIONS, QUEUE),
)
