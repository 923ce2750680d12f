"""The event as a value: its field order, versions and bytes.

An `Event` is a plain dict whose keys stand in `FIELD_ORDER`; optional fields are absent, never null. Fields not
listed here (`apiVersion`, `eventContext`, ...) are never written. Sources: CloudTrail User Guide, record contents;
the order is that of delivered log files.
"""

import math
from datetime import UTC, datetime
from typing import Any, Literal

import orjson

Event = dict[str, Any]
EventVersion = Literal["1.11", "1.04"]

EVENT_VERSION: EventVersion = "1.11"
COMPATIBLE_VERSION: EventVersion = "1.04"

FIELD_ORDER = (
    "eventVersion",
    "userIdentity",
    "eventTime",
    "eventSource",
    "eventName",
    "awsRegion",
    "sourceIPAddress",
    "userAgent",
    "errorCode",
    "errorMessage",
    "requestParameters",
    "responseElements",
    "additionalEventData",
    "requestID",
    "eventID",
    "readOnly",
    "resources",
    "eventType",
    "managementEvent",
    "recipientAccountId",
    "sharedEventID",
    "vpcEndpointId",
    "eventCategory",
    "tlsDetails",
    "sessionCredentialFromConsole",
)

INT64_MIN, UINT64_MAX = -(2**63), 2**64 - 1
INT_BITS_SHOWN_MAX = 1024


def event_time(at: datetime) -> str:
    """Return a moment as `eventTime` writes it: `2026-03-04T09:15:02Z`, cut to the second. at: aware."""
    utc = at if at.tzinfo is UTC else at.astimezone(UTC)
    return utc.isoformat(timespec="seconds")[:19] + "Z"


def encode(event: Event) -> bytes:
    """Return the event as compact UTF-8 JSON.

    Text that is not Unicode (lone surrogates) is written with ? in its place, and integers that no
    reader could hold as text: a caller's odd value must not keep the call from being recorded.
    """
    try:
        return orjson.dumps(event)
    except TypeError:
        return orjson.dumps(_writable(event))


def decode(text: bytes | str) -> Event:
    """Return the event of its JSON text. Raises: ValueError when it is not a JSON object."""
    event = orjson.loads(text)
    if not isinstance(event, dict):
        raise ValueError("an event is a JSON object")
    return event


def encoded_size(value: Any) -> int:
    """Return the length of a value's compact JSON in bytes."""
    return len(encode(value))


def number_text(value: float) -> float | str:
    """Return a number as records write it: itself, or `NaN`, `Infinity`, `-Infinity` where JSON has no number.

    Source: the AWS JSON protocols, which write these three as text.
    """
    if isinstance(value, int) or math.isfinite(value):
        return value
    return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"


def _writable(value: Any) -> Any:
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode() if not value.isascii() else value
    if isinstance(value, bool) or not isinstance(value, int | dict | list | tuple):
        return value
    if isinstance(value, dict):
        return {_writable(key): _writable(item) for key, item in value.items()}
    if isinstance(value, int):
        return _writable_int(value)
    return [_writable(item) for item in value]


def _writable_int(value: int) -> int | str:
    if INT64_MIN <= value <= UINT64_MAX:
        return value
    bits = value.bit_length()
    return str(value) if bits <= INT_BITS_SHOWN_MAX else f"integer of {bits} bits"
