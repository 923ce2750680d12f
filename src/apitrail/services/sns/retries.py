"""How often and when a failed delivery is repeated. Pure.

Source: SNS Developer Guide, "Amazon SNS message delivery retries" (phases, functions, bounds, and the schedule for queues).
"""

import re
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import orjson

RETRIES_MAX, DELAY_MAX_S = 100, 3600
CONTENT_TYPE = "text/plain; charset=UTF-8"
MEDIA_TYPE = re.compile(r"[A-Za-z0-9.+-]{1,80}/[A-Za-z0-9.+-]{1,80}(?:; ?charset=[A-Za-z0-9-]{1,40})?", re.ASCII)


class DeliveryPolicyError(ValueError):
    """A delivery policy that cannot be used; the text says why."""


class Schedule(NamedTuple):
    """A retry policy; names as in AWS's JSON. Delays in seconds."""

    minDelayTarget: float = 20
    maxDelayTarget: float = 20
    numRetries: int = 3
    numNoDelayRetries: int = 0
    numMinDelayRetries: int = 0
    numMaxDelayRetries: int = 0
    backoffFunction: str = "linear"


class Delivery(NamedTuple):
    """How messages go to one subscription. per_second: at most so many, 0 for no bound. content_type: of HTTP bodies."""

    schedule: Schedule
    per_second: float = 0
    content_type: str = CONTENT_TYPE


OVER_HTTP = Schedule()
INTO_QUEUES = Schedule(1, 20, 100_015, 3, 2, 100_000, "exponential")
"""For queues and files: three times at once, twice after a second, ten times with growing pauses, then every 20 seconds."""

SHARES: Mapping[str, Callable[[int, int], float]] = {
    "linear": lambda step, steps: step / steps,
    "arithmetic": lambda step, steps: step * (step + 1) / (steps * (steps + 1)),
    "geometric": lambda step, steps: (step / steps) ** 2,
    "exponential": lambda step, steps: (2.0**step - 1) / (2.0**steps - 1),
}
"""How far a pause has grown from the least to the largest. Inferred: AWS draws the functions and gives no formulas."""


def pause_after(schedule: Schedule, failures: int) -> float | None:
    """Return the pause in seconds after so many failed attempts, or None when it is not to be tried again."""
    if failures > schedule.numRetries:
        return None
    steady = schedule.numNoDelayRetries + schedule.numMinDelayRetries
    if failures <= schedule.numNoDelayRetries:
        return 0.0
    if failures <= steady:
        return schedule.minDelayTarget
    if failures > schedule.numRetries - schedule.numMaxDelayRetries:
        return schedule.maxDelayTarget
    steps = schedule.numRetries - steady - schedule.numMaxDelayRetries
    share = SHARES[schedule.backoffFunction](failures - steady, steps)
    return schedule.minDelayTarget + (schedule.maxDelayTarget - schedule.minDelayTarget) * share


def delivery_of(protocol: str, topic: Mapping[str, str], subscription: Mapping[str, str]) -> Delivery:
    """Return how a subscription is served, from the attributes of both. protocol: of the subscription."""
    if protocol not in ("http", "https"):
        return Delivery(INTO_QUEUES)
    base = _policy(topic.get("DeliveryPolicy"), of_topic=True)
    own = _policy(subscription.get("DeliveryPolicy"), of_topic=False)
    parts = base if base.get("fixed") else {**base, **own}
    return Delivery(
        parts.get("schedule", OVER_HTTP), parts.get("per_second", 0), parts.get("content_type", CONTENT_TYPE)
    )


def check_delivery_policy(text: str, *, of_topic: bool) -> None:
    """Raise DeliveryPolicyError for a policy that cannot be used."""
    _policy(text, of_topic=of_topic)


