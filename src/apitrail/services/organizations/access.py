"""Who may ask what of an organization, members by their ids, and pages."""

from collections.abc import Mapping, Sequence
from typing import Any

from apitrail.arn import make_arn
from apitrail.ids import Ids
from apitrail.services.common import make_token, read_token
from apitrail.services.context import Context
from apitrail.services.identities import ACCOUNTS
from apitrail.services.memberships import MEMBERS, is_management, organization_of
from apitrail.services.organizations.errors import (
    AccessDeniedException,
    AccountNotFoundException,
    AWSOrganizationsNotInUseException,
    InvalidInputException,
)
from apitrail.store.resources import Doc

Params = Mapping[str, Any]
Result = dict[str, Any]

PAGE = 20
ID_CHARACTERS = "0123456789abcdefghijklmnopqrstuvwxyz"
INVITED, CREATED = "INVITED", "CREATED"


def new_id(ids: Ids, prefix: str, length: int) -> str:
    """Return an id like those of Organizations: `o-` and lower-case letters and digits."""
    return prefix + ids.token(length, ID_CHARACTERS)


def arn_in(organization: Doc, resource: str) -> str:
    """Return the ARN of something in an organization. resource: without the organization's id, `account/111122223333`."""
    kind, _, rest = resource.partition("/")
    return make_arn("organizations", "", organization["MasterAccountId"], f"{kind}/{organization['Id']}/{rest}")


def own_organization(ctx: Context) -> Doc:
    """Return the organization of the caller's account. Raises: AWSOrganizationsNotInUseException."""
    organization = organization_of(ctx.tx, ctx.account)
    if organization is None:
        raise AWSOrganizationsNotInUseException("Your account is not a member of an organization.")
    return organization


def managed_organization(ctx: Context, *, or_delegated: bool = False) -> Doc:
    """Return the organization that the caller's account manages.

    or_delegated: members that administer any service may ask as well.
    Raises: AWSOrganizationsNotInUseException, AccessDeniedException.
    """
    organization = own_organization(ctx)
    delegated = or_delegated and bool((MEMBERS(ctx).get(ctx.account) or {}).get("_Delegated"))
    if not is_management(organization, ctx.account) and not delegated:
        raise AccessDeniedException("You don't have permissions to access this resource.")
    return organization


def member_in(ctx: Context, organization: Doc, account: str) -> Doc:
    """Return a member of an organization. Raises: AccountNotFoundException."""
    member = MEMBERS(ctx).get(account)
    if member is None or member["_Organization"] != organization["Id"]:
        raise AccountNotFoundException(f"You specified an account that doesn't exist: {account}.")
    return member


def join(ctx: Context, organization: Doc, account: str, method: str, **known: Any) -> Doc:
    """Make an account a member, and return its document. known: Name and Email where they are known.

    Accounts that were not made here have no e-mail address; their alias, or their number, is their name.
    """
    alias = (ACCOUNTS(ctx).get(account) or {}).get("Alias")
    member: Doc = {
        "Id": account,
        "Arn": arn_in(organization, f"account/{account}"),
        "Name": alias or account,
        **known,
        "Status": "ACTIVE",
        "State": "ACTIVE",
        "Paths": [f"{organization['Id']}/{organization['_Root']}/{account}/"],
        "JoinedMethod": method,
        "JoinedTimestamp": ctx.now,
        "_Organization": organization["Id"],
        "_Delegated": {},
    }
    MEMBERS(ctx).put(account, member)
    return member


def page_of(ctx: Context, params: Params, rows: Sequence[Any], member: str) -> Result:
    """Return a page of a whole list. member: the answer's name of it. Raises: InvalidInputException (a foreign token)."""
    assert ctx.call is not None
    asked = {name: value for name, value in params.items() if name not in ("NextToken", "MaxResults")}
    bound = [ctx.call.operation.name, asked]
    start = 0
    if "NextToken" in params:
        start = read_token(
            ctx, bound, params["NextToken"], lambda text: InvalidInputException("INVALID_NEXT_TOKEN", text)
        )
    end = start + params.get("MaxResults", PAGE)
    page: Result = {member: list(rows[start:end])}
    if end < len(rows):
        page["NextToken"] = make_token(ctx, bound, end)
    return page
