"""Permissions boundaries of users and roles. Source: IAM API Reference."""

from apitrail.services.context import Context
from apitrail.services.iam.errors import InvalidInputException, NoSuchEntityException
from apitrail.services.iam.store import ROLE, USER, Params, find
from apitrail.services.identities import find_policy
from apitrail.services.operation import operation
from apitrail.store.resources import Doc


def boundary_member(doc: Doc) -> Doc:
    """Return the PermissionsBoundary member of a user or role, if it has one."""
    arn = doc.get("_boundary")
    if not arn:
        return {}
    return {"PermissionsBoundary": {"PermissionsBoundaryType": "Policy", "PermissionsBoundaryArn": arn}}


def set_boundary(ctx: Context, doc: Doc, arn: str) -> None:
    """Make a managed policy the boundary of a user or role. Raises: InvalidInput, NoSuchEntity."""
    if not arn.startswith("arn:"):
        raise InvalidInputException(f"ARN {arn} is not valid.")
    if find_policy(ctx.tx, ctx.account, arn) is None:
        raise NoSuchEntityException(f"Scope ARN: {arn} does not exist or is not attachable.")
    doc["_boundary"] = arn


@operation
def put_user_permissions_boundary(ctx: Context, params: Params) -> None:
    """Set the boundary of a user."""
    found = find(ctx, USER, params["UserName"])
    set_boundary(ctx, found.doc, params["PermissionsBoundary"])
    found.save()


@operation
def put_role_permissions_boundary(ctx: Context, params: Params) -> None:
    """Set the boundary of a role."""
    found = find(ctx, ROLE, params["RoleName"])
    set_boundary(ctx, found.doc, params["PermissionsBoundary"])
    found.save()


@operation
def delete_user_permissions_boundary(ctx: Context, params: Params) -> None:
    """Take the boundary of a user away."""
    found = find(ctx, USER, params["UserName"])
    found.doc.pop("_boundary", None)
    found.save()


@operation
def delete_role_permissions_boundary(ctx: Context, params: Params) -> None:
    """Take the boundary of a role away."""
    found = find(ctx, ROLE, params["RoleName"])
    found.doc.pop("_boundary", None)
    found.save()
