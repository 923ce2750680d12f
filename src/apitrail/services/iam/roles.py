"""Roles and their trust policies; service-linked roles. Source: IAM API Reference."""

from typing import Any

import orjson

from apitrail.services.context import Context
from apitrail.services.iam.boundaries import boundary_member, set_boundary
from apitrail.services.iam.errors import (
    DeleteConflictException,
    InvalidInputException,
    NoSuchEntityException,
    UnmodifiableEntityException,
)
from apitrail.services.iam.store import (
    ROLE,
    Found,
    Params,
    Result,
    encoded,
    find,
    listed,
    make,
    page_of,
    policy_text,
)
from apitrail.services.iam.tagging import checked_tags
from apitrail.services.operation import operation
from apitrail.store.resources import Doc

TRUST_MAX = 4096
SESSION_S = 3600
LINKED_PATH = "/aws-service-role/"
LINKED_ROLES = {
    "autoscaling.amazonaws.com": "AWSServiceRoleForAutoScaling",
    "cloudtrail.amazonaws.com": "AWSServiceRoleForCloudTrail",
    "gamelift.amazonaws.com": "AWSServiceRoleForGameLift",
}


def shown(doc: Doc, *, tags: bool = True) -> Doc:
    """Return a role as answers show it; lists leave tags and boundary out."""
    hidden = () if tags else ("Tags",)
    role = {name: value for name, value in doc.items() if name not in hidden}
    role["AssumeRolePolicyDocument"] = encoded(doc["AssumeRolePolicyDocument"])
    return role | (boundary_member(doc) if tags else {})


def own_role(ctx: Context, name: str) -> Found:
    """Return a role that its account may change. Raises: NoSuchEntity, UnmodifiableEntity (service-linked role)."""
    found = find(ctx, ROLE, name)
    if found.doc["Path"].startswith(LINKED_PATH):
        raise UnmodifiableEntityException(
            f"Cannot perform the operation on the protected role '{name}' - this role is only modifiable by AWS"
        )
    return found


def _trust(text: str, name: str) -> str:
    return policy_text(text, "trust", TRUST_MAX, f"role {name}")


@operation
def create_role(ctx: Context, params: Params) -> Result:
    """Create a role with its trust policy.

    Raises: EntityAlreadyExists, LimitExceeded, MalformedPolicyDocument, InvalidInput; NoSuchEntity (unknown boundary).
    """
    role = make(ctx, ROLE, params)
    if params.get("Path", "/").startswith(LINKED_PATH):
        raise InvalidInputException(f"Roles below {LINKED_PATH} are created by CreateServiceLinkedRole only.")
    role["AssumeRolePolicyDocument"] = _trust(params["AssumeRolePolicyDocument"], params["RoleName"])
    role["MaxSessionDuration"] = params.get("MaxSessionDuration", SESSION_S)
    if "Description" in params:
        role["Description"] = params["Description"]
    if "Tags" in params:
        role["Tags"] = checked_tags(params["Tags"])
    if "PermissionsBoundary" in params:
        set_boundary(ctx, role, params["PermissionsBoundary"])
    ROLE.collection(ctx).put(params["RoleName"].lower(), role)
    return {"Role": shown(role)}


@operation
def get_role(ctx: Context, params: Params) -> Result:
    """Return a role."""
    return {"Role": shown(find(ctx, ROLE, params["RoleName"]).doc)}


@operation
def list_roles(ctx: Context, params: Params) -> Result:
    """Return the roles below a path prefix."""
    return page_of(ctx, params, listed(ctx, ROLE, params), "Roles", lambda doc: shown(doc, tags=False))


@operation
def update_role(ctx: Context, params: Params) -> Result:
    """Change a role's description and its longest session."""
    found = own_role(ctx, params["RoleName"])
    found.doc.update({name: params[name] for name in ("Description", "MaxSessionDuration") if name in params})
    found.save()
    return {}


@operation
def update_role_description(ctx: Context, params: Params) -> Result:
    """Change a role's description."""
    found = own_role(ctx, params["RoleName"])
    found.doc["Description"] = params["Description"]
    found.save()
    return {"Role": shown(found.doc)}


@operation
def update_assume_role_policy(ctx: Context, params: Params) -> None:
    """Replace a role's trust policy; sessions that exist stay."""
    found = own_role(ctx, params["RoleName"])
    found.doc["AssumeRolePolicyDocument"] = _trust(params["PolicyDocument"], params["RoleName"])
    found.save()


@operation
def delete_role(ctx: Context, params: Params) -> None:
    """Delete a role without policies; its sessions end. Raises: DeleteConflict, UnmodifiableEntity."""
    found = own_role(ctx, params["RoleName"])
    if found.doc["_attached"]:
        raise DeleteConflictException("Cannot delete entity, must detach all policies first.")
    if found.doc["_inline"]:
        raise DeleteConflictException("Cannot delete entity, must delete policies first.")
    found.documents.delete(found.id)


@operation
def create_service_linked_role(ctx: Context, params: Params) -> Result:
    """Create the role that a service acts through. Inferred: the roles' names.

    Raises: InvalidInput (unknown service, role exists already, suffix not allowed).
    """
    service = params["AWSServiceName"]
    name = LINKED_ROLES.get(service)
    if name is None or "CustomSuffix" in params:
        what = "Custom suffix is not allowed for" if name else "Invalid Service Principal:"
        raise InvalidInputException(f"{what} {service}")
    if ROLE.collection(ctx).has(name.lower()):
        message = f"Service role name {name} has been taken in this account, please try a different suffix."
        raise InvalidInputException(message)
    role = make(ctx, ROLE, {"RoleName": name, "Path": f"{LINKED_PATH}{service}/"})
    statement: dict[str, Any] = {"Effect": "Allow", "Principal": {"Service": service}, "Action": "sts:AssumeRole"}
    trust = {"Version": "2012-10-17", "Statement": [statement]}
    role["AssumeRolePolicyDocument"] = orjson.dumps(trust).decode()
    role["MaxSessionDuration"] = SESSION_S
    if "Description" in params:
        role["Description"] = params["Description"]
    ROLE.collection(ctx).put(name.lower(), role)
    return {"Role": shown(role)}


@operation
def delete_service_linked_role(ctx: Context, params: Params) -> Result:
    """Delete a service-linked role, at once; return the task that others would have to wait for."""
    found = find(ctx, ROLE, params["RoleName"])
    if not found.doc["Path"].startswith(LINKED_PATH):
        raise NoSuchEntityException(f"The service-linked role with name {params['RoleName']} cannot be found.")
    found.documents.delete(found.id)
    return {"DeletionTaskId": f"task{found.doc['Path']}{found.doc['RoleName']}/{ctx.ids.uuid()}"}


@operation
def get_service_linked_role_deletion_status(ctx: Context, params: Params) -> Result:
    """Return how far a deletion is: done, since roles go at once; or NoSuchEntity for a task that never was."""
    parts = params["DeletionTaskId"].split("/")
    if len(parts) != 5 or parts[:2] != ["task", "aws-service-role"] or LINKED_ROLES.get(parts[2]) != parts[3]:
        raise NoSuchEntityException(f"Deletion task {params['DeletionTaskId']} cannot be found.")
    return {"Status": "SUCCEEDED"}
