"""Insights of trails: switching them on, and reading what was counted and found.

Source: CloudTrail API Reference, PutInsightSelectors, GetInsightSelectors, ListInsightsMetricData, ListInsightsData.
"""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from apitrail.archive.attributes import read_headline, shown_event
from apitrail.events.selectors import DEFAULT_SELECTORS
from apitrail.services.cloudtrail.access import (
    get_own_trail,
    get_trail,
    owner_of,
    parse_name,
    put_trail,
    trail_arn,
)
from apitrail.services.cloudtrail.errors import (
    CloudTrailARNInvalidException,
    InsightNotEnabledException,
    InvalidInsightSelectorsException,
    InvalidParameterCombinationException,
    InvalidParameterException,
    InvalidTrailNameException,
    TrailNotFoundException,
    UnsupportedOperationException,
)
from apitrail.services.cloudtrail.trails import check_bucket_policy
from apitrail.services.common import make_token, read_token, take_page
from apitrail.services.context import Context
from apitrail.services.operation import operation
from apitrail.store import journal
from apitrail.store.resources import Doc
from apitrail.trail.insights_count import CALL_RATE, ERROR_RATE, PERIODS
from apitrail.trail.trails import insight_types, renew_span

if TYPE_CHECKING:
    from mypy_boto3_cloudtrail.type_defs import (
        GetInsightSelectorsRequestTypeDef,
        ListInsightsDataRequestTypeDef,
        ListInsightsMetricDataRequestTypeDef,
        PutInsightSelectorsRequestTypeDef,
    )

POINTS_MAX = 21600
EVENTS_MAX = 50
PERIOD_DEFAULT = 3600
STORE_MEMBERS = ("EventDataStore", "InsightsDestination")
COLUMNS = {"EventId": "event_id", "EventName": "name", "EventSource": "source"}
WRITES, ANY = (False,), (True, False)


@operation
def put_insight_selectors(ctx: Context, params: "PutInsightSelectorsRequestTypeDef") -> dict[str, Any]:
    """Replace a trail's insight selectors, from the next event on; an empty list ends its Insights.

    Raises: InvalidInsightSelectorsException unless the trail logs what is to be measured; InvalidParameterException,
    InvalidParameterCombinationException, UnsupportedOperationException for event data stores, S3BucketDoesNotExistException and
    InsufficientS3BucketPolicyException for the trail's bucket, TrailNotFoundException, InvalidHomeRegionException, and those
    for names.
    """
    asked: Any = params
    name = _trail_name(asked)
    parse_name(ctx, name)
    selectors = [_filled(selector) for selector in asked["InsightSelectors"]]
    kinds = [selector["InsightType"] for selector in selectors]
    if len(set(kinds)) != len(kinds):
        raise InvalidInsightSelectorsException("InsightSelectors must name each InsightType once.")
    trail = get_own_trail(ctx, name)
    for kind, category in insight_types({"_InsightSelectors": selectors}):
        _require_logged(trail, kind, category)
    if selectors:
        check_bucket_policy(ctx, trail)
    trail |= {"_InsightSelectors": selectors, "HasInsightSelectors": bool(selectors)}
    put_trail(ctx, trail)
    if trail["_Logging"]:
        renew_span(ctx.tx, trail, owner_of(trail), ctx.next_seq())
    return {"TrailARN": trail["TrailARN"], "InsightSelectors": selectors}


@operation
def get_insight_selectors(ctx: Context, params: "GetInsightSelectorsRequestTypeDef") -> dict[str, Any]:
    """Return a trail's insight selectors.

    Raises: InsightNotEnabledException when there are none; as PutInsightSelectors otherwise.
    """
    trail = get_trail(ctx, _trail_name(params))
    selectors = trail.get("_InsightSelectors")
    if not selectors:
        raise InsightNotEnabledException(f"Insights are not enabled on trail {trail['TrailARN']}.")
    return {"TrailARN": trail["TrailARN"], "InsightSelectors": selectors}


