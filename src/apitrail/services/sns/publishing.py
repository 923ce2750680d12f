"""Publish and PublishBatch: from a call to rows that the courier delivers. Source: SNS API Reference."""

import re
from collections.abc import Mapping
from typing import Any

from apitrail.errors import ServiceError
from apitrail.services.context import Context
from apitrail.services.operation import operation
from apitrail.services.sns.access import Params, Result, topic_of
from apitrail.services.sns.contents import BYTES_MAX, checked_contents, message_size
from apitrail.services.sns.errors import (
    BatchEntryIdsNotDistinct,
    BatchRequestTooLong,
    EmptyBatchRequest,
    InvalidBatchEntryId,
    TooManyEntriesInBatchRequest,
    invalid,
)
from apitrail.services.sns.subscribers import new_message, publish
from apitrail.store.resources import Doc

ENTRIES_MAX = 10
ID = re.compile(r"[A-Za-z0-9_-]{1,80}", re.ASCII)


@operation
def publish_(ctx: Context, params: Params) -> Result:
    """Publish a message; it goes to every subscription that wants it, after the commit.

    Raises: InvalidParameter, ParameterValueInvalid, NotFound, AuthorizationError.
    """
    targets = [member for member in ("TopicArn", "TargetArn", "PhoneNumber") if member in params]
    if len(targets) != 1:
        raise invalid("TopicArn or TargetArn", "exactly one of TopicArn, TargetArn and PhoneNumber is needed")
    if targets[0] == "PhoneNumber":
        raise invalid("PhoneNumber", "text messages are not served by this version")
    return _publish(ctx, topic_of(ctx, params, "Publish", targets[0]), params)


@operation
def publish_batch(ctx: Context, params: Params) -> Result:
    """Publish up to ten messages, each on its own. Raises: what is wrong with the batch as a whole."""
    topic, entries = topic_of(ctx, params, "Publish"), params["PublishBatchRequestEntries"]
    _check_entries(entries)
    successful: list[dict[str, Any]] = []
    failed: list[dict[str, Any]] = []
    for entry in entries:
        try:
            successful.append({"Id": entry["Id"], **_publish(ctx, topic, entry)})
        except ServiceError as error:
            reason = {"Code": error.error_code, "Message": error.message, "SenderFault": True}
            failed.append({"Id": entry["Id"], **reason})
    return {"Successful": successful, "Failed": failed}


def _publish(ctx: Context, topic: Doc, params: Mapping[str, Any]) -> Result:
    contents = checked_contents(params)
    message = new_message(ctx, topic["TopicArn"], contents.pop("Message"), **contents)
    publish(ctx, message)
    return {"MessageId": message["MessageId"]}


def _check_entries(entries: list[Mapping[str, Any]]) -> None:
    ids = [entry["Id"] for entry in entries]
    if not ids:
        raise EmptyBatchRequest("The batch request doesn't contain any entries.")
    if len(ids) > ENTRIES_MAX:
        raise TooManyEntriesInBatchRequest("The batch request contains more entries than permissible.")
    if not all(ID.fullmatch(id_) for id_ in ids):
        raise InvalidBatchEntryId("The Id of a batch entry in a batch request doesn't abide by the specification.")
    if len(set(ids)) != len(ids):
        raise BatchEntryIdsNotDistinct("Two or more batch entries in the request have the same Id.")
    if sum(map(message_size, entries)) > BYTES_MAX:
        raise BatchRequestTooLong("The length of all the batch messages put together is more than the limit.")
