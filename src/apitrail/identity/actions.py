"""What a call is to policies: its action, and the resources it addresses.

Source: Service Authorization Reference. Where a parameter names a resource its ARN is addressed, else `*`.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any
from urllib.parse import unquote

from apitrail.arn import make_arn, partition_of
from apitrail.identity.principal import Principal
from apitrail.identity.s3_actions import S3_ACTIONS, VERSIONED
from apitrail.wire.models import service_model

ANY = ["*"]

_TOPIC_OPERATIONS = (
    "AddPermission",
    "ConfirmSubscription",
    "DeleteTopic",
    "GetSubscriptionAttributes",
    "GetTopicAttributes",
    "ListSubscriptionsByTopic",
    "ListTagsForResource",
    "Publish",
    "PublishBatch",
    "RemovePermission",
    "SetSubscriptionAttributes",
    "SetTopicAttributes",
    "Subscribe",
    "TagResource",
    "Unsubscribe",
    "UntagResource",
)
_QUEUE_OPERATIONS = (
    "AddPermission",
    "ChangeMessageVisibility",
    "ChangeMessageVisibilityBatch",
    "DeleteMessage",
    "DeleteMessageBatch",
    "DeleteQueue",
    "GetQueueAttributes",
    "GetQueueUrl",
    "ListDeadLetterSourceQueues",
    "ListQueueTags",
    "PurgeQueue",
    "ReceiveMessage",
    "RemovePermission",
    "SendMessage",
    "SendMessageBatch",
    "SetQueueAttributes",
    "TagQueue",
    "UntagQueue",
)


@cache
def _bucket_operations() -> tuple[str, ...]:
    """Return the operations of S3 on buckets that are there, and on their objects."""
    model = service_model("s3")
    shapes = {name: model.operation_model(name).input_shape for name in model.operation_names}
    return tuple(
        name for name, shape in shapes.items() if shape and "Bucket" in shape.members and name != "CreateBucket"
    )


# operations that need no permission, or that decide for themselves: AssumeRole asks the role's trust policy as well, and
# what addresses a bucket, a topic or a queue asks its policy
SELF_DECIDED = frozenset(
    {
        *(("s3", name) for name in _bucket_operations()),
        *(("sns", name) for name in _TOPIC_OPERATIONS),
        *(("sqs", name) for name in _QUEUE_OPERATIONS),
        ("sts", "AssumeRole"),
        ("sts", "AssumeRoleWithSAML"),
        ("sts", "AssumeRoleWithWebIdentity"),
        ("sts", "GetCallerIdentity"),
        ("sts", "GetSessionToken"),
    }
)
# services whose actions do not start with their signing name
_PREFIXES = {"cloudtrail-data": "cloudtrail-data", "cloudwatch": "cloudwatch", "ses": "ses", "stepfunctions": "states"}

# where a call hands a role to a service, which needs iam:PassRole
_PASSED_ROLES: dict[tuple[str, str], tuple[str, ...]] = {
    ("cloudtrail", "CreateTrail"): ("CloudWatchLogsRoleArn",),
    ("cloudtrail", "UpdateTrail"): ("CloudWatchLogsRoleArn",),
    ("cloudtrail", "EnableFederation"): ("FederationRoleArn",),
    ("gamelift", "CreateBuild"): ("StorageLocation", "RoleArn"),
    ("gamelift", "CreateScript"): ("StorageLocation", "RoleArn"),
    ("gamelift", "UpdateScript"): ("StorageLocation", "RoleArn"),
    ("gamelift", "CreateFleet"): ("InstanceRoleArn",),
    ("gamelift", "CreateContainerFleet"): ("FleetRoleArn",),
    ("gamelift", "CreateGameServerGroup"): ("RoleArn",),
    ("gamelift", "UpdateGameServerGroup"): ("RoleArn",),
}


@dataclass(frozen=True, slots=True)
class Asking:
    """A call on its way to its resources."""

    operation: str
    params: Mapping[str, Any]
    region: str
    account: str
    caller: Principal | None

    def arn(self, service: str, resource: str) -> str:
        """Return an ARN of the call's account and region, unless the resource is one already."""
        return resource if resource.startswith("arn:") else make_arn(service, self.region, self.account, resource)


