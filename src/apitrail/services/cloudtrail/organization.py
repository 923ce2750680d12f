"""Trails of an organization, and the member accounts that administer them besides the management account.

Source: CloudTrail User Guide, "Creating a trail for an organization" and "Organization delegated administrator"; API Reference.
Inferred: the order of the checks, and which permissions at other services are asked for.
"""

from typing import TYPE_CHECKING, Any

from apitrail.arn import make_arn
from apitrail.identity.policy import evaluate
from apitrail.identity.request_context import request_context
from apitrail.services.cloudtrail.errors import (
    AccountNotFoundException,
    AccountNotRegisteredException,
    AccountRegisteredException,
    CannotDelegateManagementAccountException,
    CloudTrailAccessNotEnabledException,
    DelegatedAdminAccountLimitExceededException,
    InsufficientDependencyServiceAccessPermissionException,
    InsufficientIAMAccessPermissionException,
    NoManagementAccountSLRExistsException,
    NotOrganizationManagementAccountException,
    NotOrganizationMasterAccountException,
    OrganizationNotInAllFeaturesModeException,
    OrganizationsNotInUseException,
)
from apitrail.services.context import Context
from apitrail.services.identities import ROLES, new_role
from apitrail.services.memberships import (
    ALL_FEATURES,
    CLOUDTRAIL,
    MEMBERS,
    covered_accounts,
    delegate,
    delegates_of,
    is_delegated,
    is_management,
    of_one_account,
    organization_of,
)
from apitrail.services.operation import operation
from apitrail.store.resources import Doc

if TYPE_CHECKING:
    from mypy_boto3_cloudtrail.type_defs import (
        DeregisterOrganizationDelegatedAdminRequestTypeDef,
        RegisterOrganizationDelegatedAdminRequestTypeDef,
    )

LINKED_ROLE = "AWSServiceRoleForCloudTrail"
LINKED_PATH = f"/aws-service-role/{CLOUDTRAIL}/"
DELEGATES_MAX = 3
CREATE_ROLE = "iam:CreateServiceLinkedRole"
TRAIL_NEEDS = ("organizations:DescribeOrganization", "organizations:ListAWSServiceAccessForOrganization")


def required_organization(ctx: Context) -> Doc:
    """Return the organization for which the caller's account may make trails; the management account then has the linked role.

    Raises: OrganizationsNotInUseException, NotOrganizationMasterAccountException, OrganizationNotInAllFeaturesModeException,
    CloudTrailAccessNotEnabledException, InsufficientDependencyServiceAccessPermissionException,
    NoManagementAccountSLRExistsException (which a delegated administrator cannot make).
    """
    organization = _organization(ctx)
    manages = is_management(organization, ctx.account)
    if not manages and not is_delegated(ctx.tx, ctx.account, CLOUDTRAIL):
        raise NotOrganizationMasterAccountException(
            f"Account {ctx.account} is neither the management account of its organization nor a delegated administrator of it."
        )
    _check_ready(organization)
    missing_role = not _has_linked_role(ctx, organization)
    _check_permissions(ctx, (*TRAIL_NEEDS, *([CREATE_ROLE] if manages and missing_role else [])))
    if missing_role and not manages:
        raise NoManagementAccountSLRExistsException(
            f"The management account {organization['MasterAccountId']} has no service-linked role {LINKED_ROLE}."
        )
    _ensure_linked_role(ctx, organization)
    return organization


def take_members(ctx: Context, trail: Doc, organization: Doc) -> None:
    """Make a trail one of an organization: it takes the events of all members, whenever they join."""
    accounts = covered_accounts(ctx.tx, organization)
    trail |= {"IsOrganizationTrail": True, "_Organization": organization["Id"], "_Accounts": accounts}


def convert(ctx: Context, trail: Doc, params: Any) -> Doc:
    """Return a trail made one of the organization, or of the management account alone, if UpdateTrail asks for it.

    Raises: as required_organization; NotOrganizationMasterAccountException for a delegated administrator.
    """
    wanted = params.get("IsOrganizationTrail", trail["IsOrganizationTrail"])
    if wanted == trail["IsOrganizationTrail"]:
        return trail
    organization = required_organization(ctx) if wanted else _organization(ctx)
    if not is_management(organization, ctx.account):
        raise NotOrganizationMasterAccountException(
            "Only the management account can make an organization trail of a trail, or the other way round."
        )
    if not wanted:
        return of_one_account(trail)
    take_members(ctx, trail, organization)
    return trail


