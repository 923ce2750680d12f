"""Event selectors of trails. Source: CloudTrail API Reference, PutEventSelectors and GetEventSelectors."""

from typing import TYPE_CHECKING, Any

from apitrail.events.selector_rules import validate_selectors
from apitrail.events.selectors import DEFAULT_SELECTORS
from apitrail.services.cloudtrail.access import get_own_trail, get_trail, owner_of, parse_name, put_trail
from apitrail.services.context import Context
from apitrail.services.operation import operation
from apitrail.trail.trails import renew_span

if TYPE_CHECKING:
    from mypy_boto3_cloudtrail.type_defs import GetEventSelectorsRequestTypeDef, PutEventSelectorsRequestTypeDef


@operation
def put_event_selectors(ctx: Context, params: "PutEventSelectorsRequestTypeDef") -> dict[str, Any]:
    """Replace a trail's selectors of either kind, from the next event on.

    Raises: InvalidEventSelectorsException, TrailNotFoundException, InvalidHomeRegionException, and those for names.
    """
    parse_name(ctx, params["TrailName"])
    asked: Any = params
    basic, advanced = asked.get("EventSelectors"), asked.get("AdvancedEventSelectors")
    validate_selectors(basic, advanced)
    trail = get_own_trail(ctx, params["TrailName"])
    filled = [{**DEFAULT_SELECTORS[0], **selector} for selector in basic] if basic else None
    custom = bool(advanced) or (filled is not None and filled != list(DEFAULT_SELECTORS))
    trail |= {
        "_EventSelectors": filled,
        "_AdvancedEventSelectors": advanced,
        "HasCustomEventSelectors": trail["HasCustomEventSelectors"] or custom,
    }
    put_trail(ctx, trail)
    if trail["_Logging"]:
        renew_span(ctx.tx, trail, owner_of(trail), ctx.next_seq())
    if advanced:
        return {"TrailARN": trail["TrailARN"], "AdvancedEventSelectors": advanced}
    return {"TrailARN": trail["TrailARN"], "EventSelectors": filled}


@operation
def get_event_selectors(ctx: Context, params: "GetEventSelectorsRequestTypeDef") -> dict[str, Any]:
    """Return a trail's selectors; one that was never given any has the default one.

    Raises: TrailNotFoundException, and those for names.
    """
    trail = get_trail(ctx, params["TrailName"])
    if advanced := trail.get("_AdvancedEventSelectors"):
        return {"TrailARN": trail["TrailARN"], "AdvancedEventSelectors": advanced}
    basic = trail.get("_EventSelectors") or list(DEFAULT_SELECTORS)
    return {"TrailARN": trail["TrailARN"], "EventSelectors": basic}
