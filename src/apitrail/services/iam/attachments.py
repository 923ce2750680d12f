"""Which users, roles and groups have which managed policies. Source: IAM API Reference."""

from apitrail.services.context import Context
from apitrail.services.iam.errors import LimitExceededException, NoSuchEntityException
from apitrail.services.iam.policies import require_policy
from apitrail.services.iam.roles import own_role
from apitrail.services.iam.store import GROUP, ROLE, USER, Found, Kind, Params, Result, find, page_of
from apitrail.services.identities import find_policy
from apitrail.services.operation import operation
from apitrail.store.resources import Doc

ATTACHED_MAX = 10
_FILTERS = {"User": USER, "Role": ROLE, "Group": GROUP}


def _changeable(ctx: Context, kind: Kind, params: Params) -> Found:
    return own_role(ctx, params[kind.member]) if kind is ROLE else find(ctx, kind, params[kind.member])


def _attach(ctx: Context, kind: Kind, params: Params) -> None:
    found = _changeable(ctx, kind, params)
    arn = require_policy(ctx, params["PolicyArn"])["Arn"]
    if arn in found.doc["_attached"]:
        return
    if len(found.doc["_attached"]) >= ATTACHED_MAX:
        quota = f"PoliciesPer{kind.noun.capitalize()}"
        raise LimitExceededException(f"Cannot exceed quota for {quota}: {ATTACHED_MAX}")
    found.doc["_attached"].append(arn)
    found.save()


def _detach(ctx: Context, kind: Kind, params: Params) -> None:
    found = _changeable(ctx, kind, params)
    if params["PolicyArn"] not in found.doc["_attached"]:
        raise NoSuchEntityException(f"Policy {params['PolicyArn']} was not found.")
    found.doc["_attached"].remove(params["PolicyArn"])
    found.save()


def _list(ctx: Context, kind: Kind, params: Params) -> Result:
    found = find(ctx, kind, params[kind.member])
    policies = [policy for arn in found.doc["_attached"] if (policy := find_policy(ctx.tx, ctx.account, arn))]
    rows = [policy for policy in policies if policy["Path"].startswith(params.get("PathPrefix", "/"))]
    return page_of(ctx, params, rows, "AttachedPolicies", _named)


def _named(policy: Doc) -> Doc:
    return {"PolicyName": policy["PolicyName"], "PolicyArn": policy["Arn"]}


@operation
def attach_user_policy(ctx: Context, params: Params) -> None:
    """Give a user a managed policy."""
    _attach(ctx, USER, params)


@operation
def detach_user_policy(ctx: Context, params: Params) -> None:
    """Take a managed policy from a user."""
    _detach(ctx, USER, params)


@operation
def list_attached_user_policies(ctx: Context, params: Params) -> Result:
    """Return the managed policies of a user."""
    return _list(ctx, USER, params)


@operation
def attach_role_policy(ctx: Context, params: Params) -> None:
    """Give a role a managed policy."""
    _attach(ctx, ROLE, params)


@operation
def detach_role_policy(ctx: Context, params: Params) -> None:
    """Take a managed policy from a role."""
    _detach(ctx, ROLE, params)


@operation
def list_attached_role_policies(ctx: Context, params: Params) -> Result:
    """Return the managed policies of a role."""
    return _list(ctx, ROLE, params)


@operation
def attach_group_policy(ctx: Context, params: Params) -> None:
    """Give a group a managed policy."""
    _attach(ctx, GROUP, params)


@operation
def detach_group_policy(ctx: Context, params: Params) -> None:
    """Take a managed policy from a group."""
    _detach(ctx, GROUP, params)


@operation
def list_attached_group_policies(ctx: Context, params: Params) -> Result:
    """Return the managed policies of a group."""
    return _list(ctx, GROUP, params)


@operation
def list_entities_for_policy(ctx: Context, params: Params) -> Result:
    """Return the users, roles and groups that have a policy, or have it as their boundary."""
    arn = require_policy(ctx, params["PolicyArn"])["Arn"]
    field = "_boundary" if params.get("PolicyUsageFilter") == "PermissionsBoundary" else "_attached"
    asked = params.get("EntityFilter")
    kinds = [kind for name, kind in _FILTERS.items() if asked in (None, name) and field in kind.collection.indexes]
    rows = [(kind, entry.doc) for kind in kinds for entry in kind.collection(ctx).find(field, arn)]
    rows = [(kind, doc) for kind, doc in rows if doc["Path"].startswith(params.get("PathPrefix", "/"))]
    page = page_of(ctx, params, rows, "rows")
    for kind in (GROUP, USER, ROLE):
        noun = kind.noun.capitalize()
        members = (kind.member, f"{noun}Id")
        page[f"Policy{noun}s"] = [{name: doc[name] for name in members} for of, doc in page["rows"] if of is kind]
    del page["rows"]
    return page
