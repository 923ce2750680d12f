"""EventBridge as a sink: events go to the default bus of their region.

Source: EventBridge User Guide, events from CloudTrail; EventBridge API Reference, PutEvents.
"""

import logging
from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Any, NamedTuple

import orjson

from apitrail.errors import SinkError
from apitrail.trail.sinks import EVENT_BYTES_MAX, Item
from apitrail.trail.sinks.endpoint import Endpoint

log = logging.getLogger("apitrail.sinks")
SERVICE, TARGET = "events", "AWSEvents"
ENTRIES_MAX = 10
BATCH_BYTES_MAX = 256 * 1024
TIME_BYTES = 14
OWN_SOURCE = "cloudtrail.amazonaws.com"
API_CALL = "AWS API Call via CloudTrail"
DETAIL_TYPES = {
    "AwsApiCall": API_CALL,
    "AwsConsoleSignIn": "AWS Console Signin via CloudTrail",
    "AwsConsoleAction": "AWS Console Action via CloudTrail",
    "AwsServiceEvent": "AWS Service Event via CloudTrail",
    "AwsCloudTrailInsight": "AWS Insight via CloudTrail",
    "AwsVpceEvent": "AWS Network Activity Event via CloudTrail",
}
REPEATED = frozenset(("InternalFailure", "InternalException", "ThrottlingException", "LimitExceededException"))


class Entry(NamedTuple):
    """An entry of PutEvents. size: as EventBridge counts it. seq: of the event."""

    seq: int
    size: int
    params: dict[str, Any]


def entry_of(item: Item) -> Entry:
    """Return an event as an entry: source `aws.<service>`, the type by the event's, the record as detail."""
    event = orjson.loads(item.event)
    service = (event.get("eventSource") or OWN_SOURCE).removesuffix(".amazonaws.com")
    source, kind = f"aws.{service}", DETAIL_TYPES.get(event.get("eventType", ""), API_CALL)
    params = {"Time": item.time, "Source": source, "DetailType": kind, "Detail": item.event.decode()}
    return Entry(item.seq, TIME_BYTES + len(source) + len(kind) + len(item.event), params)


class EventsSink:
    """Sends events with PutEvents."""

    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint = endpoint

    def put(self, items: Sequence[Item]) -> None:
        """Send events, in their order within a region. Raises: SinkError."""
        ordered = sorted(items, key=lambda item: (item.region, item.seq))
        for region, chosen in groupby(ordered, key=lambda item: item.region):
            for batch in batches([entry_of(item) for item in chosen]):
                self._put_batch(region, batch)

    def _put_batch(self, region: str, batch: list[Entry]) -> None:
        answer = self._endpoint.call(region, "PutEvents", {"Entries": [entry.params for entry in batch]})
        if not answer.get("FailedEntryCount"):
            return
        for entry, result in zip(batch, answer.get("Entries", ()), strict=False):
            code = result.get("ErrorCode")
            if code in REPEATED:
                raise SinkError(f"PutEvents: {code}", code=code, temporary=True)
            if code:
                log.warning("EventBridge does not take event %d: %s", entry.seq, code)


def batches(entries: Sequence[Entry]) -> Iterator[list[Entry]]:
    """Yield entries in batches that PutEvents takes; those that are too large are left out."""
    batch: list[Entry] = []
    size = 0
    for entry in entries:
        if entry.size > EVENT_BYTES_MAX:
            log.warning("event %d makes an entry of %d bytes and is not sent to EventBridge", entry.seq, entry.size)
            continue
        if batch and (len(batch) == ENTRIES_MAX or size + entry.size > BATCH_BYTES_MAX):
            yield batch
            batch, size = [], 0
        batch.append(entry)
        size += entry.size
    if batch:
        yield batch