@operation
def list_insights_metric_data(ctx: Context, params: "ListInsightsMetricDataRequestTypeDef") -> dict[str, Any]:
    """Return how often an operation was called, or ended in an error, per period; oldest first.

    TrailName: given for data events, whose counts belong to the trails with Insights on them. Raises: InvalidParameterException,
    and those for trails and their names.
    """
    asked: Any = params
    period, kind = asked.get("Period", PERIOD_DEFAULT), asked["InsightType"]
    if period not in PERIODS:
        raise InvalidParameterException(f"Period must be one of {', '.join(map(str, PERIODS))} seconds.")
    if (kind == ERROR_RATE) != bool(asked.get("ErrorCode")):
        raise InvalidParameterException(f"ErrorCode is given with {ERROR_RATE} and only with it.")
    trail = _metric_trail(ctx, asked.get("TrailName"))
    first, end = _range(ctx, asked, period)
    limit = asked.get("MaxResults", POINTS_MAX)
    bound = ["ListInsightsMetricData", *(str(asked.get(name)) for name in _BOUND_BY)]
    if asked.get("NextToken"):
        first, end = read_token(ctx, bound, asked["NextToken"], InvalidParameterException)
    counts = _counts(ctx, asked, journal.DATA if trail else journal.MANAGEMENT, (period, first, end))
    filled = asked.get("DataType") == "FillWithZeros"
    points = [(at, counts.get(at, 0)) for at in range(first, end, period)] if filled else sorted(counts.items())
    page, more = take_page(points, limit)
    answer = {
        "TrailARN": trail["TrailARN"] if trail else None,
        "EventSource": asked["EventSource"],
        "EventName": asked["EventName"],
        "InsightType": kind,
        "ErrorCode": asked.get("ErrorCode"),
        "Timestamps": [datetime.fromtimestamp(at, UTC) for at, _ in page],
        "Values": [float(count) for _, count in page],
        "NextToken": make_token(ctx, bound, [page[-1][0] + period, end]) if more else None,
    }
    return {name: value for name, value in answer.items() if value is not None}


_BOUND_BY = (
    "TrailName",
    "EventSource",
    "EventName",
    "InsightType",
    "ErrorCode",
    "StartTime",
    "EndTime",
    "Period",
    "DataType",
)


@operation
def list_insights_data(ctx: Context, params: "ListInsightsDataRequestTypeDef") -> dict[str, Any]:
    """Return Insights events on a trail's data events of this region, newest first.

    Raises: InvalidParameterException for a source that is no trail of the account, or a range that ends before it starts.
    """
    asked: Any = params
    trail = _source(ctx, asked["InsightSource"])
    start, end = asked.get("StartTime"), asked.get("EndTime")
    if start and end and start > end:
        raise InvalidParameterException("StartTime must not be after EndTime.")
    bound = ["ListInsightsData", asked["InsightSource"], asked.get("Dimensions"), str(start), str(end)]
    token = asked.get("NextToken")
    before = read_token(ctx, bound, token, InvalidParameterException) if token else [1 << 62, 0]
    rows = _insight_events(ctx, trail, asked, before)
    page, more = take_page(rows, asked.get("MaxResults", EVENTS_MAX))
    answer: dict[str, Any] = {"Events": list(_shown(page))}
    if more:
        answer["NextToken"] = make_token(ctx, bound, list(page[-1][:2]))
    return answer


def end_insights(trail: Doc) -> None:
    """Switch a trail's Insights off, because its logging ends. Source: CloudTrail User Guide, Insights and stopped trails."""
    trail |= {"_InsightSelectors": [], "HasInsightSelectors": False}


def _trail_name(asked: Any) -> str:
    given = [member for member in STORE_MEMBERS if asked.get(member)]
    name: str = asked.get("TrailName") or ""
    if name and given:
        raise InvalidParameterCombinationException(f"TrailName cannot be given together with {' and '.join(given)}.")
    if given:
        raise UnsupportedOperationException("Insights on event data stores are not served by this version.")
    if not name:
        raise InvalidParameterException("TrailName is missing.")
    return name


def _filled(selector: Any) -> dict[str, Any]:
    """Return an insight selector with its categories; Management is the default."""
    kind, categories = selector.get("InsightType"), selector.get("EventCategories") or ["Management"]
    if kind not in (CALL_RATE, ERROR_RATE):
        raise InvalidInsightSelectorsException(
            f"Each insight selector needs an InsightType: {CALL_RATE} or {ERROR_RATE}."
        )
    return {"InsightType": kind, "EventCategories": list(dict.fromkeys(categories))}


def _require_logged(trail: Doc, kind: str, category: str) -> None:
    """Raise InvalidInsightSelectorsException unless a trail logs the events that a type of Insights measures."""
    reads = WRITES if kind == CALL_RATE and category == "Management" else ANY
    advanced = trail.get("_AdvancedEventSelectors")
    if advanced:
        logged = any(_advanced_logs(selector, category, reads) for selector in advanced)
    else:
        logged = any(
            _basic_logs(selector, category, reads) for selector in trail.get("_EventSelectors") or DEFAULT_SELECTORS
        )
    if not logged:
        what = "write management" if reads == WRITES else category.lower()
        raise InvalidInsightSelectorsException(
            f"{kind} on {category} events needs a trail that logs {what} events; change its event selectors first."
        )


