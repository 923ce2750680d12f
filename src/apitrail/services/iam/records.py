"""How calls of IAM are recorded. Source: IAM User Guide, "Logging IAM and STS API calls with CloudTrail"."""

from typing import Any

from apitrail.arn import parse_arn
from apitrail.events.rules import READ_PREFIXES, RecordRules, Resource
from apitrail.wire.models import service_model

READ_ONLY = frozenset(
    name
    for name in service_model("iam").operation_names
    if name.startswith(READ_PREFIXES) and name != "GenerateCredentialReport"
)
"""The operations that change nothing; none of them hands out credentials."""

_TYPES = {
    "user": "AWS::IAM::User",
    "role": "AWS::IAM::Role",
    "group": "AWS::IAM::Group",
    "policy": "AWS::IAM::Policy",
    "instance-profile": "AWS::IAM::InstanceProfile",
}
_NAMES = {"UserName": "user", "RoleName": "role", "GroupName": "group"}
_ENTITIES = ("User", "Role", "Group", "Policy")


def resources(account: str, region: str, params: dict[str, Any], result: dict[str, Any] | None) -> list[Resource]:
    """Return the identities and policies that a call names: ARNs of the answer first, else made from the names.

    Inferred: an ARN made from a name alone has no path.
    """
    arns = [
        entity["Arn"] for name in _ENTITIES if isinstance(entity := (result or {}).get(name), dict) and "Arn" in entity
    ]
    arns += [params[name] for name in ("PolicyArn", "PermissionsBoundary") if isinstance(params.get(name), str)]
    for name, kind in _NAMES.items():
        if isinstance(params.get(name), str) and not any(f":{kind}/" in arn for arn in arns):
            arns.append(f"arn:aws:iam::{account}:{kind}/{params[name]}")
    return [resource for arn in dict.fromkeys(arns) if (resource := _resource(arn)) is not None]


def _resource(text: str) -> Resource | None:
    arn = parse_arn(text)
    kind = _TYPES.get(arn.resource.partition("/")[0]) if arn is not None else None
    return {"accountId": arn.account, "type": kind, "ARN": text} if arn is not None and kind is not None else None


RULES = RecordRules(
    event_source="iam.amazonaws.com",
    read_only=lambda operation: operation in READ_ONLY,
    left_out=frozenset({"BootstrapDatum", "privateKeyType", "serviceCredentialSecret", "servicePassword"}),
    resources=resources,
    global_service=True,
)
