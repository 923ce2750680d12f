"""By which values an event is found, and how event history shows it. Pure.

Only the fields that look-up needs are read from a record, which is several times as fast as reading it whole.
Source: CloudTrail API Reference, LookupAttribute and Event; CloudTrail User Guide, event history.
"""

import zlib
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import msgspec
from msgspec import Struct

from apitrail.events.rules import is_read_only

Attribute = tuple[str, str]

MANAGEMENT_KEYS = (
    "EventId",
    "ResourceName",
    "AccessKeyId",
    "Username",
    "EventName",
    "ResourceType",
    "EventSource",
    "ReadOnly",
)
"""The attribute keys of management events, those that mostly leave the fewest events first."""

INSIGHT_KEYS = ("EventId", "EventName", "EventSource")
"""The attribute keys of Insights events."""

NAMED_AFTER_COLON = ("AssumedRole", "FederatedUser")
NAMED_BY_USER_NAME = ("IAMUser", "SAMLUser", "WebIdentityUser")

RANK_ID_BITS = 30
RANK_TIME_MAX = (1 << 63 - RANK_ID_BITS) - 1


class Identity(Struct, gc=False, frozen=True):
    """What look-up needs of userIdentity."""

    type: str = ""
    principalId: str | None = None
    userName: str | None = None
    accessKeyId: str | None = None


class Resource(Struct, gc=False, frozen=True):
    """An item of resources[]."""

    type: str | None = None
    ARN: str | None = None
    ARNPrefix: str | None = None


class InsightDetails(Struct, gc=False):
    """What look-up needs of an Insights event."""

    eventName: str | None = None
    eventSource: str | None = None


class Headline(Struct, gc=False):
    """What look-up needs of an event; the rest of the record is passed over."""

    eventID: str
    eventName: str | None = None
    eventSource: str | None = None
    readOnly: bool | None = None
    userIdentity: Identity | None = None
    resources: list[Resource] | None = None
    insightDetails: InsightDetails | None = None


_decoder = msgspec.json.Decoder(Headline)


def read_headline(text: bytes) -> Headline | None:
    """Return what look-up needs of a recorded event; None for a text that is no event.

    One damaged row must not end any reading, so nothing is raised.
    """
    try:
        return _decoder.decode(text)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None


def rank_of(time: int, event_id: str) -> int:
    """Return a number by which events are in order: by time (epoch seconds), within a second by event id.

    It fits 63 bits: the id takes part with its first 30 bits, or with a checksum if it is no UUID.
    """
    try:
        bits = int(event_id[:8], 16)
    except ValueError:
        bits = zlib.crc32(event_id.encode("utf-8", "replace"))
    return min(max(time, 0), RANK_TIME_MAX) << RANK_ID_BITS | (bits & 0xFFFFFFFF) >> 2


def attributes_of(event: Headline) -> list[Attribute]:
    """Return every (key, value) that an event is found by; one may stand there twice.

    A resource is found by its ARN and by the last part of it (`fleet-...`, a name); a resource type with and without
    its `AWS::Service::`. Insights events have their name and source in insightDetails.
    """
    found: list[tuple[str, str | None]] = [("EventId", event.eventID)]
    if event.insightDetails is not None:
        found += ("EventName", event.insightDetails.eventName), ("EventSource", event.insightDetails.eventSource)
        return _known(found)
    of_call = call_attributes(event.eventName, event.eventSource, event.readOnly, event.userIdentity)
    of_resources = [pair for item in event.resources or () for pair in resource_attributes(item)]
    return [*_known(found), *of_call, *of_resources]


def call_attributes(
    name: str | None, source: str | None, read_only: bool | None, identity: Identity | None
) -> list[Attribute]:
    """Return the attributes that many calls have in common: which operation, and whose."""
    identity = identity or Identity()
    said = read_only_text(name, source, read_only)
    found = [("EventName", name), ("EventSource", source), ("ReadOnly", said), ("Username", username_of(identity))]
    return _known([*found, ("AccessKeyId", identity.accessKeyId)])


def resource_attributes(item: Resource) -> list[Attribute]:
    """Return the attributes that a resource adds; one may stand there twice."""
    found: list[tuple[str, str | None]] = []
    for kind, name in _names_of(item):
        found.append(("ResourceName", name))
        if kind:
            found += ("ResourceType", kind), ("ResourceType", last_part("ResourceType", kind))
    return _known(found)


def last_part(key: str, value: str) -> str:
    """Return the part of a resource's name or type by which it is found as well: `fleet-1`, `Fleet`; the value if it has none."""
    if key == "ResourceType":
        return value.rpartition("::")[2] or value
    if key == "ResourceName":
        return value.rpartition("/" if "/" in value else ":")[2] or value
    return value


def _known(pairs: list[tuple[str, str | None]]) -> list[Attribute]:
    return [(key, value) for key, value in pairs if value]


def read_only_text(name: str | None, source: str | None, read_only: bool | None) -> str:
    """Return ReadOnly as text; by the rule for the operation's name where the record does not say it."""
    if read_only is None:
        read_only = is_read_only(name or "", source or "")
    return "true" if read_only else "false"


def username_of(identity: Identity) -> str | None:
    """Return the Username of a userIdentity: user, session or federated name, `root`, or None.

    Inferred: the session's name for role sessions; the API's documentation says "user name or role name".
    """
    if identity.type == "Root":
        return "root"
    if identity.type in NAMED_AFTER_COLON:
        return (identity.principalId or "").partition(":")[2] or None
    return identity.userName if identity.type in NAMED_BY_USER_NAME else None


def shown_event(event: Headline, time: int, text: bytes) -> dict[str, Any]:
    """Return an event as LookupEvents answers it, by the model's member names.

    time: epoch seconds. text: the event's JSON as recorded. ReadOnly is a text; what is not known is absent. A resource
    has one entry with its ARN and one with its name.
    """
    insight = event.insightDetails
    identity = event.userIdentity or Identity()
    shown = {
        "EventId": event.eventID,
        "EventName": insight.eventName if insight else event.eventName,
        "ReadOnly": None if insight else read_only_text(event.eventName, event.eventSource, event.readOnly),
        "AccessKeyId": identity.accessKeyId or None,
        "EventTime": datetime.fromtimestamp(time, UTC),
        "EventSource": insight.eventSource if insight else event.eventSource,
        "Username": username_of(identity),
        "Resources": [
            {"ResourceType": kind, "ResourceName": name} if kind else {"ResourceName": name}
            for item in event.resources or ()
            for kind, name in _names_of(item)
        ],
        "CloudTrailEvent": text.decode(),
    }
    return {member: value for member, value in shown.items() if value is not None}


def _names_of(item: Resource) -> Iterator[tuple[str, str]]:
    """Yield (type or "", name) of a resource: its ARN, then the last part of the ARN where that is a name."""
    arn, kind = item.ARN or item.ARNPrefix, item.type or ""
    if arn:
        yield kind, arn
        if (name := last_part("ResourceName", arn)) != arn:
            yield kind, name