@operation
def register_organization_delegated_admin(
    ctx: Context, params: "RegisterOrganizationDelegatedAdminRequestTypeDef"
) -> dict[str, Any]:
    """Let a member make and change the organization's trails; at most three.

    Raises: OrganizationsNotInUseException, NotOrganizationManagementAccountException, OrganizationNotInAllFeaturesModeException,
    CloudTrailAccessNotEnabledException, CannotDelegateManagementAccountException, AccountNotFoundException,
    AccountRegisteredException, DelegatedAdminAccountLimitExceededException, InsufficientIAMAccessPermissionException,
    InsufficientDependencyServiceAccessPermissionException. Source: API Reference.
    """
    organization = _managed(ctx)
    account = params["MemberAccountId"]
    if is_management(organization, account):
        raise CannotDelegateManagementAccountException("The management account cannot be a delegated administrator.")
    if CLOUDTRAIL in _member(ctx, organization, account)["_Delegated"]:
        raise AccountRegisteredException(f"Account {account} is already the CloudTrail delegated administrator.")
    if len(delegates_of(ctx.tx, organization, CLOUDTRAIL)) >= DELEGATES_MAX:
        raise DelegatedAdminAccountLimitExceededException(
            f"The organization has {DELEGATES_MAX} CloudTrail delegated administrators, which is as many as it may."
        )
    _check_permissions(ctx, ("organizations:RegisterDelegatedAdministrator",))
    if not _has_linked_role(ctx, organization) and not _may(ctx, CREATE_ROLE):
        raise InsufficientIAMAccessPermissionException(f"The caller lacks {CREATE_ROLE} for {LINKED_ROLE}.")
    _ensure_linked_role(ctx, organization)
    delegate(ctx.tx, account, CLOUDTRAIL, ctx.now)
    return {}


@operation
def deregister_organization_delegated_admin(
    ctx: Context, params: "DeregisterOrganizationDelegatedAdminRequestTypeDef"
) -> dict[str, Any]:
    """Let a member change the organization's trails no more; those that it made stay.

    Raises: as RegisterOrganizationDelegatedAdmin; AccountNotRegisteredException. Source: API Reference.
    """
    organization = _managed(ctx)
    account = params["DelegatedAdminAccountId"]
    if CLOUDTRAIL not in _member(ctx, organization, account)["_Delegated"]:
        raise AccountNotRegisteredException(f"Account {account} is not a CloudTrail delegated administrator.")
    _check_permissions(ctx, ("organizations:DeregisterDelegatedAdministrator",))
    delegate(ctx.tx, account, CLOUDTRAIL, None)
    return {}


def _organization(ctx: Context) -> Doc:
    organization = organization_of(ctx.tx, ctx.account)
    if organization is None:
        raise OrganizationsNotInUseException("Your account is not a member of an organization.")
    return organization


def _managed(ctx: Context) -> Doc:
    """Return the organization that the caller's account manages, if its trails can be administered."""
    organization = _organization(ctx)
    if not is_management(organization, ctx.account):
        message = f"Account {ctx.account} is not the management account of its organization."
        raise NotOrganizationManagementAccountException(message)
    _check_ready(organization)
    return organization


def _check_ready(organization: Doc) -> None:
    if organization["FeatureSet"] != ALL_FEATURES:
        raise OrganizationNotInAllFeaturesModeException("The organization does not have all features enabled.")
    if CLOUDTRAIL not in organization["_Services"]:
        raise CloudTrailAccessNotEnabledException(
            f"CloudTrail has no access to the organization; enable it with EnableAWSServiceAccess for {CLOUDTRAIL}."
        )


def _member(ctx: Context, organization: Doc, account: str) -> Doc:
    member = MEMBERS(ctx).get(account)
    if member is None or member["_Organization"] != organization["Id"]:
        raise AccountNotFoundException(f"Account {account} is not in the organization.")
    return member


def _check_permissions(ctx: Context, actions: tuple[str, ...]) -> None:
    for action in actions:
        if not _may(ctx, action):
            raise InsufficientDependencyServiceAccessPermissionException(f"The caller lacks the permission {action}.")


def _may(ctx: Context, action: str) -> bool:
    """Return whether the caller's policies allow an action of another service."""
    assert ctx.principal is not None
    assert ctx.call is not None
    role = make_arn("iam", "", ctx.account, f"role{LINKED_PATH}{LINKED_ROLE}")
    resource = role if action == CREATE_ROLE else "*"
    return evaluate(ctx.principal, action, [resource], request_context(ctx.call, ctx.now)).allowed


def _has_linked_role(ctx: Context, organization: Doc) -> bool:
    return ROLES.at(ctx.tx, organization["MasterAccountId"]).has(LINKED_ROLE.lower())


def _ensure_linked_role(ctx: Context, organization: Doc) -> None:
    if not _has_linked_role(ctx, organization):
        management, trusted = organization["MasterAccountId"], {"Service": CLOUDTRAIL}
        new_role(ctx.tx, ctx.ids, management, ctx.now, LINKED_ROLE, trusted, path=LINKED_PATH)
