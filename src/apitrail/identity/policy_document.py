"""Reading a policy document that somebody wrote. Source: IAM User Guide, "Grammar of the IAM JSON policy language"."""

import re
from typing import Any, Literal

import orjson

from apitrail.errors import ServiceError
from apitrail.identity.conditions import UnknownOperator
from apitrail.identity.statements import compile_document, listed

PolicyKind = Literal["identity", "trust", "resource"]

VERSIONS = ("2008-10-17", "2012-10-17")
LENGTH_MAX = 131_072
STATEMENTS_MAX = 500
VALUES_MAX = 5_000
_VENDOR = "Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc."
_ACTION = re.compile(r"\*|[A-Za-z0-9*?-]+:[A-Za-z0-9*?_-]+")
_AWS_PRINCIPAL = re.compile(r"\*|[0-9]{12}|A[A-Z0-9]{15,127}|arn:[^*?]+")
_PRINCIPAL_KINDS = frozenset({"AWS", "Service", "Federated", "CanonicalUser"})
_MEMBERS = frozenset({"Version", "Id", "Statement"})
_STATEMENT_MEMBERS = frozenset(
    ["Sid", "Effect", "Action", "NotAction", "Resource", "NotResource", "Principal", "NotPrincipal", "Condition"]
)


class MalformedPolicyDocument(ServiceError):
    """A policy document that cannot be used."""

    code = "MalformedPolicyDocument"
    status = 400


def validate_policy_document(text: str | bytes, kind: PolicyKind = "identity") -> dict[str, Any]:
    """Return the document of a policy text.

    kind: identity policies name no principal; trust policies name principals and no resource; resource policies (S3, SNS)
    name both. Raises: MalformedPolicyDocument, with the rule that is broken.
    """
    if len(text) > LENGTH_MAX:
        raise MalformedPolicyDocument(f"The policy is longer than {LENGTH_MAX} characters.")
    try:
        document = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise MalformedPolicyDocument("This policy contains invalid Json") from error
    _check_document(document, kind)
    checked: dict[str, Any] = document
    try:
        compile_document(checked)
    except UnknownOperator as error:
        raise MalformedPolicyDocument(f"Invalid Condition type : {error}") from error
    return checked


def _need(condition: bool, message: str) -> None:
    if not condition:
        raise MalformedPolicyDocument(message)


def _check_document(document: Any, kind: PolicyKind) -> None:
    _need(isinstance(document, dict) and document.keys() <= _MEMBERS, "Syntax errors in policy.")
    _need(document.get("Version", VERSIONS[0]) in VERSIONS, "Policy document must be version 2012-10-17 or greater.")
    _need("Statement" in document, "Missing required field Statement")
    statements = listed(document["Statement"])
    _need(0 < len(statements) <= STATEMENTS_MAX, "Statement is empty or too long!")
    for statement in statements:
        _need(isinstance(statement, dict) and statement.keys() <= _STATEMENT_MEMBERS, "Syntax errors in policy.")
        _check_statement(statement, kind)
    sids = [statement["Sid"] for statement in statements if statement.get("Sid")]
    _need(len(sids) == len(set(sids)), "Statement IDs (SID) in a single policy must be unique.")


def _check_statement(statement: dict[str, Any], kind: PolicyKind) -> None:
    _need(statement.get("Effect") in ("Allow", "Deny"), "Missing required field Effect")
    _need(isinstance(statement.get("Sid", ""), str), "Syntax errors in policy.")
    for action in _texts(statement, "Action", "Policy statement must contain actions."):
        _need(_ACTION.fullmatch(action) is not None, f"{_VENDOR} Found: {action[:64]}")
    if kind == "trust":
        _need(not {"Resource", "NotResource"} & statement.keys(), "Has prohibited field Resource")
    else:
        for resource in _texts(statement, "Resource", "Policy statement must contain resources."):
            _need(
                resource == "*" or resource.count(":") >= 5, f'Resource {resource[:128]} must be in ARN format or "*".'
            )
    if kind == "identity":
        _need(not {"Principal", "NotPrincipal"} & statement.keys(), "Policy document should not specify a principal.")
    else:
        _check_principal(_one_of(statement, "Principal", "Missing required field Principal"))
    _check_condition(statement.get("Condition", {}))


def _one_of(statement: dict[str, Any], name: str, message: str) -> Any:
    _need((name in statement) != (f"Not{name}" in statement), message)
    return statement[name] if name in statement else statement[f"Not{name}"]


def _texts(statement: dict[str, Any], name: str, message: str) -> list[str]:
    values = listed(_one_of(statement, name, message))
    _need(0 < len(values) <= VALUES_MAX and all(isinstance(value, str) for value in values), message)
    return values


def _check_principal(value: Any) -> None:
    if value == "*":
        return
    _need(isinstance(value, dict) and bool(value) and value.keys() <= _PRINCIPAL_KINDS, "Invalid principal in policy")
    for kind, names in value.items():
        for name in listed(names):
            _need(isinstance(name, str) and bool(name), "Invalid principal in policy")
            known = kind != "AWS" or _AWS_PRINCIPAL.fullmatch(name) is not None
            _need(known, f'Invalid principal in policy: "{kind}":"{name[:128]}"')


def _check_condition(block: Any) -> None:
    _need(isinstance(block, dict), "Syntax errors in policy.")
    for keys in block.values():
        _need(isinstance(keys, dict), "Syntax errors in policy.")
        for values in keys.values():
            plain = all(isinstance(value, str | int | float) for value in listed(values))
            _need(plain and len(listed(values)) <= VALUES_MAX, "Syntax errors in policy.")
