"""What event selectors may be put: limits, fields and operators as tables.

Source: CloudTrail API Reference (EventSelector, AdvancedEventSelector, PutEventSelectors, CreateEventDataStore).
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal, NoReturn

from apitrail.errors import ServiceError
from apitrail.events.selectors import WANTED_READS, Selectors

Holder = Literal["trail", "store"]

BASIC_SELECTOR_COUNT_MAX = 5
STORE_SELECTOR_COUNT_MAX = 5
DATA_VALUE_COUNT_MAX = 250
ADVANCED_VALUE_COUNT_MAX = 500
VALUE_LENGTH_MAX = 2048
NAME_LENGTH_MAX = 1000

POSITIVE = ("Equals", "StartsWith", "EndsWith")
NEGATIVE = ("NotEquals", "NotStartsWith", "NotEndsWith")
OPERATORS = POSITIVE + NEGATIVE

EXCLUDABLE_SOURCES = ("kms.amazonaws.com", "rdsdata.amazonaws.com")

DATA_VALUES: Mapping[str, re.Pattern[str]] = {
    "AWS::S3::Object": re.compile(r"arn:aws[a-z-]*:s3(:::([^/]+/.*)?)?", re.DOTALL),
    "AWS::Lambda::Function": re.compile(r"arn:aws[a-z-]*:lambda(:[a-z0-9-]+:\d{12}:function:.+)?"),
    "AWS::DynamoDB::Table": re.compile(r"arn:aws[a-z-]*:dynamodb(:[a-z0-9-]+:\d{12}:table/.+)?"),
}
"""The values a DataResources entry of each type may have; without its group a value means everything."""
EVERYTHING = re.compile(r"arn:aws[a-z-]*:(s3(:::)?|lambda|dynamodb)")


class InvalidEventSelectorsException(ServiceError):
    """The selectors cannot be put as they are."""

    code = "InvalidEventSelectorsException"


@dataclass(frozen=True, slots=True)
class FieldRule:
    """What may be asked of a field. values: the only values allowed; empty: any. single: exactly one value."""

    operators: tuple[str, ...] = OPERATORS
    values: tuple[str, ...] = ()
    required: bool = False
    single: bool = False


ANY = FieldRule()
CATEGORY = FieldRule(("Equals",), required=True, single=True)
READ_ONLY = FieldRule(("Equals",), ("true", "false"))
CONSOLE = FieldRule(("Equals", "NotEquals"), ("true",))

_EVENT_FIELDS: Mapping[str, FieldRule] = {
    "eventCategory": CATEGORY,
    "readOnly": READ_ONLY,
    "eventSource": ANY,
    "eventName": ANY,
    "eventType": ANY,
    "sessionCredentialFromConsole": CONSOLE,
    "userIdentity.arn": ANY,
}
_DATA_FIELDS: Mapping[str, FieldRule] = {
    **_EVENT_FIELDS,
    "resources.type": FieldRule(("Equals",), required=True, single=True),
    "resources.ARN": ANY,
}
_NETWORK_FIELDS: Mapping[str, FieldRule] = {
    "eventCategory": CATEGORY,
    "eventSource": FieldRule(("Equals",), required=True, single=True),
    "eventName": ANY,
    "errorCode": FieldRule(("Equals",), ("VpceAccessDenied",)),
    "vpcEndpointId": ANY,
}
_CATEGORY_ALONE: Mapping[str, FieldRule] = {"eventCategory": CATEGORY}

FIELD_RULES: Mapping[Holder, Mapping[str, Mapping[str, FieldRule]]] = {
    "trail": {
        "Management": {
            "eventCategory": CATEGORY,
            "readOnly": READ_ONLY,
            "eventSource": FieldRule(("NotEquals",), EXCLUDABLE_SOURCES),
        },
        "Data": _DATA_FIELDS,
        "NetworkActivity": _NETWORK_FIELDS,
    },
    "store": {
        "Management": _EVENT_FIELDS,
        "Data": _DATA_FIELDS,
        "NetworkActivity": _NETWORK_FIELDS,
        "Insight": _CATEGORY_ALONE,
        "ConfigurationItem": _CATEGORY_ALONE,
        "Evidence": _CATEGORY_ALONE,
        "ActivityAuditLog": _CATEGORY_ALONE,
    },
}
"""Fields by holder (trail or event data store) and category."""


def validate_selectors(basic: Selectors | None, advanced: Selectors | None, holder: Holder = "trail") -> None:
    """Accept the selectors of one request or say what is wrong with them. None: that kind was not given.

    Raises: InvalidEventSelectorsException.
    """
    if basic is not None and advanced is not None:
        _refuse("Give either EventSelectors or AdvancedEventSelectors, not both.")
    if basic is None and advanced is None:
        _refuse("Give EventSelectors or AdvancedEventSelectors.")
    if basic is not None:
        _check_basic(basic, holder)
    if advanced is not None:
        _check_advanced(advanced, holder)


def _refuse(message: str) -> NoReturn:
    raise InvalidEventSelectorsException(message)


def _check_basic(selectors: Selectors, holder: Holder) -> None:
    if holder == "store":
        _refuse("An event data store takes AdvancedEventSelectors only.")
    if not 1 <= len(selectors) <= BASIC_SELECTOR_COUNT_MAX:
        _refuse(f"A trail takes 1 to {BASIC_SELECTOR_COUNT_MAX} EventSelectors; {len(selectors)} were given.")
    for selector in selectors:
        _check_basic_selector(selector)
    budget = sum(not EVERYTHING.fullmatch(value) for _, value in _data_values(selectors))
    if budget > DATA_VALUE_COUNT_MAX:
        _refuse(f"A trail takes at most {DATA_VALUE_COUNT_MAX} DataResources values; {budget} were given.")


def _check_basic_selector(selector: Mapping[str, Any]) -> None:
    if selector.get("ReadWriteType", "All") not in WANTED_READS:
        _refuse(f"ReadWriteType must be one of {', '.join(WANTED_READS)}.")
    for source in selector.get("ExcludeManagementEventSources", ()):
        if source not in EXCLUDABLE_SOURCES:
            _refuse(f"ExcludeManagementEventSources takes only {' and '.join(EXCLUDABLE_SOURCES)}.")
    for kind, value in _data_values([selector]):
        if kind not in DATA_VALUES:
            _refuse(f"DataResources Type '{_shown(kind)}' is not one of {', '.join(DATA_VALUES)}.")
        if not DATA_VALUES[kind].fullmatch(value):
            _refuse(f"Value '{_shown(value)}' for DataResources of type {kind} is not valid.")


def _data_values(selectors: Selectors) -> Iterator[tuple[str, str]]:
    """Yield (type, value) of all DataResources; a resource without values is refused."""
    for selector in selectors:
        for entry in selector.get("DataResources", ()):
            kind, values = entry.get("Type"), entry.get("Values")
            if not kind or not values:
                _refuse("Each entry of DataResources needs a Type and at least one value in Values.")
            for value in values:
                yield kind, value


def _check_advanced(selectors: Selectors, holder: Holder) -> None:
    if not selectors:
        _refuse("AdvancedEventSelectors must not be empty.")
    if holder == "store" and len(selectors) > STORE_SELECTOR_COUNT_MAX:
        _refuse(
            f"An event data store takes at most {STORE_SELECTOR_COUNT_MAX} AdvancedEventSelectors;"
            f" {len(selectors)} were given."
        )
    for selector in selectors:
        _check_advanced_selector(selector, holder)
    count = sum(
        len(item.get(name, ())) for selector in selectors for item in selector["FieldSelectors"] for name in OPERATORS
    )
    if holder == "trail" and count > ADVANCED_VALUE_COUNT_MAX:
        _refuse(f"A trail takes at most {ADVANCED_VALUE_COUNT_MAX} values over all conditions; {count} were given.")


def _check_advanced_selector(selector: Mapping[str, Any], holder: Holder) -> None:
    if len(selector.get("Name", "")) > NAME_LENGTH_MAX:
        _refuse(f"The Name of a selector has at most {NAME_LENGTH_MAX} characters.")
    conditions = selector.get("FieldSelectors")
    if not conditions:
        _refuse("Each selector needs at least one entry in FieldSelectors.")
    category = _category(conditions, holder)
    rules = FIELD_RULES[holder][category]
    for item in conditions:
        field = item.get("Field", "")
        rule = rules.get(field)
        if rule is None:
            _refuse(f"Field '{_shown(field)}' cannot be selected for {category} events; use {', '.join(rules)}.")
        _check_condition(item, field, rule)
    given = {item["Field"] for item in conditions}
    for field, rule in rules.items():
        if rule.required and field not in given:
            _refuse(f"A selector of {category} events needs the field {field}.")


def _category(conditions: Selectors, holder: Holder) -> str:
    values = [value for item in conditions if item.get("Field") == "eventCategory" for value in item.get("Equals", ())]
    known = FIELD_RULES[holder]
    if len(values) != 1 or values[0] not in known:
        _refuse(f"Each selector needs the field eventCategory with Equals one of {', '.join(known)}.")
    category: str = values[0]
    return category


def _check_condition(item: Mapping[str, Any], field: str, rule: FieldRule) -> None:
    used = [name for name in OPERATORS if name in item]
    if not used:
        _refuse(f"Field {field} needs an operator: {', '.join(rule.operators)}.")
    for name in used:
        if name not in rule.operators:
            _refuse(f"Field {field} cannot be used with {name}; use {', '.join(rule.operators)}.")
        _check_values(item[name], f"{field} {name}", rule)


def _check_values(values: list[str], where: str, rule: FieldRule) -> None:
    if not values:
        _refuse(f"{where} needs at least one value.")
    if rule.single and len(values) != 1:
        _refuse(f"{where} takes exactly one value; {len(values)} were given.")
    for value in values:
        if not 1 <= len(value) <= VALUE_LENGTH_MAX:
            _refuse(f"A value of {where} has 1 to {VALUE_LENGTH_MAX} characters.")
        if rule.values and value not in rule.values:
            _refuse(f"{where} takes only {', '.join(rule.values)}.")


def _shown(value: str) -> str:
    return value if len(value) <= 100 else value[:100] + "..."
