"""Statements of policy documents, compiled once per document: which actions, resources, principals and conditions they name.

Source: IAM User Guide, "IAM JSON policy elements reference".
"""

import re
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Any

from apitrail.arn import parse_arn
from apitrail.identity.conditions import Condition, compile_conditions
from apitrail.identity.facts import Facts, principal_arn
from apitrail.identity.patterns import Matcher, glob, matcher
from apitrail.identity.principal import Principal

CACHED_DOCUMENTS = 4096
_ACCOUNT = re.compile(r"\d{12}", re.ASCII)


class Grant(IntEnum):
    """How closely a Principal element names somebody.

    ACCOUNT delegates to the account, whose own policies decide; ROLE (and everybody) grants, within boundary and session
    policies; SELF grants regardless of those.
    """

    NONE = 0
    ACCOUNT = 1
    ROLE = 2
    SELF = 3


PrincipalMatcher = Callable[[Principal], Grant]


@dataclass(frozen=True, slots=True)
class Statement:
    """One statement. principals: None in policies that belong to an identity."""

    allow: bool
    action: Callable[[str], bool]
    resource: Matcher
    principals: PrincipalMatcher | None
    conditions: tuple[Condition, ...]

    def applies(self, action: str, resource: str, facts: Facts) -> bool:
        """Tell whether it speaks of this action (lower case) on this resource, in these circumstances."""
        return (
            self.action(action)
            and self.resource(resource, facts)
            and all(condition(facts) for condition in self.conditions)
        )


_compiled: OrderedDict[int, tuple[dict[str, Any], tuple[Statement, ...]]] = OrderedDict()


def statements_of(document: dict[str, Any]) -> tuple[Statement, ...]:
    """Return the compiled statements of a document, which must not be changed afterwards.

    They are kept by the document's identity, since documents live as long as the principals that hold them.
    Raises: ValueError for a document that validate_policy_document would refuse.
    """
    known = _compiled.get(id(document))
    if known is not None and known[0] is document:
        return known[1]
    statements = compile_document(document)
    _compiled[id(document)] = (document, statements)
    while len(_compiled) > CACHED_DOCUMENTS:
        _compiled.popitem(last=False)
    return statements


def compile_document(document: dict[str, Any]) -> tuple[Statement, ...]:
    """Return the compiled statements of a document."""
    variables = document.get("Version") == "2012-10-17"
    return tuple(_compile(statement, variables) for statement in listed(document["Statement"]))


def listed(value: Any) -> list[Any]:
    """Return the value as a list; policies may leave out the brackets around a single one."""
    return value if isinstance(value, list) else [value]


def _compile(statement: dict[str, Any], variables: bool) -> Statement:
    return Statement(
        allow=statement["Effect"] == "Allow",
        action=_action_matcher(statement),
        resource=_resource_matcher(statement, variables),
        principals=_principals(statement),
        conditions=compile_conditions(statement.get("Condition", {}), variables=variables),
    )


def _action_matcher(statement: dict[str, Any]) -> Callable[[str], bool]:
    if "NotAction" in statement:
        listed_ = _any_action(listed(statement["NotAction"]))
        return lambda action: not listed_(action)
    return _any_action(listed(statement["Action"]))


def _any_action(patterns: Sequence[str]) -> Callable[[str], bool]:
    lower = [pattern.lower() for pattern in patterns]
    if any(pattern in ("*", "*:*") for pattern in lower):
        return lambda action: True
    exact = frozenset(pattern for pattern in lower if "*" not in pattern and "?" not in pattern)
    wild = [glob(pattern).fullmatch for pattern in lower if pattern not in exact]
    return lambda action: action in exact or any(fits(action) for fits in wild)


def _resource_matcher(statement: dict[str, Any], variables: bool) -> Matcher:
    if "NotResource" in statement:
        named = _any_resource(listed(statement["NotResource"]), variables)
        return lambda resource, facts: not named(resource, facts)
    if "Resource" not in statement:
        return lambda resource, facts: True
    return _any_resource(listed(statement["Resource"]), variables)


def _any_resource(patterns: Sequence[str], variables: bool) -> Matcher:
    matchers = [matcher(pattern, variables=variables) for pattern in patterns]
    if len(matchers) == 1:
        return matchers[0]
    return lambda resource, facts: any(fits(resource, facts) for fits in matchers)


def _principals(statement: dict[str, Any]) -> PrincipalMatcher | None:
    if "NotPrincipal" in statement:
        named = _any_principal(statement["NotPrincipal"])
        return lambda principal: Grant.NONE if named(principal) else Grant.ROLE
    return _any_principal(statement["Principal"]) if "Principal" in statement else None


def _any_principal(block: Any) -> PrincipalMatcher:
    if block == "*":
        return lambda principal: Grant.ROLE
    tests = [_principal_test(kind, value) for kind, values in block.items() for value in listed(values)]
    return lambda principal: max((test(principal) for test in tests), default=Grant.NONE)


def _principal_test(kind: str, value: str) -> PrincipalMatcher:
    if kind == "Service":
        return lambda principal: _if(principal.kind == "AWSService" and principal.invoked_by == value, Grant.SELF)
    if kind != "AWS":
        return lambda principal: Grant.NONE
    if value == "*":
        return lambda principal: Grant.ROLE
    account = account_named(value)
    if account:
        return lambda principal: _account_grant(principal, account)
    return lambda principal: _arn_grant(principal, value)


def account_named(value: str) -> str:
    """Return the account that a principal names as a whole (12 digits, or the ARN of its root), or an empty text."""
    if _ACCOUNT.fullmatch(value):
        return value
    arn = parse_arn(value)
    return arn.account if arn is not None and arn.service == "iam" and arn.resource == "root" else ""


def _if(condition: bool, grant: Grant) -> Grant:
    return grant if condition else Grant.NONE


def _account_grant(principal: Principal, account: str) -> Grant:
    if principal.account != account or principal.kind == "AWSService":
        return Grant.NONE
    return Grant.SELF if principal.kind == "Root" else Grant.ACCOUNT


def _arn_grant(principal: Principal, value: str) -> Grant:
    if value in (principal.arn, principal.principal_id):
        return Grant.SELF
    return _if(value == principal_arn(principal), Grant.ROLE)
