"""Finding a trail by what the caller gave: a name in its own region, an ARN anywhere."""

from typing import NamedTuple

from apitrail.arn import Arn, parse_arn
from apitrail.services.cloudtrail.errors import (
    CloudTrailARNInvalidException,
    InvalidHomeRegionException,
    TrailNotFoundException,
)
from apitrail.services.cloudtrail.names import check_trail_name
from apitrail.services.context import Context
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
    """Return the parts of a trail's ARN. Raises: CloudTrailARNInvalidException."""
    arn = parse_arn(text)
    if arn is None or arn.service != "cloudtrail" or not arn.resource.startswith("trail/") or not arn.account.isdigit():
        raise CloudTrailARNInvalidException(
            f"{text} is not the ARN of a trail; expected arn:aws:cloudtrail:<region>:<account>:trail/<name>."
        )
    return arn


def get_trail(ctx: Context, text: str) -> Doc:
    """Return a trail that can be seen from here: of this region, or by ARN a multi-region trail of another one.

    Raises: TrailNotFoundException, and those of parse_name.
    """
    wanted = parse_name(ctx, text)
    trail = TRAILS.at(ctx.tx, ctx.account, wanted.home).get(wanted.name) if wanted.account == ctx.account else None
    visible = trail is not None and (wanted.home == ctx.region or trail["IsMultiRegionTrail"])
    if trail is None or not visible:
        raise TrailNotFoundException(f"Unknown trail: {text} for the user: {ctx.account}")
    return trail


def get_own_trail(ctx: Context, text: str) -> Doc:
    """Return a trail that may be changed here: its home is this region.

    Raises: InvalidHomeRegionException for one whose home is elsewhere; TrailNotFoundException, and those of parse_name.
    """
    wanted = parse_name(ctx, text)
    if wanted.home != ctx.region or _has_shadow(ctx, wanted):
        home = wanted.home if wanted.by_arn else "another region"
        raise InvalidHomeRegionException(f"Trail {text} can be changed only in its home region, which is {home}.")
    return get_trail(ctx, text)


def put_trail(ctx: Context, trail: Doc) -> None:
    """Store a trail in its home region."""
    TRAILS.at(ctx.tx, ctx.account, trail["HomeRegion"]).put(trail["Name"], trail)


def seen_here(ctx: Context, *, shadows: bool = True) -> list[Doc]:
    """Return the trails that this region shows: its own and, as shadows, the multi-region trails of others."""
    trails = [entry.doc for _, entry in TRAILS.in_account(ctx.tx, ctx.account)]
    return [trail for trail in trails if trail["HomeRegion"] == ctx.region or (shadows and trail["IsMultiRegionTrail"])]


def _has_shadow(ctx: Context, wanted: TrailName) -> bool:
    """Return whether a name, unknown in this region, is that of another region's multi-region trail."""
    if wanted.by_arn or TRAILS.at(ctx.tx, ctx.account, ctx.region).has(wanted.name):
        return False
    return any(trail["Name"] == wanted.name for trail in seen_here(ctx))
