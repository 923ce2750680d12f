"""Finding a trail by what the caller gave: a name in its own region, an ARN anywhere.

Members of an organization see its trails, by ARN; only its management account and CloudTrail's delegated administrators change
them. Such a trail belongs to the management account, whoever made it.
"""

from typing import NamedTuple

from apitrail.arn import Arn, parse_arn
from apitrail.services.cloudtrail.errors import (
    CloudTrailARNInvalidException,
    InvalidHomeRegionException,
    NotOrganizationMasterAccountException,
    TrailNotFoundException,
)
from apitrail.services.cloudtrail.names import check_trail_name
from apitrail.services.context import Context
from apitrail.services.memberships import CLOUDTRAIL, is_delegated, organization_of
from apitrail.store.resources import Doc
from apitrail.trail.trails import TRAILS


class TrailName(NamedTuple):
    """What a caller means. home: the region in which the trail must have its home. by_arn: was it given as ARN."""

    name: str
    home: str
    account: str
    by_arn: bool


def parse_name(ctx: Context, text: str) -> TrailName:
    """Return which trail a text names. Raises: InvalidTrailNameException, CloudTrailARNInvalidException."""
    if not text.startswith("arn:"):
        check_trail_name(text)
        return TrailName(text, ctx.region, ctx.account, False)
    arn = trail_arn(text)
    return TrailName(arn.resource.removeprefix("trail/"), arn.region, arn.account, True)


def trail_arn(text: str) -> Arn:
    """Return the parts of a trail's ARN. Raises: CloudTrailARNInvalidException; InvalidTrailNameException for its name."""
    arn = parse_arn(text)
    if arn is None or arn.service != "cloudtrail" or not arn.resource.startswith("trail/") or not arn.account.isdigit():
        raise CloudTrailARNInvalidException(
            f"{text} is not the ARN of a trail; expected arn:aws:cloudtrail:<region>:<account>:trail/<name>."
        )
    check_trail_name(arn.resource.removeprefix("trail/"))
    return arn


def get_trail(ctx: Context, text: str) -> Doc:
    """Return a trail that can be seen from here: of this region, or by ARN a multi-region trail of another one.

    Raises: TrailNotFoundException, and those of parse_name.
    """
    wanted = parse_name(ctx, text)
    trail = TRAILS.at(ctx.tx, wanted.account, wanted.home).get(wanted.name)
    if trail is None or not _is_shown(ctx, trail) or not _is_shared(ctx, trail, wanted.account):
        raise TrailNotFoundException(f"Unknown trail: {text} for the user: {ctx.account}")
    return trail


def get_own_trail(ctx: Context, text: str) -> Doc:
    """Return a trail that may be changed here: its home is this region.

    Raises: InvalidHomeRegionException for one whose home is elsewhere; NotOrganizationMasterAccountException for one of the
    organization, unless the caller's account administers it; TrailNotFoundException, and those of parse_name.
    """
    wanted = parse_name(ctx, text)
    if wanted.home != ctx.region or _has_shadow(ctx, wanted):
        home = wanted.home if wanted.by_arn else "another region"
        raise InvalidHomeRegionException(f"Trail {text} can be changed only in its home region, which is {home}.")
    trail = get_trail(ctx, text)
    if wanted.account != ctx.account and not is_delegated(ctx.tx, ctx.account, CLOUDTRAIL):
        raise NotOrganizationMasterAccountException(
            f"Trail {text} is an organization trail; only the management account or a delegated administrator can change it."
        )
    return trail


def owner_of(trail: Doc) -> str:
    """Return the account that a trail belongs to."""
    return trail_arn(trail["TrailARN"]).account


def put_trail(ctx: Context, trail: Doc) -> None:
    """Store a trail in its home region; its owner gets a copy of the record if somebody else changes it."""
    owner = owner_of(trail)
    TRAILS.at(ctx.tx, owner, trail["HomeRegion"]).put(trail["Name"], trail)
    ctx.also_record(owner)


def trails_of(ctx: Context, account: str) -> list[Doc]:
    """Return the trails that belong to an account, of all regions."""
    return [entry.doc for _, entry in TRAILS.in_account(ctx.tx, account)]


def visible_trails(ctx: Context) -> list[Doc]:
    """Return the trails of the caller's account and those of its organization, of all regions."""
    own = trails_of(ctx, ctx.account)
    organization = organization_of(ctx.tx, ctx.account)
    if organization is None or organization["MasterAccountId"] == ctx.account:
        return own
    theirs = trails_of(ctx, organization["MasterAccountId"])
    return own + [trail for trail in theirs if trail.get("_Organization") == organization["Id"]]


def shown_here(ctx: Context, trails: list[Doc], *, shadows: bool = True) -> list[Doc]:
    """Return which of some trails this region shows: its own and, as shadows, the multi-region trails of others."""
    return [trail for trail in trails if _is_shown(ctx, trail, shadows=shadows)]


def _is_shown(ctx: Context, trail: Doc, *, shadows: bool = True) -> bool:
    return bool(trail["HomeRegion"] == ctx.region or (shadows and trail["IsMultiRegionTrail"]))


def _is_shared(ctx: Context, trail: Doc, owner: str) -> bool:
    """Return whether a trail is the caller's own, or its organization's."""
    if owner == ctx.account:
        return True
    organization = organization_of(ctx.tx, ctx.account) if trail.get("_Organization") else None
    return organization is not None and bool(organization["Id"] == trail["_Organization"])


def _has_shadow(ctx: Context, wanted: TrailName) -> bool:
    """Return whether a name, unknown in this region, is that of another region's multi-region trail."""
    if wanted.by_arn or TRAILS.at(ctx.tx, ctx.account, ctx.region).has(wanted.name):
        return False
    return any(trail["Name"] == wanted.name for trail in shown_here(ctx, trails_of(ctx, ctx.account)))
