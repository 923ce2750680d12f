"""What is read out of an event's record for one line on a terminal.

Source: CloudTrail User Guide, record contents and userIdentity; the user name is that of LookupEvents.
"""

from collections.abc import Iterator, Mapping
from datetime import tzinfo
from typing import Any

from apitrail.cli.terminal import Pen, clean, cut, pad
from apitrail.cli.times import for_people

Record = Mapping[str, Any]
PRINCIPAL_COLUMNS, ADDRESS_COLUMNS, EVENT_COLUMNS = 24, 15, 42


def text_of(record: Record, *path: str) -> str:
    """Return the text at a path of names, empty when it is absent or no text."""
    value: Any = record
    for name in path:
        value = value.get(name) if isinstance(value, Mapping) else None
    return value if isinstance(value, str) else ""


def user_name(record: Record) -> str:
    """Return who called, as LookupEvents names it: `root`, the user, or the name of the session; may be empty."""
    kind = text_of(record, "userIdentity", "type")
    if kind == "Root":
        return "root"
    if kind in ("AssumedRole", "FederatedUser"):
        return text_of(record, "userIdentity", "principalId").partition(":")[2]
    return text_of(record, "userIdentity", "userName")


def principal_label(record: Record) -> str:
    """Return who called, for people: a role session is `role/session`, a service its name."""
    user = user_name(record)
    role = text_of(record, "userIdentity", "sessionContext", "sessionIssuer", "userName")
    if role and text_of(record, "userIdentity", "type") == "AssumedRole":
        return f"{role}/{user}"
    identity = ("invokedBy", "principalId", "accountId", "type")
    return user or next((found for name in identity if (found := text_of(record, "userIdentity", name))), "-")


def service_of(record: Record) -> str:
    """Return the service's short name: `gamelift` for gamelift.amazonaws.com."""
    return text_of(record, "eventSource").removesuffix(".amazonaws.com")


def event_label(record: Record) -> str:
    """Return `service:name`."""
    return f"{service_of(record)}:{text_of(record, 'eventName')}"


def result_of(record: Record) -> str:
    """Return the error code, or `ok`."""
    return text_of(record, "errorCode") or "ok"


def resources_of(record: Record) -> Iterator[Record]:
    """Yield the event's resources."""
    listed = record.get("resources")
    for resource in listed if isinstance(listed, list) else ():
        if isinstance(resource, Mapping):
            yield resource


def resource_names(record: Record) -> set[str]:
    """Return what LookupEvents finds the event's resources by: their ARNs and the last parts of them."""
    found: set[str] = set()
    for resource in resources_of(record):
        arn = text_of(resource, "ARN") or text_of(resource, "ARNPrefix")
        found |= {arn, arn.rpartition("/" if "/" in arn else ":")[2]}
    return found - {""}


def resource_types(record: Record) -> set[str]:
    """Return the types of the event's resources, with and without their `AWS::Service::`."""
    types = {text_of(resource, "type") for resource in resources_of(record)}
    return types | {kind.rpartition("::")[2] for kind in types}


def tail_line(record: Record, pen: Pen, zone: tzinfo | None, columns: int) -> str:
    """Return one aligned line: time, principal, source address, service:name, result."""
    failed = "errorCode" in record
    colour = "red" if failed else "" if record.get("readOnly") is True else "yellow"
    time = for_people(text_of(record, "eventTime"), zone)
    parts = (
        (principal_label(record), PRINCIPAL_COLUMNS, ""),
        (text_of(record, "sourceIPAddress"), ADDRESS_COLUMNS, "dim"),
        (event_label(record), EVENT_COLUMNS, colour),
    )
    cells = [pen.paint("dim", time)]
    cells += [pen.paint(paint, pad(cut(clean(text), width), width)) for text, width, paint in parts]
    left = columns - len(time) - PRINCIPAL_COLUMNS - ADDRESS_COLUMNS - EVENT_COLUMNS - 8
    result = cut(clean(result_of(record)), max(left, 12))
    return "  ".join([*cells, pen.paint("red" if failed else "green", result)])


def sentence(record: Record, zone: tzinfo | None) -> str:
    """Return an event in one sentence."""
    outcome = f"refused: {text_of(record, 'errorCode')}" if "errorCode" in record else "allowed"
    return (
        f"{principal_label(record)} called {event_label(record)} in {text_of(record, 'awsRegion')} from "
        f"{text_of(record, 'sourceIPAddress')} at {for_people(text_of(record, 'eventTime'), zone)}, {outcome}"
    )


def flat_fields(value: Any, name: str = "") -> dict[str, Any]:
    """Return the leaves of a record by their path: `userIdentity.type`, `resources[0].ARN`."""
    if isinstance(value, Mapping) and value:
        return {
            path: leaf
            for key, part in value.items()
            for path, leaf in flat_fields(part, f"{name}.{key}" if name else str(key)).items()
        }
    if isinstance(value, list) and value:
        return {p: leaf for n, part in enumerate(value) for p, leaf in flat_fields(part, f"{name}[{n}]").items()}
    return {name: value}
