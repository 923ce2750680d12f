"""Done with a message, or not yet: delete it, or change when others may receive it. Source: SQS API Reference."""

from apitrail.services.context import Context
from apitrail.services.operation import operation
from apitrail.services.queues import drop_message
from apitrail.services.sqs.access import Params, Result, queue_of
from apitrail.services.sqs.attributes import NUMBERS
from apitrail.services.sqs.batches import Entry, check_entries, each
from apitrail.services.sqs.errors import InvalidParameterValue, MessageNotInflight
from apitrail.services.sqs.receipts import held_message
from apitrail.store.resources import Doc

VISIBILITY_MAX_S = NUMBERS["VisibilityTimeout"][1]


@operation
def delete_message(ctx: Context, params: Params) -> None:
    """Remove a message by the handle of its latest reception; one that is gone, or was received again since, is left alone."""
    _delete(ctx, queue_of(ctx, params, "DeleteMessage"), params)


@operation
def delete_message_batch(ctx: Context, params: Params) -> Result:
    """Remove up to ten messages, each on its own."""
    queue = queue_of(ctx, params, "DeleteMessage")
    check_entries(params["Entries"])
    return each(params["Entries"], lambda entry: _delete(ctx, queue, entry))


@operation
def change_message_visibility(ctx: Context, params: Params) -> None:
    """Set, from now on, how long a message stays hidden. Raises: MessageNotInflight, InvalidParameterValue."""
    _change(ctx, queue_of(ctx, params, "ChangeMessageVisibility"), params)


@operation
def change_message_visibility_batch(ctx: Context, params: Params) -> Result:
    """Set how long up to ten messages stay hidden, each on its own."""
    queue = queue_of(ctx, params, "ChangeMessageVisibility")
    check_entries(params["Entries"])
    return each(params["Entries"], lambda entry: _change(ctx, queue, entry))


def _delete(ctx: Context, queue: Doc, entry: Entry) -> Result:
    held = held_message(ctx.tx, queue["QueueArn"], entry["ReceiptHandle"])
    if held is not None:
        drop_message(ctx.tx, queue["QueueArn"], held.id)
    return {}


def _change(ctx: Context, queue: Doc, entry: Entry) -> Result:
    hidden_s, now = entry.get("VisibilityTimeout", 30), ctx.now.timestamp()
    if not 0 <= hidden_s <= VISIBILITY_MAX_S:
        said = f"Reason: Must be between 0 and {VISIBILITY_MAX_S}."
        raise InvalidParameterValue(f"Value {hidden_s} for parameter VisibilityTimeout is invalid. {said}")
    held = held_message(ctx.tx, queue["QueueArn"], entry["ReceiptHandle"])
    if held is None:
        said = "Reason: Message does not exist or is not available for visibility timeout change."
        raise InvalidParameterValue(f"Value {entry['ReceiptHandle']} for parameter ReceiptHandle is invalid. {said}")
    if held.visible_at <= now:
        raise MessageNotInflight("The message is not in flight.")
    ctx.tx.run("UPDATE queue_messages SET visible_at = ? WHERE id = ?", (now + hidden_s, held.id))
    if hidden_s == 0:
        ctx.wake(queue["QueueArn"])
    return {}
