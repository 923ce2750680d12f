"""CloudWatch Logs as a sink: one log event per event, one log stream per account and region.

Source: CloudWatch Logs API Reference, PutLogEvents and CreateLogStream; CloudTrail User Guide, sending events to CloudWatch Logs.
"""

import logging
from collections.abc import Iterator, Sequence
from itertools import groupby

from apitrail.arn import parse_arn
from apitrail.errors import SinkError
from apitrail.trail.sinks import EVENT_BYTES_MAX, Item
from apitrail.trail.sinks.endpoint import Endpoint

log = logging.getLogger("apitrail.sinks")
SERVICE, TARGET = "logs", "Logs_20140328"
BATCH_EVENTS_MAX = 10_000
BATCH_BYTES_MAX = 1_048_576
EVENT_OVERHEAD_BYTES = 26
BATCH_SPAN_S = 24 * 3600 - 1


def stream_name(organization: str, account: str, region: str) -> str:
    """Return the log stream of a trail's events. Inferred: that an organization's id and the account stand both in it."""
    return f"{organization}_{account}_CloudTrail_{region}" if organization else f"{account}_CloudTrail_{region}"


class LogsSink:
    """Writes into the log groups that trails name, in the order of the events' times. Streams are made when missing."""

    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint = endpoint

    def put(self, items: Sequence[Item]) -> None:
        """Write events. Raises: SinkError."""
        ordered = sorted(items, key=lambda item: (item.destination, item.stream, item.time, item.seq))
        for (group, stream), chosen in groupby(ordered, key=lambda item: (item.destination, item.stream)):
            for batch in batches(list(chosen)):
                self._put_batch(group, stream, batch)

    def _put_batch(self, group_arn: str, stream: str, batch: list[Item]) -> None:
        arn = parse_arn(group_arn)
        assert arn is not None, f"{group_arn} was stored as a log group"
        where = {"logGroupName": group_name(arn.resource), "logStreamName": stream}
        events = [{"timestamp": item.time * 1000, "message": item.event.decode()} for item in batch]
        params = {**where, "logEvents": events}
        try:
            answer = self._endpoint.call(arn.region, "PutLogEvents", params)
        except SinkError as error:
            if error.code != "ResourceNotFoundException":
                raise
            self._make_stream(arn.region, where)
            answer = self._endpoint.call(arn.region, "PutLogEvents", params)
        if rejected := answer.get("rejectedLogEventsInfo"):
            log.warning("log group %s took not all of %d events: %s", group_arn, len(batch), rejected)

    def _make_stream(self, region: str, where: dict[str, str]) -> None:
        try:
            self._endpoint.call(region, "CreateLogStream", where)
        except SinkError as error:
            if error.code != "ResourceAlreadyExistsException":
                raise


def group_name(resource: str) -> str:
    """Return a log group's name from the last part of its ARN: `log-group:<name>[:*]`."""
    return resource.removeprefix("log-group:").removesuffix(":*")


def batches(items: Sequence[Item]) -> Iterator[list[Item]]:
    """Yield events, ordered by time, in batches that PutLogEvents takes; those that are too large are left out."""
    batch: list[Item] = []
    size = 0
    for item in items:
        if len(item.event) > EVENT_BYTES_MAX:
            log.warning("event %d has %d bytes and is not sent to CloudWatch Logs", item.seq, len(item.event))
            continue
        bytes_more = len(item.event) + EVENT_OVERHEAD_BYTES
        full = len(batch) == BATCH_EVENTS_MAX or size + bytes_more > BATCH_BYTES_MAX
        if batch and (full or item.time - batch[0].time > BATCH_SPAN_S):
            yield batch
            batch, size = [], 0
        batch.append(item)
        size += bytes_more
    if batch:
        yield batch