@cache
def action_prefix(service: str) -> str:
    """Return what the actions of a service (botocore's name) start with."""
    if service in _PREFIXES:
        return _PREFIXES[service]
    metadata = service_model(service).metadata
    return str(metadata.get("signingName") or metadata["endpointPrefix"])


def action_of(service: str, operation: str, params: Mapping[str, Any] | None = None) -> str:
    """Return the action of an operation, `gamelift:CreateFleet`. params: tell whether S3 is asked for a version."""
    if service == "s3":
        name = S3_ACTIONS.get(operation, operation)
        return f"s3:{VERSIONED.get(name, name) if params and params.get('VersionId') else name}"
    return f"{action_prefix(service)}:{operation}"


def resource_of(
    service: str,
    operation: str,
    params: Mapping[str, Any],
    region: str,
    account: str,
    *,
    caller: Principal | None = None,
) -> list[str]:
    """Return the ARNs that a call addresses, or `*` alone.

    caller: whose user is meant where IAM calls name none. Inferred: the ARNs of IAM identities named by a parameter are
    without path, since the path is known to the store only.
    """
    find = _FINDERS.get(service)
    return (find(Asking(operation, params, region, account, caller)) if find is not None else None) or ANY


def further_needs(
    service: str, operation: str, params: Mapping[str, Any], region: str, account: str
) -> list[tuple[str, list[str]]]:
    """Return what else must be allowed, as pairs of action and resources: reading a copy's source, passing a role.

    Source: Amazon S3 API Reference, CopyObject, CreateBucket.
    """
    if service == "s3" and operation in ("CopyObject", "UploadPartCopy"):
        source, _, version = str(params.get("CopySource", "")).partition("?versionId=")
        path = unquote(source).lstrip("/")
        action = "s3:GetObjectVersion" if version else "s3:GetObject"
        return [(action, [path if path.startswith("arn:") else _s3_arn(region, path)])]
    if service == "s3" and operation == "CreateBucket" and params.get("ObjectLockEnabledForBucket"):
        arn = _s3_arn(region, str(params.get("Bucket", "")))
        return [("s3:PutBucketVersioning", [arn]), ("s3:PutBucketObjectLockConfiguration", [arn])]
    role: Any = params
    for member in _PASSED_ROLES.get((service, operation), ()):
        role = role.get(member) if isinstance(role, Mapping) else None
    return [("iam:PassRole", [role])] if isinstance(role, str) and role else []


def _s3_arn(region: str, path: str) -> str:
    return f"arn:{partition_of(region)}:s3:::{path}"


def _s3(asking: Asking) -> list[str]:
    bucket = asking.params.get("Bucket")
    if not isinstance(bucket, str):
        return ANY
    base = bucket if bucket.startswith("arn:") else _s3_arn(asking.region, bucket)
    if asking.operation == "DeleteObjects":
        items = (asking.params.get("Delete") or {}).get("Objects") or ()
        return [f"{base}/{item.get('Key', '')}" for item in items]
    key = asking.params.get("Key")
    return [f"{base}/{key}"] if isinstance(key, str) else [base]


_GAMELIFT = {
    "FleetId": "fleet",
    "FleetIds": "fleet",
    "AliasId": "alias",
    "BuildId": "build",
    "ScriptId": "script",
    "GameServerGroupName": "gameservergroup",
    "GameSessionQueueName": "gamesessionqueue",
    "ConfigurationName": "matchmakingconfiguration",
    "LocationName": "location",
}
_GAMELIFT_NAMES = {
    "GameSessionQueue": "gamesessionqueue",
    "MatchmakingConfiguration": "matchmakingconfiguration",
    "MatchmakingRuleSet": "matchmakingruleset",
    "ContainerGroupDefinition": "containergroupdefinition",
}


def _texts(value: Any) -> list[str]:
    values = value if isinstance(value, list) else [value]
    return [item for item in values if isinstance(item, str) and item]


