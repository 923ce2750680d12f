"""Insights events: the record of a Start and of an End. Pure.

Source: CloudTrail User Guide, Insights event record fields.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import orjson

from apitrail.events.record import event_time
from apitrail.store import journal
from apitrail.trail.insights_count import Series

EVENT_VERSION = "1.08"
SHOWN_VALUES = 5
DIGITS = 10

Values = dict[str, dict[str, int]]
"""Counts by attribute and value."""

ATTRIBUTES = {
    journal.MANAGEMENT: ("userIdentityArn", "userAgent", "errorCode"),
    journal.DATA: ("userIdentityArn", "userAgent", "errorCode", "resourceArn"),
}


def insight_event(
    series: Series,
    state: str,
    at: int,
    *,
    event_id: str,
    shared_id: str,
    average: float,
    minutes: int,
    baseline_average: float,
    baseline_minutes: int,
    attributions: list[dict[str, Any]],
) -> bytes:
    """Return a record as JSON. state: `Start` or `End`. at: its minute, epoch seconds. minutes: how long it has lasted."""
    details: dict[str, Any] = {
        "state": state,
        "eventSource": series.source,
        "eventName": series.name,
        "insightType": series.kind,
    }
    if series.error:
        details["errorCode"] = series.error
    statistics = {
        "baseline": {"average": round(baseline_average, DIGITS)},
        "insight": {"average": round(average, DIGITS)},
        "insightDuration": minutes,
        "baselineDuration": baseline_minutes,
    }
    details["insightContext"] = {"statistics": statistics, "attributions": attributions}
    return orjson.dumps(
        {
            "eventVersion": EVENT_VERSION,
            "eventTime": event_time(datetime.fromtimestamp(at, UTC)),
            "awsRegion": series.region,
            "eventID": event_id,
            "eventType": "AwsCloudTrailInsight",
            "recipientAccountId": series.account,
            "sharedEventID": shared_id,
            "insightDetails": details,
            "eventCategory": "Insight",
        }
    )


def attributions_of(
    series: Series, insight: Values, minutes: int, baseline: Values, baseline_minutes: int
) -> list[dict[str, Any]]:
    """Return who made the calls: per attribute the five values with most calls a minute, now and usually.

    An error rate has no attribution by error code, since all its calls have the same.
    """
    wanted = [name for name in ATTRIBUTES[series.category] if name != "errorCode" or not series.error]
    return [
        {
            "attribute": name,
            "insight": _top(insight.get(name, {}), minutes),
            "baseline": _top(baseline.get(name, {}), baseline_minutes),
        }
        for name in wanted
        if insight.get(name) or baseline.get(name)
    ]


def _top(counts: Mapping[str, int], minutes: int) -> list[dict[str, Any]]:
    ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))[:SHOWN_VALUES]
    return [{"value": value, "average": round(count / minutes, DIGITS)} for value, count in ordered if count > 0]