def _basic_logs(selector: Any, category: str, reads: Iterable[bool]) -> bool:
    wanted = {"All": ANY, "ReadOnly": (True,), "WriteOnly": WRITES}[selector.get("ReadWriteType", "All")]
    chosen = (
        selector.get("IncludeManagementEvents", True) if category == "Management" else selector.get("DataResources")
    )
    return bool(chosen) and not set(reads).isdisjoint(wanted)


def _advanced_logs(selector: Any, category: str, reads: Iterable[bool]) -> bool:
    fields = {item["Field"]: item.get("Equals", []) for item in selector["FieldSelectors"]}
    wanted = [value == "true" for value in fields.get("readOnly", ["true", "false"])]
    return fields.get("eventCategory") == [category] and not set(reads).isdisjoint(wanted)


def _metric_trail(ctx: Context, name: str | None) -> Doc | None:
    """Return the trail whose data events are asked for. Inferred: the errors for one that cannot be."""
    if name is None:
        return None
    try:
        trail = get_trail(ctx, name)
    except (CloudTrailARNInvalidException, TrailNotFoundException) as error:
        raise InvalidParameterException(error.message) from error
    if not any(category == "Data" for _, category in insight_types(trail)):
        raise InvalidParameterException(f"Trail {trail['TrailARN']} has no Insights on data events.")
    return trail


def _range(ctx: Context, asked: Any, period: int) -> tuple[int, int]:
    """Return the periods asked for: the first one's start, and the end; nothing older than they are kept."""
    now = int(ctx.now.timestamp())
    kept = now - PERIODS[period]
    start = int(asked["StartTime"].timestamp()) if "StartTime" in asked else kept
    end = int(asked["EndTime"].timestamp()) if "EndTime" in asked else now
    if start > end:
        raise InvalidParameterException("StartTime must not be after EndTime.")
    first = max(start, kept)
    return first + -first % period, min(end, now)


def _counts(ctx: Context, asked: Any, category: int, within: tuple[int, int, int]) -> dict[int, int]:
    rows = ctx.tx.all(
        "SELECT at, count FROM insight_counts WHERE series = (SELECT id FROM insight_series WHERE account = ?"
        " AND region = ? AND category = ? AND source = ? AND name = ? AND error = ?) AND period = ? AND at >= ? AND at < ?",
        (
            ctx.account,
            ctx.region,
            category,
            asked["EventSource"],
            asked["EventName"],
            asked.get("ErrorCode", ""),
            *within,
        ),
    )
    return dict(rows)


def _source(ctx: Context, text: str) -> Doc:
    """Return the trail that is asked for. Raises: InvalidParameterException, the only error that the model has for it."""
    try:
        trail_arn(text)
        return get_trail(ctx, text)
    except (CloudTrailARNInvalidException, InvalidTrailNameException, TrailNotFoundException) as error:
        raise InvalidParameterException(f"InsightSource {text} is not the ARN of a trail of this account.") from error


def _insight_events(ctx: Context, trail: Doc, asked: Any, before: list[int]) -> list[tuple[int, int, bytes]]:
    """Return (time, seq, event) of what a trail found, newest first, one more than a page."""
    kinds = [kind for kind, category in insight_types(trail) if category == "Data"]
    where, values = f"type IN ({', '.join('?' * len(kinds))})", list[Any](kinds)
    for key, value in (asked.get("Dimensions") or {}).items():
        where, values = f"{where} AND {COLUMNS[key]} = ?", [*values, value]
    start, end = asked.get("StartTime"), asked.get("EndTime")
    first, last = start.timestamp() if start else 0, end.timestamp() if end else 1 << 62
    rows = ctx.tx.all(
        "SELECT i.time, i.seq, j.event FROM insight_events i JOIN journal j ON j.seq = i.seq WHERE i.account = ?"
        f" AND i.region = ? AND i.time >= ? AND i.time <= ? AND (i.time, i.seq) < (?, ?) AND {where}"
        " ORDER BY i.time DESC, i.seq DESC LIMIT ?",
        (ctx.account, ctx.region, first, last, *before, *values, asked.get("MaxResults", EVENTS_MAX) + 1),
    )
    return [(time, seq, event) for time, seq, event in rows]


def _shown(rows: Iterable[tuple[int, int, bytes]]) -> Iterable[dict[str, Any]]:
    for time, _, event in rows:
        headline = read_headline(event)
        assert headline is not None, "an Insights event of ours cannot be read"
        yield shown_event(headline, time, event)
