"""Inline policies of users, roles and groups. Source: IAM API Reference."""

from apitrail.services.context import Context
from apitrail.services.iam.errors import LimitExceededException, NoSuchEntityException
from apitrail.services.iam.roles import own_role
from apitrail.services.iam.store import (
    GROUP,
    ROLE,
    USER,
    Found,
    Kind,
    Params,
    Result,
    encoded,
    find,
    page_of,
    policy_text,
    text_size,
)
from apitrail.services.operation import operation


def _changeable(ctx: Context, kind: Kind, params: Params) -> Found:
    return own_role(ctx, params[kind.member]) if kind is ROLE else find(ctx, kind, params[kind.member])


def _put(ctx: Context, kind: Kind, params: Params) -> None:
    found = _changeable(ctx, kind, params)
    what = f"{kind.noun} {params[kind.member]}"
    text = policy_text(params["PolicyDocument"], "identity", kind.inline_max, what)
    found.doc["_inline"][params["PolicyName"]] = text
    if sum(text_size(text) for text in found.doc["_inline"].values()) > kind.inline_max:
        raise LimitExceededException(f"Maximum policy size of {kind.inline_max} bytes exceeded for {what}")
    found.save()


def _get(ctx: Context, kind: Kind, params: Params) -> Result:
    found = find(ctx, kind, params[kind.member])
    text = found.doc["_inline"].get(params["PolicyName"])
    if text is None:
        raise _no_policy(kind, params)
    return {
        kind.member: found.doc[kind.member],
        "PolicyName": params["PolicyName"],
        "PolicyDocument": encoded(text),
    }


def _list(ctx: Context, kind: Kind, params: Params) -> Result:
    return page_of(ctx, params, sorted(find(ctx, kind, params[kind.member]).doc["_inline"]), "PolicyNames")


def _delete(ctx: Context, kind: Kind, params: Params) -> None:
    found = _changeable(ctx, kind, params)
    if found.doc["_inline"].pop(params["PolicyName"], None) is None:
        raise _no_policy(kind, params)
    found.save()


def _no_policy(kind: Kind, params: Params) -> NoSuchEntityException:
    return NoSuchEntityException(f"The {kind.noun} policy with name {params['PolicyName']} cannot be found.")


@operation
def put_user_policy(ctx: Context, params: Params) -> None:
    """Add or replace an inline policy of a user."""
    _put(ctx, USER, params)


@operation
def get_user_policy(ctx: Context, params: Params) -> Result:
    """Return an inline policy of a user."""
    return _get(ctx, USER, params)


@operation
def list_user_policies(ctx: Context, params: Params) -> Result:
    """Return the names of a user's inline policies."""
    return _list(ctx, USER, params)


@operation
def delete_user_policy(ctx: Context, params: Params) -> None:
    """Delete an inline policy of a user."""
    _delete(ctx, USER, params)


@operation
def put_role_policy(ctx: Context, params: Params) -> None:
    """Add or replace an inline policy of a role."""
    _put(ctx, ROLE, params)


@operation
def get_role_policy(ctx: Context, params: Params) -> Result:
    """Return an inline policy of a role."""
    return _get(ctx, ROLE, params)


@operation
def list_role_policies(ctx: Context, params: Params) -> Result:
    """Return the names of a role's inline policies."""
    return _list(ctx, ROLE, params)


@operation
def delete_role_policy(ctx: Context, params: Params) -> None:
    """Delete an inline policy of a role."""
    _delete(ctx, ROLE, params)


@operation
def put_group_policy(ctx: Context, params: Params) -> None:
    """Add or replace an inline policy of a group."""
    _put(ctx, GROUP, params)


@operation
def get_group_policy(ctx: Context, params: Params) -> Result:
    """Return an inline policy of a group."""
    return _get(ctx, GROUP, params)


@operation
def list_group_policies(ctx: Context, params: Params) -> Result:
    """Return the names of a group's inline policies."""
    return _list(ctx, GROUP, params)


@operation
def delete_group_policy(ctx: Context, params: Params) -> None:
    """Delete an inline policy of a group."""
    _delete(ctx, GROUP, params)
