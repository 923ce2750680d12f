"""The Condition block of a policy statement, compiled.

A block is fulfilled when every operator is, for every key. Values of one key are alternatives; for the negated operators none
may fit. Source: IAM User Guide, "IAM JSON policy elements: Condition operators" and "multivalued context keys".
"""

import base64
import binascii
import ipaddress
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from functools import lru_cache
from operator import eq, ge, gt, le, lt
from typing import Any

from apitrail.identity.facts import Facts, as_text
from apitrail.identity.patterns import filled_text, matcher

Condition = Callable[[Facts], bool]
# tells whether one value of the request fits one value of the policy
Test = Callable[[str, Facts], bool]


class UnknownOperator(ValueError):
    """A condition operator that does not exist, or a value that its operator cannot read."""


@dataclass(frozen=True, slots=True)
class _Operator:
    make: Callable[[str, bool], Test]
    negated: bool = False


def _text_test(same: Callable[[str, str], bool]) -> Callable[[str, bool], Test]:
    def make(pattern: str, variables: bool) -> Test:
        def test(value: str, facts: Facts) -> bool:
            wanted = filled_text(pattern, facts, variables=variables)
            return wanted is not None and same(value, wanted)

        return test

    return make


def _like(pattern: str, variables: bool) -> Test:
    return matcher(pattern, variables=variables)


def _arn_like(pattern: str, variables: bool) -> Test:
    parts = re.split(r":(?![^${}]*\})", pattern, maxsplit=5)
    if len(parts) != 6:
        fits = matcher(pattern, variables=variables)
        return lambda value, facts: pattern == "*" or (value.count(":") < 5 and fits(value, facts))
    matchers = [matcher(part, variables=variables) for part in parts]

    def test(value: str, facts: Facts) -> bool:
        found = value.split(":", 5)
        return len(found) == 6 and all(fits(part, facts) for fits, part in zip(matchers, found, strict=True))

    return test


@lru_cache(maxsize=4096)
def _number(text: str) -> Decimal | None:
    try:
        number = Decimal(text) if len(text) <= 64 else None
    except InvalidOperation:
        return None
    return number if number is not None and number.is_finite() else None


@lru_cache(maxsize=4096)
def _moment(text: str) -> float | None:
    number = _number(text)
    if number is not None:
        return float(number)
    try:
        found = datetime.fromisoformat(text.replace("Z", "+00:00"))
    except ValueError:
        return None
    return (found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp()


def _compared(read: Callable[[str], Any], compare: Callable[[Any, Any], bool]) -> Callable[[str, bool], Test]:
    def make(pattern: str, variables: bool) -> Test:
        wanted = read(pattern)
        if wanted is None:
            raise UnknownOperator(f"The value {pattern[:64]!r} cannot be read.")

        def test(value: str, facts: Facts) -> bool:
            found = read(value)
            return found is not None and compare(found, wanted)

        return test

    return make


def _truth(text: str) -> bool | None:
    return {"true": True, "false": False}.get(text.lower())


@lru_cache(maxsize=4096)
def _bytes(text: str) -> bytes | None:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return None


@lru_cache(maxsize=4096)
def _network(text: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network | None:
    try:
        return ipaddress.ip_network(text, strict=False)
    except ValueError:
        return None


def _within(found: Any, wanted: Any) -> bool:
    return found.version == wanted.version and bool(found.subnet_of(wanted))


def _fold(left: str, right: str) -> bool:
    return left.casefold() == right.casefold()


def _ordered(prefix: str, read: Callable[[str], Any]) -> dict[str, _Operator]:
    return {
        f"{prefix}Equals": _Operator(_compared(read, eq)),
        f"{prefix}NotEquals": _Operator(_compared(read, eq), negated=True),
        f"{prefix}LessThan": _Operator(_compared(read, lt)),
        f"{prefix}LessThanEquals": _Operator(_compared(read, le)),
        f"{prefix}GreaterThan": _Operator(_compared(read, gt)),
        f"{prefix}GreaterThanEquals": _Operator(_compared(read, ge)),
    }


OPERATORS: dict[str, _Operator] = {
    "StringEquals": _Operator(_text_test(eq)),
    "StringNotEquals": _Operator(_text_test(eq), negated=True),
    "StringEqualsIgnoreCase": _Operator(_text_test(_fold)),
    "StringNotEqualsIgnoreCase": _Operator(_text_test(_fold), negated=True),
    "StringLike": _Operator(_like),
    "StringNotLike": _Operator(_like, negated=True),
    "ArnEquals": _Operator(_arn_like),
    "ArnNotEquals": _Operator(_arn_like, negated=True),
    "ArnLike": _Operator(_arn_like),
    "ArnNotLike": _Operator(_arn_like, negated=True),
    "Bool": _Operator(_compared(_truth, eq)),
    "BinaryEquals": _Operator(_compared(_bytes, eq)),
    "IpAddress": _Operator(_compared(_network, _within)),
    "NotIpAddress": _Operator(_compared(_network, _within), negated=True),
    **_ordered("Numeric", _number),
    **_ordered("Date", _moment),
}
_BY_LOWER = {name.lower(): operator for name, operator in OPERATORS.items()}


def compile_conditions(block: Mapping[str, Any], *, variables: bool) -> tuple[Condition, ...]:
    """Return the conditions of a block, all of which must hold. Raises: UnknownOperator."""
    return tuple(
        _compile_one(name, key.lower(), [as_text(value) for value in _listed(values)], variables)
        for name, keys in block.items()
        for key, values in keys.items()
    )


def _listed(values: Any) -> list[Any]:
    return values if isinstance(values, list) else [values]


def _compile_one(name: str, key: str, values: list[str], variables: bool) -> Condition:
    qualifier, colon, rest = name.partition(":")
    plain = (rest if colon else qualifier).lower()
    if colon and qualifier.lower() not in ("foranyvalue", "forallvalues"):
        raise UnknownOperator(f"There is no condition operator {name[:64]!r}.")
    if plain == "null" and not colon:
        return _null(key, values)
    if_exists = plain.endswith("ifexists")
    operator = _BY_LOWER.get(plain.removesuffix("ifexists"))
    if operator is None:
        raise UnknownOperator(f"There is no condition operator {name[:64]!r}.")
    tests = [operator.make(value, variables) for value in values]
    return _condition(key, tests, operator.negated, if_exists, qualifier.lower() if colon else "")


def _null(key: str, values: list[str]) -> Condition:
    wanted = {_truth(value) for value in values}
    if None in wanted:
        raise UnknownOperator("The operator Null takes true or false.")
    return lambda facts: (facts.get(key) is None) in wanted


def _condition(key: str, tests: list[Test], negated: bool, if_exists: bool, qualifier: str) -> Condition:
    absent = if_exists or negated
    if qualifier:
        absent = if_exists or qualifier == "forallvalues"
    over = all if qualifier == "forallvalues" or (negated and not qualifier) else any

    def holds(facts: Facts) -> bool:
        found = facts.get(key)
        if not found:
            return absent
        return over(any(test(value, facts) for test in tests) != negated for value in found)

    return holds
