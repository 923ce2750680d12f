"""Stream sinks: places that events are sent to one by one, beside the log files.

endpoint: signed calls of an AWS-compatible service. logs: CloudWatch Logs. events: EventBridge. feed: the worker that follows
the journal for them. A sink gets every event at least once; `eventID` tells repeats apart.
"""

from collections.abc import Sequence
from typing import NamedTuple, Protocol

EVENT_BYTES_MAX = 256 * 1024
"""Larger events go to no stream sink. Source: CloudTrail User Guide."""


class Item(NamedTuple):
    """One event. destination: where the sink puts it (a log group's ARN; empty where there is no choice).

    stream: name of the log stream. time: eventTime in epoch seconds. event: the record as JSON.
    """

    seq: int
    region: str
    destination: str
    stream: str
    time: int
    event: bytes


class Sink(Protocol):
    """A place that events are sent to.

    put is repeated after any doubt, with events that are there perhaps. It may block; it is called on a thread. Raises: SinkError
    for events that have to be sent again. What the place will never take is left out with a line in the log.
    """

    def put(self, items: Sequence[Item]) -> None: ...
