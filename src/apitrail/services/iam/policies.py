"""Managed policies and their versions. Source: IAM API Reference."""

from typing import Any

from apitrail.services.context import Context
from apitrail.services.iam.errors import (
    DeleteConflictException,
    EntityAlreadyExistsException,
    InvalidInputException,
    LimitExceededException,
    NoSuchEntityException,
)
from apitrail.services.iam.store import (
    GROUP,
    ROLE,
    USER,
    Params,
    Result,
    arn_of,
    check_path,
    encoded,
    page_of,
    policy_text,
    unique_id,
    whole,
)
from apitrail.services.iam.tagging import checked_tags
from apitrail.services.identities import POLICIES, find_policy
from apitrail.services.managed_policies import MANAGED_POLICIES
from apitrail.services.operation import operation
from apitrail.store.resources import Doc

POLICY_MAX = 6144
POLICIES_MAX = 1500
VERSIONS_MAX = 5


def require_policy(ctx: Context, arn: str) -> Doc:
    """Return a managed policy. Raises: NoSuchEntityException."""
    policy = find_policy(ctx.tx, ctx.account, arn)
    if policy is None:
        raise NoSuchEntityException(f"Policy {arn} does not exist or is not attachable.")
    return policy


def _own(ctx: Context, arn: str) -> Doc:
    if arn in MANAGED_POLICIES:
        raise InvalidInputException(f"Policy {arn} belongs to AWS and cannot be changed.")
    return require_policy(ctx, arn)


def _save(ctx: Context, policy: Doc) -> None:
    policy["UpdateDate"] = whole(ctx.now)
    POLICIES(ctx).put(policy["Arn"], policy)


def attachment_count(ctx: Context, arn: str) -> int:
    """Return how many users, roles and groups of the account have a policy."""
    return sum(kind.collection(ctx).count("_attached", arn) for kind in (USER, ROLE, GROUP))


def boundary_count(ctx: Context, arn: str) -> int:
    """Return how many users and roles of the account have a policy as their boundary."""
    return sum(kind.collection(ctx).count("_boundary", arn) for kind in (USER, ROLE))


def _shown(ctx: Context, policy: Doc) -> Doc:
    arn = policy["Arn"]
    counts = {
        "AttachmentCount": attachment_count(ctx, arn),
        "PermissionsBoundaryUsageCount": boundary_count(ctx, arn),
    }
    return {**policy, **counts}


def _version(ctx: Context, name: str, text: str, *, default: bool) -> Doc:
    return {"VersionId": name, "IsDefaultVersion": default, "CreateDate": whole(ctx.now), "Document": text}


def _without_text(version: Doc) -> Doc:
    return {name: value for name, value in version.items() if name != "Document"}


@operation
def create_policy(ctx: Context, params: Params) -> Result:
    """Create a managed policy, with its first version."""
    name, path = params["PolicyName"], params.get("Path", "/")
    check_path(path)
    known = POLICIES(ctx)
    if any(entry.doc["PolicyName"].lower() == name.lower() for entry in known.all()):
        raise EntityAlreadyExistsException(f"A policy called {name} already exists. Duplicate names are not allowed.")
    if known.count() >= POLICIES_MAX:
        raise LimitExceededException(f"Cannot exceed quota for PoliciesPerAccount: {POLICIES_MAX}")
    text = policy_text(params["PolicyDocument"], "identity", POLICY_MAX, f"policy {name}")
    policy: Doc = {
        "PolicyName": name,
        "PolicyId": unique_id(ctx, "ANPA"),
        "Arn": arn_of(ctx, "policy", path, name),
        "Path": path,
        "DefaultVersionId": "v1",
        "AttachmentCount": 0,
        "PermissionsBoundaryUsageCount": 0,
        "IsAttachable": True,
        "CreateDate": whole(ctx.now),
        "_versions": [_version(ctx, "v1", text, default=True)],
        "_next": 2,
    }
    if "Description" in params:
        policy["Description"] = params["Description"]
    if "Tags" in params:
        policy["Tags"] = checked_tags(params["Tags"])
    _save(ctx, policy)
    return {"Policy": policy}


@operation
def get_policy(ctx: Context, params: Params) -> Result:
    """Return a managed policy without its text."""
    return {"Policy": _shown(ctx, require_policy(ctx, params["PolicyArn"]))}


