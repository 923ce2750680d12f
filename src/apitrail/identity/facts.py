"""What is known of a call when its policies are evaluated: the condition context. Keys are compared without case."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from apitrail.identity.principal import Principal


class Facts:
    """Values by condition key, from the principal and from the request.

    context: condition keys as written in policies (`aws:SourceIp`, `s3:prefix`), values text, number, bool, datetime or lists
    of them; None means absent. What the principal says cannot be overridden by the context.
    """

    __slots__ = ("_context", "_lower", "principal")

    def __init__(self, principal: Principal, context: Mapping[str, Any]) -> None:
        self.principal = principal
        self._context = context
        self._lower: dict[str, list[str]] | None = None

    def get(self, key: str) -> list[str] | None:
        """Return the values of a condition key (lower case), or None if it is absent."""
        known = _FROM_PRINCIPAL.get(key)
        if known is not None:
            value = known(self.principal)
            return [value] if value else None
        if key.startswith("aws:principaltag/"):
            return self._tag(key.partition("/")[2])
        if self._lower is None:
            self._lower = _lowered(self._context)
        return self._lower.get(key)

    def _tag(self, name: str) -> list[str] | None:
        session = self.principal.session
        for tags in (session.tags if session is not None else {}, self.principal.tags):
            for key, value in tags.items():
                if key.lower() == name:
                    return [value]
        return None


def as_text(value: Any) -> str:
    """Return a value of the context as policies write it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
    return str(value)


def _lowered(context: Mapping[str, Any]) -> dict[str, list[str]]:
    found = {}
    for key, value in context.items():
        if value is not None:
            found[key.lower()] = (
                [as_text(item) for item in value]
                if isinstance(value, list | tuple | set | frozenset)
                else [as_text(value)]
            )
    now = context.get("aws:CurrentTime")
    if isinstance(now, datetime):
        found.setdefault("aws:epochtime", [str(int(now.timestamp()))])
    return found


def principal_arn(principal: Principal) -> str:
    """Return aws:PrincipalArn: of a role session it is the role's ARN."""
    issuer = principal.session.issuer if principal.session is not None else None
    return issuer.arn if issuer is not None and principal.kind == "AssumedRole" else principal.arn


def _principal_type(principal: Principal) -> str:
    kinds = {"Root": "Account", "IAMUser": "User", "AssumedRole": "AssumedRole", "FederatedUser": "FederatedUser"}
    return kinds.get(principal.kind, "")


def _user_id(principal: Principal) -> str:
    return "" if principal.kind == "AWSService" else principal.principal_id


def _mfa(principal: Principal) -> str:
    if principal.session is None:
        return ""
    return "true" if principal.session.mfa else "false"


def _source_identity(principal: Principal) -> str:
    return principal.session.source_identity if principal.session is not None else ""


_FROM_PRINCIPAL: dict[str, Callable[[Principal], str]] = {
    "aws:username": lambda principal: principal.user_name if principal.kind == "IAMUser" else "",
    "aws:userid": _user_id,
    "aws:principalarn": principal_arn,
    "aws:principalaccount": lambda principal: principal.account,
    "aws:principaltype": _principal_type,
    "aws:multifactorauthpresent": _mfa,
    "aws:sourceidentity": _source_identity,
    "aws:tokenissuetime": lambda principal: as_text(principal.session.created_at) if principal.session else "",
    "aws:principalisawsservice": lambda principal: "true" if principal.kind == "AWSService" else "false",
    "aws:principalservicename": lambda principal: principal.invoked_by if principal.kind == "AWSService" else "",
    "aws:viaawsservice": lambda principal: (
        "true" if principal.invoked_by and principal.kind != "AWSService" else "false"
    ),
    "aws:calledvia": lambda principal: principal.invoked_by if principal.kind != "AWSService" else "",
}
