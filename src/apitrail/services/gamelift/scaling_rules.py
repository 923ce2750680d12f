"""What a scaling policy asks for. Pure functions of policies, metrics and counts.

Source: service model (ScalingPolicy); GameLift Developer Guide, auto scaling.
"""

import math
import operator
from collections.abc import Callable, Mapping
from typing import Any

from apitrail.store.resources import Doc

COMPARISONS: Mapping[str, Callable[[float, float], bool]] = {
    "GreaterThanOrEqualToThreshold": operator.ge,
    "GreaterThanThreshold": operator.gt,
    "LessThanOrEqualToThreshold": operator.le,
    "LessThanThreshold": operator.lt,
}


def is_target_based(policy: Mapping[str, Any]) -> bool:
    """Return whether a policy keeps a metric at a target, rather than acting by a rule."""
    return bool(policy["PolicyType"] == "TargetBased")


def is_met(policy: Doc, value: float) -> bool:
    """Return whether the value of its metric meets the comparison of a rule-based policy."""
    return COMPARISONS[policy["ComparisonOperator"]](value, policy["Threshold"])


def adjusted(policy: Doc, current: int) -> int:
    """Return how many instances a rule-based policy makes of the current number, before any bound.

    A percentage is rounded away from zero, so that it changes at least one instance (inferred).
    """
    adjustment: int = policy["ScalingAdjustment"]
    return ADJUSTMENTS[policy["ScalingAdjustmentType"]](current, adjustment)


def target_instances(policy: Doc, used: int, per_instance: int) -> int:
    """Return how many instances leave the wanted share of server processes free, before any bound.

    used: processes with a game session. per_instance: processes of one instance. Inferred: the formula.
    """
    free_share: float = policy["TargetConfiguration"]["TargetValue"] / 100
    return math.ceil(used / (1 - free_share) / per_instance)


def bounded(desired: int, current: int, minimum: int, maximum: int, allowed: int) -> int:
    """Return how many instances a location gets.

    minimum, maximum: its settings. allowed: what the quota leaves; it stops growth, but takes nothing away.
    """
    within = max(minimum, min(desired, maximum))
    return within if within <= current else max(current, min(within, allowed))


def processes_per_instance(runtime: Mapping[str, Any]) -> int:
    """Return how many server processes a runtime configuration starts on each instance."""
    counts: list[int] = [entry["ConcurrentExecutions"] for entry in runtime.get("ServerProcesses", ())]
    return max(1, sum(counts))


def _percent_change(current: int, percent: int) -> int:
    size = -(-current * abs(percent) // 100)
    if percent:
        size = max(1, size)
    return current + (size if percent > 0 else -size)


ADJUSTMENTS: Mapping[str, Callable[[int, int], int]] = {
    "ChangeInCapacity": operator.add,
    "ExactCapacity": lambda _, adjustment: adjustment,
    "PercentChangeInCapacity": _percent_change,
}