def _gamelift(asking: Asking) -> list[str]:
    params, operation = asking.params, asking.operation
    if "ResourceARN" in params:
        return _texts(params["ResourceARN"])
    for member, kind in _GAMELIFT.items():
        if member in params:
            kind = "containerfleet" if kind == "fleet" and "ContainerFleet" in operation else kind
            return [_gamelift_arn(asking, kind, name) for name in _texts(params[member])]
    if operation.startswith("Create"):
        return ANY
    for part, kind in _GAMELIFT_NAMES.items():
        if part in operation:
            names = _texts(params.get("Name") or params.get("Names"))
            return [_gamelift_arn(asking, kind, name) for name in names]
    return ANY


def _gamelift_arn(asking: Asking, kind: str, name: str) -> str:
    if name.startswith("arn:"):
        return name
    account = "" if kind == "alias" else asking.account
    return make_arn("gamelift", asking.region, account, f"{kind}/{name}")


_CLOUDTRAIL = {
    "TrailName": "trail",
    "EventDataStore": "eventdatastore",
    "Channel": "channel",
    "DashboardId": "dashboard",
    "ResourceId": "",
    "ResourceArn": "",
    "ResourceIdList": "",
}
_TRAIL_OPERATIONS = frozenset(
    {"CreateTrail", "DeleteTrail", "GetTrail", "GetTrailStatus", "StartLogging", "StopLogging", "UpdateTrail"}
)


def _cloudtrail(asking: Asking) -> list[str]:
    if asking.operation in _TRAIL_OPERATIONS:
        return [_tail(asking, "trail", name) for name in _texts(asking.params.get("Name"))]
    for member, kind in _CLOUDTRAIL.items():
        if member in asking.params:
            return [_tail(asking, kind, name) for name in _texts(asking.params[member])]
    return ANY


def _tail(asking: Asking, kind: str, name: str) -> str:
    return asking.arn("cloudtrail", name if name.startswith("arn:") or not kind else f"{kind}/{name}")


_IAM = {"RoleName": "role", "UserName": "user", "GroupName": "group", "PolicyName": "policy"}


def _iam(asking: Asking) -> list[str]:
    params = asking.params
    if "PolicyArn" in params and not {"RoleName", "UserName", "GroupName"} & params.keys():
        return _texts(params["PolicyArn"])
    if asking.operation in ("AddUserToGroup", "RemoveUserFromGroup"):
        return [_iam_arn(asking, "group", str(params.get("GroupName", "")))]
    for member, kind in _IAM.items():
        if member in params:
            return [_iam_arn(asking, kind, str(params[member]))]
    if asking.operation in _SELF_OPERATIONS and asking.caller is not None and asking.caller.kind == "IAMUser":
        return [asking.caller.arn]
    return ANY


_SELF_OPERATIONS = frozenset(
    {"GetUser", "CreateAccessKey", "DeleteAccessKey", "ListAccessKeys", "UpdateAccessKey", "ChangePassword"}
)


def _iam_arn(asking: Asking, kind: str, name: str) -> str:
    path = asking.params.get("Path", "/")
    return f"arn:aws:iam::{asking.account}:{kind}{path if isinstance(path, str) else '/'}{name}"


def _sts(asking: Asking) -> list[str]:
    if "RoleArn" in asking.params:
        return _texts(asking.params["RoleArn"])
    if asking.operation == "GetFederationToken":
        return [f"arn:aws:sts::{asking.account}:federated-user/{asking.params.get('Name', '')}"]
    return ANY


def _sns(asking: Asking) -> list[str]:
    for member in ("TopicArn", "TargetArn", "ResourceArn", "SubscriptionArn"):
        if member in asking.params:
            return _texts(asking.params[member])
    if asking.operation == "CreateTopic":
        return [asking.arn("sns", str(asking.params.get("Name", "")))]
    return ANY


def _sqs(asking: Asking) -> list[str]:
    if asking.operation == "CreateQueue":
        return [asking.arn("sqs", str(asking.params.get("QueueName", "")))]
    return ANY


_FINDERS: dict[str, Callable[[Asking], list[str]]] = {
    "cloudtrail": _cloudtrail,
    "gamelift": _gamelift,
    "iam": _iam,
    "s3": _s3,
    "sns": _sns,
    "sqs": _sqs,
    "sts": _sts,
}
