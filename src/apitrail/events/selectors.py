"""Event selectors: which events a trail or an event data store wants.

Selectors are compiled once into a predicate of the event; absent fields count as "not equal" in every negative
condition. Events of Insights are chosen by insight selectors, not here. Source: CloudTrail API Reference,
EventSelector and AdvancedEventSelector; CloudTrail User Guide, logging data events. What may be put is checked in
selector_rules.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from apitrail.events.record import Event
from apitrail.events.rules import is_read_only

Selectors = Sequence[Mapping[str, Any]]
Predicate = Callable[[Event], bool]
Test = Callable[[str | None], bool]

DEFAULT_SELECTORS: Selectors = (
    {
        "ReadWriteType": "All",
        "IncludeManagementEvents": True,
        "DataResources": [],
        "ExcludeManagementEventSources": [],
    },
)
"""What a trail has that was never given any selectors."""

WANTED_READS = {"All": (True, False), "ReadOnly": (True,), "WriteOnly": (False,)}


def compile_selectors(basic: Selectors | None, advanced: Selectors | None) -> Predicate:
    """Return the predicate that tells whether an event is wanted: by any of the selectors.

    basic: EventSelectors. advanced: AdvancedEventSelectors, which win. Neither: DEFAULT_SELECTORS. Both are
    expected to have passed selector_rules.validate_selectors.
    """
    compile_one = _advanced if advanced else _basic
    tests = [compile_one(selector) for selector in advanced or basic or DEFAULT_SELECTORS]
    if len(tests) == 1:
        return tests[0]
    return lambda event: any(test(event) for test in tests)


def category_of(event: Event) -> str:
    """Return an event's category, also for records older than eventCategory (1.07)."""
    category: str | None = event.get("eventCategory")
    if category is not None:
        return category
    return "Data" if event.get("managementEvent") is False else "Management"


def reads_only(event: Event) -> bool:
    """Return an event's readOnly, by the rule for its name where the record (older than 1.01) lacks it."""
    value = event.get("readOnly")
    if isinstance(value, bool):
        return value
    return is_read_only(event.get("eventName", ""), event.get("eventSource", ""))


def _basic(selector: Mapping[str, Any]) -> Predicate:
    wanted = WANTED_READS[selector.get("ReadWriteType", "All")]
    management = selector.get("IncludeManagementEvents", True)
    excluded = frozenset(selector.get("ExcludeManagementEventSources", ()))
    resources = {
        entry["Type"]: _data_values(entry["Type"], entry.get("Values", ()))
        for entry in _merged(selector.get("DataResources", ()))
    }

    def test(event: Event) -> bool:
        category = category_of(event)
        if category == "Management":
            chosen = management and event.get("eventSource") not in excluded
        else:
            chosen = category == "Data" and _any_resource(event, resources)
        return chosen and reads_only(event) in wanted

    return test


def _merged(entries: Selectors) -> list[dict[str, Any]]:
    """Return one entry per resource type, with the values of all entries of that type."""
    values: dict[str, list[str]] = {}
    for entry in entries:
        values.setdefault(entry["Type"], []).extend(entry.get("Values", ()))
    return [{"Type": kind, "Values": all_values} for kind, all_values in values.items()]


def _data_values(kind: str, values: Sequence[str]) -> Callable[[str], bool]:
    """Return whether an ARN matches a value: objects by prefix, the rest whole or by `arn:aws:<service>`."""
    if kind == "AWS::S3::Object":
        prefixes = tuple(values)
        return lambda arn: arn.startswith(prefixes)
    exact = frozenset(values)
    services = tuple(f"{value}:" for value in values if value.count(":") == 2)
    return lambda arn: arn in exact or arn.startswith(services)


def _any_resource(event: Event, wanted: Mapping[str, Callable[[str], bool]]) -> bool:
    for item in event.get("resources") or ():
        matches = wanted.get(item.get("type", ""))
        if matches is not None and matches(resource_arn(item) or ""):
            return True
    return False


def resource_arn(item: Mapping[str, Any]) -> str | None:
    """Return the ARN of an item of resources[], or the ARN prefix that stands in its place."""
    arn: str | None = item.get("ARN") or item.get("ARNPrefix")
    return arn


FIELDS: Mapping[str, Callable[[Event], str | None]] = {
    "eventCategory": category_of,
    "readOnly": lambda event: "true" if reads_only(event) else "false",
    "eventSource": lambda event: event.get("eventSource"),
    "eventName": lambda event: event.get("eventName"),
    "eventType": lambda event: event.get("eventType"),
    "sessionCredentialFromConsole": lambda event: event.get("sessionCredentialFromConsole"),
    "userIdentity.arn": lambda event: (event.get("userIdentity") or {}).get("arn"),
    "errorCode": lambda event: event.get("errorCode"),
    "vpcEndpointId": lambda event: event.get("vpcEndpointId"),
}
"""How the value of each selector field is read from an event."""

RESOURCE_FIELDS: Mapping[str, Callable[[Mapping[str, Any]], str | None]] = {
    "resources.type": lambda item: item.get("type"),
    "resources.ARN": resource_arn,
}
"""The same for fields of one item of resources[]."""


def _advanced(selector: Mapping[str, Any]) -> Predicate:
    conditions = selector["FieldSelectors"]
    tests = [(FIELDS[item["Field"]], _condition(item)) for item in conditions if item["Field"] in FIELDS]
    on_item = [
        (RESOURCE_FIELDS[item["Field"]], _condition(item)) for item in conditions if item["Field"] in RESOURCE_FIELDS
    ]

    def test(event: Event) -> bool:
        for read, passes in tests:
            if not passes(read(event)):
                return False
        if not on_item:
            return True
        items: Sequence[Mapping[str, Any]] = event.get("resources") or ({},)
        return any(all(passes(read(item)) for read, passes in on_item) for item in items)

    return test


def _condition(item: Mapping[str, Any]) -> Test:
    """Return the test of one field: no negative operator hits, and some positive one does if there are any."""
    equals, not_equals = frozenset(item.get("Equals", ())), frozenset(item.get("NotEquals", ()))
    starts, not_starts = tuple(item.get("StartsWith", ())), tuple(item.get("NotStartsWith", ()))
    ends, not_ends = tuple(item.get("EndsWith", ())), tuple(item.get("NotEndsWith", ()))
    positive = bool(equals or starts or ends)

    def test(value: str | None) -> bool:
        if value is None:
            return not positive
        if value in not_equals or value.startswith(not_starts) or value.endswith(not_ends):
            return False
        return not positive or value in equals or value.startswith(starts) or value.endswith(ends)

    return test