@operation
def list_policies(ctx: Context, params: Params) -> Result:
    """Return the account's policies, those of AWS, or both."""
    scope, prefix = params.get("Scope", "All"), params.get("PathPrefix", "/")
    rows = [entry.doc for entry in POLICIES(ctx).all()] if scope in ("All", "Local") else []
    rows += MANAGED_POLICIES.values() if scope in ("All", "AWS") else []
    rows = [_shown(ctx, policy) for policy in rows if policy["Path"].startswith(prefix)]
    if params.get("OnlyAttached"):
        rows = [policy for policy in rows if policy["AttachmentCount"]]
    if params.get("PolicyUsageFilter") == "PermissionsBoundary":
        rows = [policy for policy in rows if policy["PermissionsBoundaryUsageCount"]]
    hidden = ("Description", "Tags")
    return page_of(ctx, params, rows, "Policies", lambda row: {k: v for k, v in row.items() if k not in hidden})


@operation
def delete_policy(ctx: Context, params: Params) -> None:
    """Delete a policy that nobody has and that has one version only. Raises: DeleteConflictException."""
    policy = _own(ctx, params["PolicyArn"])
    arn = policy["Arn"]
    if attachment_count(ctx, arn) or boundary_count(ctx, arn):
        raise DeleteConflictException("Cannot delete a policy attached to entities.")
    if len(policy["_versions"]) > 1:
        raise DeleteConflictException(
            "This policy has more than one version. Before you delete a policy, you must delete the policy's "
            "versions. The default version is deleted with the policy."
        )
    POLICIES(ctx).delete(arn)


@operation
def create_policy_version(ctx: Context, params: Params) -> Result:
    """Add a version to a policy, which becomes the default if asked. Raises: LimitExceededException (five versions)."""
    policy = _own(ctx, params["PolicyArn"])
    if len(policy["_versions"]) >= VERSIONS_MAX:
        raise LimitExceededException(
            f"A managed policy can have up to {VERSIONS_MAX} versions. Before you create a new version, you must "
            "delete an existing version."
        )
    text = policy_text(params["PolicyDocument"], "identity", POLICY_MAX, f"policy {policy['PolicyName']}")
    version = _version(ctx, f"v{policy['_next']}", text, default=False)
    policy["_versions"].append(version)
    policy["_next"] += 1
    if params.get("SetAsDefault"):
        _set_default(policy, version["VersionId"])
    _save(ctx, policy)
    return {"PolicyVersion": _without_text(version)}


def _find_version(policy: Doc, name: str) -> dict[str, Any]:
    for version in policy["_versions"]:
        if version["VersionId"] == name:
            found: dict[str, Any] = version
            return found
    raise NoSuchEntityException(f"Policy {policy['Arn']} version {name} does not exist or is not attachable.")


def _set_default(policy: Doc, name: str) -> None:
    policy["DefaultVersionId"] = _find_version(policy, name)["VersionId"]
    for version in policy["_versions"]:
        version["IsDefaultVersion"] = version["VersionId"] == name


@operation
def get_policy_version(ctx: Context, params: Params) -> Result:
    """Return a version with its text."""
    version = _find_version(require_policy(ctx, params["PolicyArn"]), params["VersionId"])
    return {"PolicyVersion": {**version, "Document": encoded(version["Document"])}}


@operation
def list_policy_versions(ctx: Context, params: Params) -> Result:
    """Return the versions of a policy, newest first, without their texts."""
    rows = list(reversed(require_policy(ctx, params["PolicyArn"])["_versions"]))
    return page_of(ctx, params, rows, "Versions", _without_text)


@operation
def delete_policy_version(ctx: Context, params: Params) -> None:
    """Delete a version that is not the default. Raises: DeleteConflictException."""
    policy = _own(ctx, params["PolicyArn"])
    version = _find_version(policy, params["VersionId"])
    if version["IsDefaultVersion"]:
        raise DeleteConflictException("Cannot delete the default version of a policy.")
    policy["_versions"].remove(version)
    _save(ctx, policy)


@operation
def set_default_policy_version(ctx: Context, params: Params) -> None:
    """Make a version the one that counts."""
    policy = _own(ctx, params["PolicyArn"])
    _set_default(policy, params["VersionId"])
    _save(ctx, policy)
