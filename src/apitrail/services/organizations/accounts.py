"""Accounts of an organization: make, see, remove. Source: Organizations API Reference."""

from apitrail.errors import ServiceError
from apitrail.services.context import Context
from apitrail.services.identities import ACCOUNTS, new_role
from apitrail.services.memberships import MEMBERS, is_management, members_changed, members_of
from apitrail.services.operation import operation
from apitrail.services.organizations.access import (
    CREATED,
    Params,
    Result,
    join,
    managed_organization,
    member_in,
    new_id,
    own_organization,
    page_of,
)
from apitrail.services.organizations.errors import (
    ConstraintViolationException,
    CreateAccountStatusNotFoundException,
    MasterCannotLeaveOrganizationException,
)
from apitrail.store.resources import Collection, Doc

ACCOUNTS_MAX = 1000
DIGITS = "0123456789"
ACCESS_ROLE = "OrganizationAccountAccessRole"
ADMINISTRATOR = "arn:aws:iam::aws:policy/AdministratorAccess"
REQUESTS = Collection("organizations/create-account", "account")
"""By id of the request: the CreateAccountStatus of the API."""


@operation
def create_account(ctx: Context, params: Params) -> Result:
    """Make an account with a role that the management account may assume; it has no root key. It is there at once.

    The status tells when it cannot be made: too many accounts, or the e-mail address is taken. There is no billing, so
    IamUserAccessToBilling changes nothing. Raises: AWSOrganizationsNotInUseException, AccessDeniedException.
    """
    organization = managed_organization(ctx)
    if params.get("Tags"):
        message = "Tags: tags of accounts are not served by this version."
        raise ServiceError(message, code="UnsupportedOperationException")
    status: Doc = {
        "Id": new_id(ctx.ids, "car-", 32),
        "AccountName": params["AccountName"],
        "RequestedTimestamp": ctx.now,
        "CompletedTimestamp": ctx.now,
    }
    if reason := _obstacle(ctx, organization, params["Email"]):
        status |= {"State": "FAILED", "FailureReason": reason}
    else:
        status |= {"State": "SUCCEEDED", "AccountId": _make_account(ctx, organization, params)}
    REQUESTS(ctx).put(status["Id"], status)
    return {"CreateAccountStatus": status}


def _obstacle(ctx: Context, organization: Doc, email: str) -> str:
    """Return why an account cannot be made, or an empty text."""
    members = MEMBERS(ctx)
    if members.count("_Organization", organization["Id"]) >= ACCOUNTS_MAX:
        return "ACCOUNT_LIMIT_EXCEEDED"
    taken = any(str(entry.doc.get("Email", "")).lower() == email.lower() for entry in members.all())
    return "EMAIL_ALREADY_EXISTS" if taken else ""


def _make_account(ctx: Context, organization: Doc, params: Params) -> str:
    accounts = ACCOUNTS(ctx)
    number = ctx.ids.token(12, DIGITS)
    while accounts.has(number):
        number = ctx.ids.token(12, DIGITS)
    accounts.put(number, {"Account": number, "CreateDate": ctx.now.replace(microsecond=0)})
    trusted = {"AWS": f"arn:aws:iam::{ctx.account}:root"}
    name = params.get("RoleName", ACCESS_ROLE)
    new_role(ctx.tx, ctx.ids, number, ctx.now, name, trusted, attached=(ADMINISTRATOR,))
    join(ctx, organization, number, CREATED, Name=params["AccountName"], Email=params["Email"])
    members_changed(ctx, organization, ctx.next_seq())
    return number


@operation
def describe_create_account_status(ctx: Context, params: Params) -> Result:
    """Return how a request ended. Raises: CreateAccountStatusNotFoundException, and as managed_organization."""
    managed_organization(ctx)
    status = REQUESTS(ctx).get(params["CreateAccountRequestId"])
    if status is None:
        raise CreateAccountStatusNotFoundException("We can't find an create account request with the specified ID.")
    return {"CreateAccountStatus": status}


@operation
def list_create_account_status(ctx: Context, params: Params) -> Result:
    """Return the requests, newest first. Raises: InvalidInputException, and as managed_organization."""
    managed_organization(ctx)
    states = params.get("States")
    found = [entry.doc for entry in REQUESTS(ctx).page(-1, newest_first=True)]
    return page_of(ctx, params, [one for one in found if not states or one["State"] in states], "CreateAccountStatuses")


@operation
def list_accounts(ctx: Context, params: Params) -> Result:
    """Return the members, for the management account or a delegated administrator."""
    organization = managed_organization(ctx, or_delegated=True)
    return page_of(ctx, params, members_of(ctx.tx, organization), "Accounts")


@operation
def describe_account(ctx: Context, params: Params) -> Result:
    """Return a member. Raises: AccountNotFoundException, and as managed_organization."""
    organization = managed_organization(ctx, or_delegated=True)
    return {"Account": member_in(ctx, organization, params["AccountId"])}


@operation
def leave_organization(ctx: Context, params: Params) -> None:
    """Take the caller's account out of its organization; its trails take events of the account up to this call.

    The management account gets a copy of the record.
    Raises: AWSOrganizationsNotInUseException, MasterCannotLeaveOrganizationException, ConstraintViolationException.
    """
    organization = own_organization(ctx)
    _take_out(ctx, organization, ctx.account)
    ctx.also_record(organization["MasterAccountId"])


@operation
def remove_account_from_organization(ctx: Context, params: Params) -> None:
    """Take a member out. Raises: AccountNotFoundException, MasterCannotLeaveOrganizationException,
    ConstraintViolationException (it administers a service), and as managed_organization.
    """
    _take_out(ctx, managed_organization(ctx), params["AccountId"])


def _take_out(ctx: Context, organization: Doc, account: str) -> None:
    member = member_in(ctx, organization, account)
    if is_management(organization, account):
        raise MasterCannotLeaveOrganizationException("The management account can't leave its organization.")
    if member["_Delegated"]:
        services = ", ".join(sorted(member["_Delegated"]))
        message = f"You can't remove account {account}, which is the delegated administrator of {services}."
        raise ConstraintViolationException("CANNOT_REMOVE_DELEGATED_ADMINISTRATOR_FROM_ORG", message)
    MEMBERS(ctx).delete(account)
    members_changed(ctx, organization, ctx.next_seq() + 1)
