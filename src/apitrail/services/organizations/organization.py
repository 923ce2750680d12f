"""The organization itself. Source: Organizations API Reference."""

from apitrail.arn import make_arn
from apitrail.services.context import Context
from apitrail.services.memberships import (
    ALL_FEATURES,
    MEMBERS,
    ORGANIZATIONS,
    members_of,
    organization_ended,
    organization_of,
)
from apitrail.services.operation import operation
from apitrail.services.organizations.access import (
    INVITED,
    Params,
    Result,
    arn_in,
    join,
    managed_organization,
    new_id,
    own_organization,
    page_of,
)
from apitrail.services.organizations.errors import AlreadyInOrganizationException, OrganizationNotEmptyException
from apitrail.services.organizations.handshakes import drop_handshakes
from apitrail.store.resources import Doc


@operation
def create_organization(ctx: Context, params: Params) -> Result:
    """Make the caller's account the management account of a new organization. Raises: AlreadyInOrganizationException."""
    if organization_of(ctx.tx, ctx.account) is not None:
        raise AlreadyInOrganizationException("The account is already a member of an organization.")
    id = new_id(ctx.ids, "o-", 10)
    organization: Doc = {
        "Id": id,
        "Arn": make_arn("organizations", "", ctx.account, f"organization/{id}"),
        "FeatureSet": params.get("FeatureSet", ALL_FEATURES),
        "MasterAccountId": ctx.account,
        "MasterAccountArn": make_arn("organizations", "", ctx.account, f"account/{id}/{ctx.account}"),
        "AvailablePolicyTypes": [],
        "_Root": new_id(ctx.ids, "r-", 4),
        "_Services": {},
    }
    ORGANIZATIONS(ctx).put(id, organization)
    join(ctx, organization, ctx.account, INVITED)
    return {"Organization": organization}


@operation
def describe_organization(ctx: Context, params: Params) -> Result:
    """Return the organization of the caller's account. Raises: AWSOrganizationsNotInUseException."""
    return {"Organization": own_organization(ctx)}


@operation
def delete_organization(ctx: Context, params: Params) -> None:
    """End an organization without other members; its trails go on for the management account alone.

    Raises: AWSOrganizationsNotInUseException, AccessDeniedException, OrganizationNotEmptyException.
    """
    organization = managed_organization(ctx)
    if len(members_of(ctx.tx, organization)) > 1:
        raise OrganizationNotEmptyException("To delete an organization you must first remove all member accounts.")
    organization_ended(ctx, organization)
    drop_handshakes(ctx, organization)
    MEMBERS(ctx).delete(ctx.account)
    ORGANIZATIONS(ctx).delete(organization["Id"])


@operation
def list_roots(ctx: Context, params: Params) -> Result:
    """Return the one root. Raises: AWSOrganizationsNotInUseException, AccessDeniedException, InvalidInputException."""
    organization = managed_organization(ctx, or_delegated=True)
    root = organization["_Root"]
    found = {"Id": root, "Arn": arn_in(organization, f"root/{root}"), "Name": "Root", "PolicyTypes": []}
    return page_of(ctx, params, [found], "Roots")
