"""May this principal do this: evaluation of identity, resource, boundary and session policies.

An explicit deny anywhere wins. Within an account either the identity's policies or the resource's policy must allow; across
accounts both; permissions boundary and session policies narrow what the identity's policies allow. Root may everything that
no policy of the resource denies. Source: IAM User Guide, "Policy evaluation logic".
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from apitrail.arn import parse_arn
from apitrail.identity.facts import Facts
from apitrail.identity.principal import Principal
from apitrail.identity.statements import Grant, statements_of

Layer = Literal["identity", "boundary", "session", "resource", "trust"]

_NAMES: dict[Layer, str] = {
    "identity": "identity-based policy",
    "boundary": "permissions boundary",
    "session": "session policy",
    "resource": "resource-based policy",
    "trust": "role trust policy",
}
_DENIED: dict[Layer, str] = {
    "identity": "with an explicit deny in an identity-based policy",
    "boundary": "with an explicit deny in a permissions boundary",
    "session": "with an explicit deny in a session policy",
    "resource": "with an explicit deny in a resource-based policy",
    "trust": "with an explicit deny in the role trust policy",
}


@dataclass(frozen=True, slots=True)
class Decision:
    """The result. reason: the end of AWS's message, empty when allowed. resource: the one that decided."""

    allowed: bool
    explicit_deny: bool = False
    reason: str = ""
    resource: str = "*"


@dataclass(frozen=True, slots=True)
class _Asked:
    """One question: an action on one resource, seen by every layer."""

    principal: Principal
    action: str
    resource: str
    facts: Facts


def evaluate(
    principal: Principal,
    action: str,
    resources: Sequence[str],
    context: Mapping[str, Any],
    resource_policy: dict[str, Any] | None = None,
    *,
    resource_account: str = "",
    trust: bool = False,
) -> Decision:
    """Return whether an action is allowed on all of the resources.

    action: `gamelift:CreateFleet`. resources: ARNs, or `*` for operations that address none. context: condition keys of
    the request, see facts.Facts. resource_account: owner of the resource; else taken from its ARN, else the caller's.
    trust: the resource policy is a role's trust policy, which must allow in any case.
    """
    facts = Facts(principal, context)
    decision = Decision(True)
    for resource in resources or ("*",):
        asked = _Asked(principal, action.lower(), resource, facts)
        owner = resource_account or _owner(resource) or principal.account
        decision = _decide(asked, action, resource_policy, owner, "trust" if trust else "resource")
        if not decision.allowed:
            return decision
    return decision


def denied_message(principal: Principal, action: str, resource: str, decision: Decision) -> str:
    """Return the message of an AccessDenied answer, as AWS words it."""
    caller = principal.arn or principal.invoked_by
    start = f"User: {caller} is not authorized to perform: {action} on resource: {resource}"
    return f"{start} {decision.reason}".rstrip()


def _owner(resource: str) -> str:
    """Return the account in an ARN; policies of AWS belong to nobody."""
    arn = parse_arn(resource)
    return arn.account if arn is not None and arn.account != "aws" else ""


def _decide(asked: _Asked, action: str, resource_policy: dict[str, Any] | None, owner: str, layer: Layer) -> Decision:
    verdicts = _identity_layers(asked)
    granted, denied = _resource_layer(asked, resource_policy)
    for name, verdict in verdicts.items():
        if verdict is False:
            return Decision(False, True, _DENIED[name], asked.resource)
    if denied:
        return Decision(False, True, _DENIED[layer], asked.resource)
    missing = _missing(asked.principal, verdicts, granted, owner, layer)
    if missing is None:
        return Decision(True, resource=asked.resource)
    reason = f"because no {_NAMES[missing]} allows the {action} action"
    return Decision(False, False, reason, asked.resource)


def _missing(
    principal: Principal, verdicts: dict[Layer, bool | None], granted: Grant, owner: str, layer: Layer
) -> Layer | None:
    """Return the layer whose allow is missing, or None when nothing is."""
    silent: list[Layer] = [name for name, verdict in verdicts.items() if verdict is None]
    foreign = owner != principal.account
    if principal.kind == "AWSService":
        return None if granted else layer
    if (foreign or layer == "trust") and not granted:
        return layer
    if not foreign and granted == Grant.SELF:
        return None
    if not foreign and granted == Grant.ROLE:
        silent = [name for name in silent if name != "identity"]
    return silent[0] if silent else None


def _identity_layers(asked: _Asked) -> dict[Layer, bool | None]:
    """Return what each layer of the caller says: True allow, False explicit deny, None nothing."""
    principal, session = asked.principal, asked.principal.session
    verdicts: dict[Layer, bool | None] = {"identity": _identity_verdict(asked)}
    if principal.boundary is not None:
        verdicts["boundary"] = _verdict([principal.boundary], asked)
    if session is not None and (session.policies or principal.kind == "FederatedUser"):
        verdicts["session"] = _verdict(session.policies, asked)
    return verdicts


def _identity_verdict(asked: _Asked) -> bool | None:
    principal = asked.principal
    issuer = principal.session.issuer if principal.session is not None else None
    if principal.kind == "Root" or (issuer is not None and issuer.kind == "Root"):
        return True
    return _verdict(principal.policies, asked)


def _verdict(documents: Iterable[dict[str, Any]], asked: _Asked) -> bool | None:
    verdict: bool | None = None
    for document in documents:
        for statement in statements_of(document):
            if verdict and statement.allow:
                continue
            if statement.applies(asked.action, asked.resource, asked.facts):
                if not statement.allow:
                    return False
                verdict = True
    return verdict


def _resource_layer(asked: _Asked, document: dict[str, Any] | None) -> tuple[Grant, bool]:
    granted = Grant.NONE
    for statement in statements_of(document) if document is not None else ():
        grant = statement.principals(asked.principal) if statement.principals is not None else Grant.NONE
        if grant and statement.applies(asked.action, asked.resource, asked.facts):
            if not statement.allow:
                return Grant.NONE, True
            granted = max(granted, grant)
    return granted, False
