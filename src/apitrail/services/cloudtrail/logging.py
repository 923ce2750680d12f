"""Start and stop of a trail's logging, and the truth about its deliveries."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from apitrail.services.cloudtrail.access import get_own_trail, get_trail, owner_of, put_trail
from apitrail.services.cloudtrail.insights import end_insights
from apitrail.services.context import Context
from apitrail.services.operation import operation
from apitrail.trail.chains import begin_validation, end_validation
from apitrail.trail.status import digest_status, notification_status, region_status, sink_status
from apitrail.trail.trails import close_span, logs_follower, open_span

if TYPE_CHECKING:
    from mypy_boto3_cloudtrail.type_defs import (
        GetTrailStatusRequestTypeDef,
        StartLoggingRequestTypeDef,
        StopLoggingRequestTypeDef,
    )


@operation
def start_logging(ctx: Context, params: "StartLoggingRequestTypeDef") -> dict[str, Any]:
    """Let a trail log, beginning with this very call; a trail that logs already goes on.

    Raises: TrailNotFoundException, InvalidHomeRegionException. Source: CloudTrail API Reference, StartLogging.
    """
    trail = get_own_trail(ctx, params["Name"])
    if not trail["_Logging"]:
        trail |= {"_Logging": True, "_StartedAt": ctx.now}
        put_trail(ctx, trail)
        open_span(ctx.tx, trail, owner_of(trail), ctx.next_seq())
        if trail["LogFileValidationEnabled"]:
            begin_validation(ctx.tx, trail, owner_of(trail), ctx.now)
    return {}


@operation
def stop_logging(ctx: Context, params: "StopLoggingRequestTypeDef") -> dict[str, Any]:
    """Let a trail's logging end with this very call, which is still delivered; a stopped trail stays so.

    It ends the trail's Insights as well: they are off when logging starts again.
    Raises: TrailNotFoundException, InvalidHomeRegionException. Source: CloudTrail API Reference, StopLogging.
    """
    trail = get_own_trail(ctx, params["Name"])
    if trail["_Logging"]:
        trail |= {"_Logging": False, "_StoppedAt": ctx.now}
        end_insights(trail)
        put_trail(ctx, trail)
        close_span(ctx.tx, trail["TrailARN"], ctx.next_seq())
        end_validation(ctx.tx, trail["TrailARN"], ctx.next_seq())
    return {}


@operation
def get_trail_status(ctx: Context, params: "GetTrailStatusRequestTypeDef") -> dict[str, Any]:
    """Return whether a trail logs, and how its deliveries in this region went, from the marks of the deliverer.

    Raises: TrailNotFoundException. Source: CloudTrail API Reference, GetTrailStatus.
    """
    trail = get_trail(ctx, params["Name"])
    status = region_status(ctx.tx, trail["TrailARN"], ctx.region)
    digests = digest_status(ctx.tx, trail["TrailARN"], ctx.region)
    notified = notification_status(ctx.tx, trail["TrailARN"], ctx.region)
    logs = sink_status(ctx.tx, logs_follower(trail["TrailARN"]), ctx.region)
    delivered, attempted = _time(status.success_at), _time(status.attempt_at)
    started, stopped = trail.get("_StartedAt"), trail.get("_StoppedAt")
    answer = {
        "IsLogging": trail["_Logging"],
        "LatestDeliveryTime": delivered,
        "LatestDeliveryError": status.error or None,
        "LatestDigestDeliveryTime": _time(digests.success_at),
        "LatestDigestDeliveryError": digests.error or None,
        "LatestCloudWatchLogsDeliveryTime": _time(logs.success_at),
        "LatestCloudWatchLogsDeliveryError": logs.error or None,
        "StartLoggingTime": started,
        "StopLoggingTime": stopped,
        "LatestDeliveryAttemptTime": _text(attempted),
        "LatestDeliveryAttemptSucceeded": _text(delivered),
        "LatestNotificationTime": _time(notified.success_at),
        "LatestNotificationError": notified.error or None,
        "LatestNotificationAttemptTime": _text(_time(notified.attempt_at)),
        "LatestNotificationAttemptSucceeded": _text(_time(notified.success_at)),
        "TimeLoggingStarted": _text(started),
        "TimeLoggingStopped": _text(stopped),
    }
    return {name: value for name, value in answer.items() if value is not None}


def _time(seconds: float | None) -> datetime | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC)


def _text(at: datetime | None) -> str:
    return at.strftime("%Y-%m-%dT%H:%M:%SZ") if at is not None else ""
