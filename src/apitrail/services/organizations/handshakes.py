"""Invitations of accounts that exist: the management account invites, the account accepts or declines.

Source: Organizations API Reference and User Guide, "Managing account invitations". Inferred: a handshake of
others is not found; an invitation ends after 15 days.
"""

from datetime import timedelta

from apitrail.services.context import Context
from apitrail.services.identities import ACCOUNTS
from apitrail.services.memberships import MEMBERS, ORGANIZATIONS, is_management, members_changed, organization_of
from apitrail.services.operation import operation
from apitrail.services.organizations.access import (
    INVITED,
    Params,
    Result,
    arn_in,
    join,
    managed_organization,
    new_id,
    page_of,
)
from apitrail.services.organizations.accounts import ACCOUNTS_MAX
from apitrail.services.organizations.errors import (
    AccessDeniedException,
    DuplicateHandshakeException,
    HandshakeAlreadyInStateException,
    HandshakeConstraintViolationException,
    HandshakeNotFoundException,
    InvalidHandshakeTransitionException,
    InvalidInputException,
)
from apitrail.store.resources import Collection, Doc

HANDSHAKES = Collection("organizations/handshake", "global", indexes=("_Organization", "_Account"))
"""By id: the Handshake of the API, `_Organization` (id), `_Account` (the invited one)."""

LIFETIME = timedelta(days=15)
OPEN, EXPIRED, INVITE = "OPEN", "EXPIRED", "INVITE"


@operation
def invite_account_to_organization(ctx: Context, params: Params) -> Result:
    """Invite an account, by its number, into the organization.

    Raises: InvalidInputException (also for an account that does not exist), DuplicateHandshakeException,
    HandshakeConstraintViolationException, and as managed_organization.
    """
    organization = managed_organization(ctx)
    account = _target(ctx, params)
    if organization_of(ctx.tx, account) is not None:
        message = f"The account {account} is already a member of an organization."
        raise HandshakeConstraintViolationException("ALREADY_IN_AN_ORGANIZATION", message)
    for entry in HANDSHAKES(ctx).find("_Account", account):
        if entry.doc["_Organization"] == organization["Id"] and _now(ctx, entry.doc)["State"] == OPEN:
            raise DuplicateHandshakeException(f"There is an open invitation of account {account} already.")
    _check_count(ctx, organization)
    handshake = _invitation(ctx, organization, account, params.get("Notes", ""))
    HANDSHAKES(ctx).put(handshake["Id"], handshake)
    return {"Handshake": handshake}


def _target(ctx: Context, params: Params) -> str:
    target = params["Target"]
    account = str(target["Id"])
    if params.get("Tags"):
        raise InvalidInputException("TARGET_NOT_SUPPORTED", "Tags of accounts are not served by this version.")
    if target["Type"] != "ACCOUNT":
        raise InvalidInputException("INVALID_PARTY_TYPE_TARGET", "Accounts are invited by their number: Type=ACCOUNT.")
    if not ACCOUNTS(ctx).has(account):
        raise InvalidInputException("INVALID_PATTERN_TARGET_ID", "There is no account of this number.")
    return account


def _check_count(ctx: Context, organization: Doc) -> None:
    if MEMBERS(ctx).count("_Organization", organization["Id"]) >= ACCOUNTS_MAX:
        message = f"The organization has {ACCOUNTS_MAX} accounts, which is as many as it may."
        raise HandshakeConstraintViolationException("ACCOUNT_NUMBER_LIMIT_EXCEEDED", message)


def _invitation(ctx: Context, organization: Doc, account: str, notes: str) -> Doc:
    id = new_id(ctx.ids, "h-", 10)
    resources = [
        {"Type": "ORGANIZATION", "Value": organization["Id"]},
        {"Type": "ACCOUNT", "Value": account},
        *([{"Type": "NOTES", "Value": notes}] if notes else []),
    ]
    return {
        "Id": id,
        "Arn": arn_in(organization, f"handshake/{INVITE.lower()}/{id}"),
        "Parties": [
            {"Id": organization["Id"].removeprefix("o-"), "Type": "ORGANIZATION"},
            {"Id": account, "Type": "ACCOUNT"},
        ],
        "State": OPEN,
        "RequestedTimestamp": ctx.now,
        "ExpirationTimestamp": ctx.now + LIFETIME,
        "Action": INVITE,
        "Resources": resources,
        "_Organization": organization["Id"],
        "_Account": account,
    }


