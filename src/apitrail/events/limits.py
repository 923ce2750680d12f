"""The size limits of a record: first each field, then the whole event.

Sizes are bytes of the compact UTF-8 JSON. Text over its limit is cut, an object over its limit is replaced by a note
that says how large it was. Sources: CloudTrail User Guide (record contents; the order of reduction is that of event
data stores); the form of the note is known from public reports.
"""

from typing import Any

from apitrail.events.record import Event, encode, encoded_size

KB = 1024
TEXT_BYTES_MAX = 1 * KB
CUT_TEXT_BYTES = 128
EVENT_BYTES_MAX = 256 * KB
RESOURCE_COUNT_MAX = 256

OBJECT_BYTES_MAX = {
    "requestParameters": 100 * KB,
    "responseElements": 100 * KB,
    "additionalEventData": 28 * KB,
}
SMALLEST_OBJECT_LIMIT = min(OBJECT_BYTES_MAX.values())

REDUCED_IN_ORDER = (
    "requestID",
    "additionalEventData",
    "userAgent",
    "errorCode",
    "responseElements",
    "requestParameters",
    "errorMessage",
    "resources",
)
"""What gives way, one after another, while an event is over its ceiling. Inferred: that resources come last."""


def cut_text(text: str, bytes_max: int = TEXT_BYTES_MAX) -> str:
    """Return the text, cut so that its JSON form without the quotes has at most bytes_max bytes."""
    if len(text) <= bytes_max // 6 or encoded_size(text) - 2 <= bytes_max:
        return text
    size = 0
    for position, character in enumerate(text):
        size += encoded_size(character) - 2
        if size > bytes_max:
            return text[:position]
    return text


def fit(event: Event) -> bytes:
    """Return the event's bytes within all limits, changing the event where it is over one.

    Texts are expected to be cut already (cut_text). Most events are smaller than the smallest limit of any object,
    so one encoding is all they cost.
    """
    text = encode(event)
    if len(text) <= SMALLEST_OBJECT_LIMIT:
        return text
    for name, bytes_max in OBJECT_BYTES_MAX.items():
        _limit_object(event, name, bytes_max, f"{name} too large")
    text = encode(event)
    return text if len(text) <= EVENT_BYTES_MAX else _reduce(event)


def _reduce(event: Event) -> bytes:
    for name in REDUCED_IN_ORDER:
        value = event.get(name)
        if value is None:
            continue
        if isinstance(value, str):
            event[name] = cut_text(value, CUT_TEXT_BYTES)
        elif isinstance(value, list):
            del event[name]
        else:
            _limit_object(event, name, CUT_TEXT_BYTES, "event too large")
        text = encode(event)
        if len(text) <= EVENT_BYTES_MAX:
            return text
    raise AssertionError("an event without content is over its ceiling")


def _limit_object(event: Event, name: str, bytes_max: int, reason: str) -> None:
    value: Any = event.get(name)
    if value is None:
        return
    size = encoded_size(value)
    if size > bytes_max:
        event[name] = {"omitted": True, "originalSize": size, "reason": reason}
