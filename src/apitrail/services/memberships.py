"""Which account is in which organization: kept by the Organizations service, asked by CloudTrail.

An organization trail keeps the accounts whose events it takes, so a change of members is a change of its settings: it applies
from an event on, and what belongs into a log file can be worked out again at any time.
"""

from datetime import datetime

from apitrail.services.context import Context
from apitrail.store.database import Tx
from apitrail.store.resources import Collection, Doc
from apitrail.trail.trails import TRAILS, renew_span

CLOUDTRAIL = "cloudtrail.amazonaws.com"
ALL_FEATURES = "ALL"

ORGANIZATIONS = Collection("organizations/organization", "global")
"""By id: the Organization of the API, `_Root` (id of its root), `_Services` (when access was enabled, by service)."""

MEMBERS = Collection("organizations/member", "global", indexes=("_Organization",))
"""By account: the Account of the API, `_Organization` (id), `_Delegated` (when it became administrator, by service)."""


def organization_of(tx: Tx, account: str) -> Doc | None:
    """Return the organization that an account is in, or None."""
    member = MEMBERS.at(tx).get(account)
    return ORGANIZATIONS.at(tx).get(member["_Organization"]) if member is not None else None


def members_of(tx: Tx, organization: Doc) -> list[Doc]:
    """Return the members of an organization, the management account among them, in the order in which they joined."""
    return [entry.doc for entry in MEMBERS.at(tx).find("_Organization", organization["Id"])]


def is_management(organization: Doc, account: str) -> bool:
    """Return whether an account manages the organization."""
    return bool(organization["MasterAccountId"] == account)


def is_delegated(tx: Tx, account: str, service: str) -> bool:
    """Return whether an account administers a service for its organization, as the management account has told."""
    member = MEMBERS.at(tx).get(account)
    return member is not None and service in member["_Delegated"]


def delegates_of(tx: Tx, organization: Doc, service: str) -> list[Doc]:
    """Return the members that administer a service for their organization."""
    return [member for member in members_of(tx, organization) if service in member["_Delegated"]]


def delegate(tx: Tx, account: str, service: str, at: datetime | None) -> None:
    """Let a member administer a service from a time on, or, with None, no more."""
    members = MEMBERS.at(tx)
    member = members.get(account)
    assert member is not None
    rest = {name: since for name, since in member["_Delegated"].items() if name != service}
    members.put(account, {**member, "_Delegated": rest if at is None else {**rest, service: at}})


def covered_accounts(tx: Tx, organization: Doc) -> list[str]:
    """Return the accounts whose events an organization trail takes: all members while CloudTrail has access to them."""
    if CLOUDTRAIL not in organization["_Services"]:
        return [organization["MasterAccountId"]]
    return [member["Id"] for member in members_of(tx, organization)]


def members_changed(ctx: Context, organization: Doc, from_seq: int) -> None:
    """Let the organization's trails take the events of its present members from an event on."""
    management = organization["MasterAccountId"]
    accounts = covered_accounts(ctx.tx, organization)
    for region, entry in TRAILS.in_account(ctx.tx, management):
        trail = entry.doc
        if trail.get("_Organization") == organization["Id"]:
            trail["_Accounts"] = accounts
            _put(ctx, trail, management, region, from_seq)


def organization_ended(ctx: Context, organization: Doc) -> None:
    """Make the organization's trails trails of the management account alone."""
    management = organization["MasterAccountId"]
    for region, entry in TRAILS.in_account(ctx.tx, management):
        if entry.doc.get("_Organization") == organization["Id"]:
            _put(ctx, of_one_account(entry.doc), management, region, ctx.next_seq())


def of_one_account(trail: Doc) -> Doc:
    """Return a trail without its organization."""
    kept = {name: value for name, value in trail.items() if name not in ("_Organization", "_Accounts")}
    return {**kept, "IsOrganizationTrail": False}


def _put(ctx: Context, trail: Doc, account: str, region: str, from_seq: int) -> None:
    TRAILS.at(ctx.tx, account, region).put(trail["Name"], trail)
    if trail["_Logging"]:
        renew_span(ctx.tx, trail, account, from_seq)