def shown(delivery: Delivery, *, of_topic: bool) -> str:
    """Return the text of EffectiveDeliveryPolicy."""
    schedule = delivery.schedule._asdict()
    request = {"headerContentType": delivery.content_type}
    throttle = {"maxReceivesPerSecond": delivery.per_second} if delivery.per_second else None
    if of_topic:
        http = {"defaultHealthyRetryPolicy": schedule, "disableSubscriptionOverrides": False}
        more = {"defaultThrottlePolicy": throttle} if throttle else {}
        return orjson.dumps({"http": {**http, **more, "defaultRequestPolicy": request}}).decode()
    more = {"throttlePolicy": throttle} if throttle else {}
    return orjson.dumps({"healthyRetryPolicy": schedule, **more, "requestPolicy": request}).decode()


def _policy(text: str | None, *, of_topic: bool) -> dict[str, Any]:
    """Return what a policy says: schedule, per_second, content_type, and fixed where subscriptions cannot differ."""
    if not text:
        return {}
    tree = _object(text, of_topic)
    names = ("defaultHealthyRetryPolicy", "defaultThrottlePolicy", "defaultRequestPolicy")
    if not of_topic:
        names = ("healthyRetryPolicy", "throttlePolicy", "requestPolicy")
    known = {*names, "disableSubscriptionOverrides", "sicklyRetryPolicy", "guaranteed"}
    if unknown := sorted(tree.keys() - known):
        raise DeliveryPolicyError(f"Unexpected JSON member: {unknown[0][:40]}")
    retry, throttle, request = (_member(tree, name) for name in names)
    found: dict[str, Any] = {"fixed": tree.get("disableSubscriptionOverrides") is True}
    if retry:
        found["schedule"] = _schedule(retry)
    if throttle:
        found["per_second"] = _number(throttle, "maxReceivesPerSecond", 1, 100_000)
    if request:
        found["content_type"] = _media_type(request.get("headerContentType", CONTENT_TYPE))
    return found


def _object(text: str, of_topic: bool) -> dict[str, Any]:
    try:
        tree = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise DeliveryPolicyError("failed to parse JSON") from error
    if of_topic and isinstance(tree, dict):
        tree = tree.get("http")
    if not isinstance(tree, dict):
        raise DeliveryPolicyError("it must be a JSON object" + (" with a member http" if of_topic else ""))
    return tree


def _member(tree: dict[str, Any], name: str) -> dict[str, Any]:
    value = tree.get(name) or {}
    if not isinstance(value, dict):
        raise DeliveryPolicyError(f"{name} must be an object")
    return value


def _schedule(tree: dict[str, Any]) -> Schedule:
    if unknown := sorted(tree.keys() - set(Schedule._fields)):
        raise DeliveryPolicyError(f"Unexpected JSON member: {unknown[0][:40]}")
    longest = _number(tree, "maxDelayTarget", 1, DELAY_MAX_S, OVER_HTTP.maxDelayTarget)
    counts = {
        name: int(_number(tree, name, 0, RETRIES_MAX, getattr(OVER_HTTP, name))) for name in Schedule._fields[2:6]
    }
    function = tree.get("backoffFunction") or OVER_HTTP.backoffFunction
    if not isinstance(function, str) or function not in SHARES:
        raise DeliveryPolicyError(f"backoffFunction must be one of {', '.join(SHARES)}")
    shortest = _number(tree, "minDelayTarget", 1, longest, min(longest, OVER_HTTP.minDelayTarget))
    if sum(counts.values()) - counts["numRetries"] > counts["numRetries"]:
        raise DeliveryPolicyError("numRetries must be at least the sum of the retries of all phases")
    return Schedule(shortest, longest, **counts, backoffFunction=function)


def _number(tree: dict[str, Any], name: str, low: float, high: float, default: float | None = None) -> float:
    value = tree.get(name)
    if value is None and default is not None:
        return default
    if not isinstance(value, int | float) or isinstance(value, bool) or not low <= value <= high:
        raise DeliveryPolicyError(f"{name} must be between {low:g} and {high:g}")
    return value


def _media_type(value: Any) -> str:
    if not isinstance(value, str) or not MEDIA_TYPE.fullmatch(value):
        raise DeliveryPolicyError("headerContentType must be a media type")
    return value