@operation
def accept_handshake(ctx: Context, params: Params) -> Result:
    """Join the organization that invites; its trails take the account's events from this call on.

    The management account gets a copy of the record. Raises: HandshakeNotFoundException, AccessDeniedException,
    InvalidHandshakeTransitionException, HandshakeAlreadyInStateException, HandshakeConstraintViolationException.
    """
    handshake = _own_handshake(ctx, params["HandshakeId"])
    if organization_of(ctx.tx, ctx.account) is not None and handshake["State"] == OPEN:
        message = "The account is already a member of an organization."
        raise HandshakeConstraintViolationException("ALREADY_IN_AN_ORGANIZATION", message)
    accepted = _end(ctx, handshake, "ACCEPTED")
    organization = ORGANIZATIONS(ctx).get(handshake["_Organization"])
    assert organization is not None, "handshakes go with their organization"
    _check_count(ctx, organization)
    join(ctx, organization, ctx.account, INVITED)
    members_changed(ctx, organization, ctx.next_seq())
    ctx.also_record(organization["MasterAccountId"])
    return {"Handshake": accepted}


@operation
def decline_handshake(ctx: Context, params: Params) -> Result:
    """Refuse an invitation. Raises: as AcceptHandshake."""
    return {"Handshake": _end(ctx, _own_handshake(ctx, params["HandshakeId"]), "DECLINED")}


@operation
def cancel_handshake(ctx: Context, params: Params) -> Result:
    """Take an invitation back, as the management account. Raises: as AcceptHandshake."""
    handshake = _find(ctx, params["HandshakeId"])
    if handshake["_Account"] == ctx.account:
        raise AccessDeniedException("Only the account that sent the invitation can cancel it.")
    return {"Handshake": _end(ctx, handshake, "CANCELED")}


@operation
def describe_handshake(ctx: Context, params: Params) -> Result:
    """Return an invitation, to whom it was sent or by whom. Raises: HandshakeNotFoundException."""
    return {"Handshake": _find(ctx, params["HandshakeId"])}


@operation
def list_handshakes_for_account(ctx: Context, params: Params) -> Result:
    """Return the invitations of the caller's account, newest first. Raises: InvalidInputException."""
    return _page(ctx, params, "_Account", ctx.account)


@operation
def list_handshakes_for_organization(ctx: Context, params: Params) -> Result:
    """Return the invitations that the organization sent, newest first. Raises: as managed_organization."""
    return _page(ctx, params, "_Organization", managed_organization(ctx, or_delegated=True)["Id"])


def drop_handshakes(ctx: Context, organization: Doc) -> None:
    """Forget the handshakes of an organization that ends."""
    handshakes = HANDSHAKES(ctx)
    for entry in handshakes.find("_Organization", organization["Id"]):
        handshakes.delete(entry.id)


def _page(ctx: Context, params: Params, field: str, value: str) -> Result:
    wanted = (params.get("Filter") or {}).get("ActionType", INVITE)
    found = HANDSHAKES(ctx).find(field, value, newest_first=True)
    shown = [_now(ctx, entry.doc) for entry in found if entry.doc["Action"] == wanted]
    return page_of(ctx, params, shown, "Handshakes")


def _now(ctx: Context, handshake: Doc) -> Doc:
    """Return a handshake as it stands now: an open one expires by itself."""
    expired = handshake["State"] == OPEN and handshake["ExpirationTimestamp"] <= ctx.now
    return {**handshake, "State": EXPIRED} if expired else handshake


def _find(ctx: Context, id: str) -> Doc:
    """Return a handshake that the caller's account received or sent. Raises: HandshakeNotFoundException."""
    handshake = HANDSHAKES(ctx).get(id)
    if handshake is None or not (handshake["_Account"] == ctx.account or _sent_it(ctx, handshake)):
        raise HandshakeNotFoundException(f"We can't find a handshake with the ID {id}.")
    return _now(ctx, handshake)


def _sent_it(ctx: Context, handshake: Doc) -> bool:
    """Return whether the caller's account manages the organization that invites."""
    organization = organization_of(ctx.tx, ctx.account)
    if organization is None or organization["Id"] != handshake["_Organization"]:
        return False
    return is_management(organization, ctx.account)


def _own_handshake(ctx: Context, id: str) -> Doc:
    """Return a handshake that the caller's account received. Raises: HandshakeNotFoundException, AccessDeniedException."""
    handshake = _find(ctx, id)
    if handshake["_Account"] != ctx.account:
        raise AccessDeniedException("Only the invited account can answer an invitation.")
    return handshake


def _end(ctx: Context, handshake: Doc, state: str) -> Doc:
    """Return the handshake in its last state, and store it."""
    if handshake["State"] == state:
        raise HandshakeAlreadyInStateException(f"The handshake is already {state}.")
    if handshake["State"] != OPEN:
        message = f"You can't perform the operation on the handshake in its current state, {handshake['State']}."
        raise InvalidHandshakeTransitionException(message)
    ended = {**handshake, "State": state}
    HANDSHAKES(ctx).put(handshake["Id"], ended)
    return ended
