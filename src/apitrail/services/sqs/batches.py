"""What batches have in common: up to ten entries with distinct ids, each of which succeeds or fails alone."""

import re
from collections.abc import Callable, Mapping
from typing import Any

from apitrail.errors import ServiceError
from apitrail.services.sqs.errors import (
    BatchEntryIdsNotDistinct,
    EmptyBatchRequest,
    InvalidBatchEntryId,
    TooManyEntriesInBatchRequest,
)

Entry = Mapping[str, Any]
ENTRIES_MAX = 10
ID = re.compile(r"[A-Za-z0-9_-]{1,80}", re.ASCII)


def check_entries(entries: list[Entry]) -> None:
    """Raise what is wrong with the entries of a batch as a whole."""
    ids = [entry["Id"] for entry in entries]
    if not ids:
        raise EmptyBatchRequest("There should be at least one entry in the request.")
    if len(ids) > ENTRIES_MAX:
        said = f"Maximum number of entries per request are {ENTRIES_MAX}. You have sent {len(ids)}."
        raise TooManyEntriesInBatchRequest(said)
    for id_ in ids:
        if not ID.fullmatch(id_):
            said = "A batch entry id can only contain alphanumeric characters, hyphens and underscores. "
            raise InvalidBatchEntryId(f"{said}It can be at most 80 letters long.")
        if ids.count(id_) > 1:
            raise BatchEntryIdsNotDistinct(f"Id {id_} repeated.")


def each(entries: list[Entry], do: Callable[[Entry], dict[str, Any]]) -> dict[str, Any]:
    """Return the answer of a batch: what do returns for each entry, or why it failed."""
    successful: list[dict[str, Any]] = []
    failed: list[dict[str, Any]] = []
    for entry in entries:
        try:
            successful.append({"Id": entry["Id"], **do(entry)})
        except ServiceError as error:
            reason = {"Code": error.error_code, "Message": error.message, "SenderFault": error.error_status < 500}
            failed.append({"Id": entry["Id"], **reason})
    return {"Successful": successful, "Failed": failed}
