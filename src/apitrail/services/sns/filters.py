"""Filter policies: which messages a subscription wants. Pure; compiled once per policy.

A policy names attributes (or members of a JSON body, nested) with lists of conditions: all names must match, one condition
each is enough. Source: SNS Developer Guide, "Amazon SNS subscription filter policies".
"""

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

import orjson

NAMES_MAX = 5
COMBINATIONS_MAX = 150
LENGTH_MAX = 256 * 1024
DEPTH_MAX = 10
SCOPES = ("MessageAttributes", "MessageBody")
OR = "$or"

Wanted = Callable[[Mapping[str, Any]], bool]
Values = list[Any] | None
"""What a message has under a name; None where it has nothing."""
Condition = Callable[[Values], bool]


class FilterError(ValueError):
    """A filter policy that cannot be used; the text says why."""


@lru_cache(maxsize=4096)
def compile_filter(text: str, scope: str) -> Wanted:
    """Return whether a message is wanted, as a function of its attributes (see attribute_values) or its body's members.

    text: the policy. scope: one of SCOPES. Raises: FilterError.
    """
    if len(text) > LENGTH_MAX:
        raise FilterError(f"it is longer than {LENGTH_MAX} characters")
    try:
        policy = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise FilterError("failed to parse JSON") from error
    if not isinstance(policy, dict):
        raise FilterError("it must be a JSON object")
    _check_size(policy)
    return _members(policy, scope == "MessageBody", 1)


