"""SendMessage and SendMessageBatch. Source: SQS API Reference."""

from apitrail.services.context import Context
from apitrail.services.operation import operation
from apitrail.services.queues import add_message, has_room, message_of, number_of
from apitrail.services.sqs.access import Params, Result, queue_of
from apitrail.services.sqs.attributes import NUMBERS
from apitrail.services.sqs.batches import Entry, check_entries, each
from apitrail.services.sqs.contents import check_contents, md5_of_attributes, md5_of_text
from apitrail.services.sqs.errors import BatchRequestTooLong, InvalidParameterValue, RequestThrottled
from apitrail.store.resources import Doc

SIZE_MAX = NUMBERS["MaximumMessageSize"][1]
DELAY_MAX_S = NUMBERS["DelaySeconds"][1]
GROUP_MAX = 128
TRACE = "AWSTraceHeader"


@operation
def send_message(ctx: Context, params: Params) -> Result:
    """Put a message into a queue. Raises: InvalidParameterValue, InvalidMessageContents, RequestThrottled for a full queue."""
    return _send(ctx, queue_of(ctx, params, "SendMessage"), params)


@operation
def send_message_batch(ctx: Context, params: Params) -> Result:
    """Put up to ten messages into a queue, each on its own. Raises: what is wrong with the batch as a whole."""
    queue, entries = queue_of(ctx, params, "SendMessage"), params["Entries"]
    check_entries(entries)
    if sum(len(entry["MessageBody"].encode()) for entry in entries) > SIZE_MAX:
        raise BatchRequestTooLong(f"Batch requests cannot be longer than {SIZE_MAX} bytes.")
    return each(entries, lambda entry: _send(ctx, queue, entry))


def _send(ctx: Context, queue: Doc, entry: Entry) -> Result:
    body, attributes = entry["MessageBody"], entry.get("MessageAttributes") or {}
    check_contents(body, attributes, number_of(queue, "MaximumMessageSize", SIZE_MAX))
    delay = entry.get("DelaySeconds", number_of(queue, "DelaySeconds", 0))
    if not 0 <= delay <= DELAY_MAX_S:
        said = f"Reason: DelaySeconds must be >= 0 and <= {DELAY_MAX_S}."
        raise InvalidParameterValue(f"Value {delay} for parameter DelaySeconds is invalid. {said}")
    if not has_room(ctx, queue):
        raise RequestThrottled(f"The queue {queue['QueueName']} is full; it has to be read first.")
    doc = _document(ctx, entry, attributes)
    add_message(ctx, queue, doc, delay_s=delay)
    answer = {"MessageId": doc["MessageId"], "MD5OfMessageBody": md5_of_text(body)}
    if attributes:
        answer["MD5OfMessageAttributes"] = md5_of_attributes(attributes)
    if entry.get("MessageSystemAttributes"):
        answer["MD5OfMessageSystemAttributes"] = md5_of_attributes(entry["MessageSystemAttributes"])
    return answer


def _document(ctx: Context, entry: Entry, attributes: Doc) -> Doc:
    """Return what is kept of a message. MessageGroupId says which messages belong together; order is not promised."""
    assert ctx.principal is not None
    if "MessageDeduplicationId" in entry:
        raise InvalidParameterValue(
            "The request include parameter MessageDeduplicationId which is not valid for this queue type"
        )
    system = dict(entry.get("MessageSystemAttributes") or {})
    if system.keys() - {TRACE} or "StringValue" not in system.get(TRACE, {"StringValue": ""}):
        raise InvalidParameterValue(f"The only message system attribute is {TRACE}, a String.")
    doc = message_of(ctx.ids.uuid(), entry["MessageBody"], ctx.principal.principal_id or "anonymous", attributes)
    kept = {name: value["StringValue"] for name, value in system.items()}
    if group := entry.get("MessageGroupId"):
        kept["MessageGroupId"] = group[:GROUP_MAX]
    return {**doc, "System": kept} if kept else doc