def attribute_values(attributes: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Return what filters see of message attributes: texts, numbers, and the items of arrays; no binary ones."""
    return {name: _attribute(value) for name, value in attributes.items() if "StringValue" in value}


def body_members(text: str) -> dict[str, Any] | None:
    """Return the members of a JSON body, or None when it is no JSON object."""
    try:
        body = orjson.loads(text)
    except orjson.JSONDecodeError:
        return None
    return body if isinstance(body, dict) else None


def _attribute(value: Mapping[str, Any]) -> Any:
    text = value["StringValue"]
    if value["DataType"].startswith(("Number", "String.Array")):
        try:
            return orjson.loads(text)
        except orjson.JSONDecodeError:
            return text
    return text


def _check_size(policy: dict[str, Any]) -> None:
    counts = [count for _, count in _leaves(policy)]
    combinations = 1
    for count in counts:
        combinations *= max(1, count)
    if len(counts) > NAMES_MAX:
        raise FilterError(f"Filter policy can not have more than {NAMES_MAX} keys")
    if combinations > COMBINATIONS_MAX:
        raise FilterError("Filter policy is too complex")


def _leaves(policy: dict[str, Any], depth: int = 1) -> list[tuple[str, int]]:
    if depth > DEPTH_MAX:
        raise FilterError(f"it is nested more than {DEPTH_MAX} levels deep")
    found = []
    for name, value in policy.items():
        if name == OR and isinstance(value, list):
            found += [leaf for item in value if isinstance(item, dict) for leaf in _leaves(item, depth + 1)]
        elif isinstance(value, dict):
            found += _leaves(value, depth + 1)
        else:
            found.append((name, len(value) if isinstance(value, list) else 1))
    return found


def _members(policy: dict[str, Any], nested: bool, depth: int) -> Wanted:
    tests = [_member(name, value, nested, depth) for name, value in policy.items()]
    return lambda members: all(test(members) for test in tests)


def _member(name: str, value: Any, nested: bool, depth: int) -> Wanted:
    if name == OR:
        if not isinstance(value, list) or len(value) < 2 or not all(isinstance(item, dict) for item in value):
            raise FilterError(f"{OR} must be a list of at least two objects")
        choices = [_members(item, nested, depth + 1) for item in value]
        return lambda members: any(choice(members) for choice in choices)
    if isinstance(value, dict):
        if not nested:
            raise FilterError("Filter policy scope MessageAttributes does not support nested filter policy")
        inner = _members(value, nested, depth + 1)
        return lambda members: any(inner(item) for item in _listed(members.get(name)) if isinstance(item, dict))
    if not isinstance(value, list) or not value:
        raise FilterError(f'"{name}" must be an object or a non-empty array')
    conditions = [_condition(item) for item in value]
    return lambda members: _any(conditions, _listed(members[name]) if name in members else None)


def _any(conditions: list[Condition], values: Values) -> bool:
    return any(condition(values) for condition in conditions)


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _condition(item: Any) -> Condition:
    if not isinstance(item, dict):
        return _each(_equal(item))
    if len(item) != 1:
        raise FilterError("Only one key allowed in match expression")
    ((kind, argument),) = item.items()
    make = MATCHES.get(kind)
    if make is None:
        raise FilterError(f"Unrecognized match type {kind[:40]}")
    return make(argument)


def _each(test: Callable[[Any], bool]) -> Condition:
    return lambda values: values is not None and any(test(value) for value in values)


def _equal(wanted: Any) -> Callable[[Any], bool]:
    if isinstance(wanted, list):
        raise FilterError("Match value must be String, number, true, false, or null")
    number = _is_number(wanted)
    return lambda value: value == wanted and _is_number(value) == number and (number or type(value) is type(wanted))


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _text(kind: str, argument: Any) -> str:
    if not isinstance(argument, str) or not argument:
        raise FilterError(f"{kind} match pattern must be a string")
    return argument


def _prefix(argument: Any) -> Condition:
    text = _text("prefix", argument)
    return _each(lambda value: isinstance(value, str) and value.startswith(text))


def _suffix(argument: Any) -> Condition:
    text = _text("suffix", argument)
    return _each(lambda value: isinstance(value, str) and value.endswith(text))


def _ignoring_case(argument: Any) -> Condition:
    text = _text("equals-ignore-case", argument).lower()
    return _each(lambda value: isinstance(value, str) and value.lower() == text)


def _anything_but(argument: Any) -> Condition:
    """Match when one value is none of the given; a missing attribute does not match."""
    if isinstance(argument, dict):
        if len(argument) != 1 or next(iter(argument)) not in ("prefix", "suffix"):
            raise FilterError("Unsupported anything-but pattern")
        inner = _condition(argument)
        return _each(lambda value: not inner([value]))
    unwanted = _listed(argument)
    if not unwanted or not all(isinstance(item, str) or _is_number(item) for item in unwanted):
        raise FilterError("Inside anything but list, values must be strings or numbers")
    tests = [_equal(item) for item in unwanted]
    return _each(lambda value: not any(test(value) for test in tests))


COMPARISONS: Mapping[str, Callable[[float, float], bool]] = {
    "=": lambda value, bound: value == bound,
    "<": lambda value, bound: value < bound,
    "<=": lambda value, bound: value <= bound,
    ">": lambda value, bound: value > bound,
    ">=": lambda value, bound: value >= bound,
}


def _numeric(argument: Any) -> Condition:
    if not isinstance(argument, list) or len(argument) not in (2, 4):
        raise FilterError("Value of numeric must be an array of one or two operators, each with a number")
    pairs = list(zip(argument[::2], argument[1::2], strict=True))
    for sign, bound in pairs:
        if not isinstance(sign, str) or sign not in COMPARISONS or not _is_number(bound):
            raise FilterError("Unrecognized numeric range operator, or its value is no number")
    return _each(lambda value: _is_number(value) and all(COMPARISONS[sign](value, bound) for sign, bound in pairs))


def _exists(argument: Any) -> Condition:
    if not isinstance(argument, bool):
        raise FilterError("exists match pattern must be either true or false.")
    return lambda values: (values is not None) == argument


MATCHES: Mapping[str, Callable[[Any], Condition]] = {
    "prefix": _prefix,
    "suffix": _suffix,
    "equals-ignore-case": _ignoring_case,
    "anything-but": _anything_but,
    "numeric": _numeric,
    "exists": _exists,
}
