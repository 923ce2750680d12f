"""What scaling policies ask for, as tables of cases."""

from typing import Any

import pytest

from apitrail.services.gamelift.scaling_metrics import METRICS
from apitrail.services.gamelift.scaling_rules import (
    COMPARISONS,
    adjusted,
    bounded,
    is_met,
    processes_per_instance,
    target_instances,
)
from apitrail.wire.models import service_model

MODEL = service_model("gamelift")


def enum(shape: str) -> set[str]:
    return set(MODEL.shape_for(shape).metadata["enum"])


def test_every_metric_and_comparison_of_the_model_is_known() -> None:
    assert set(METRICS) == enum("MetricName")
    assert set(COMPARISONS) == enum("ComparisonOperatorType")


@pytest.mark.parametrize(
    ("comparison", "below", "equal", "above"),
    [
        ("GreaterThanOrEqualToThreshold", False, True, True),
        ("GreaterThanThreshold", False, False, True),
        ("LessThanOrEqualToThreshold", True, True, False),
        ("LessThanThreshold", True, False, False),
    ],
)
def test_a_rule_compares_its_metric_with_the_threshold(comparison: str, below: bool, equal: bool, above: bool) -> None:
    rule: dict[str, Any] = {"ComparisonOperator": comparison, "Threshold": 10.0}
    assert [is_met(rule, value) for value in (9.5, 10, 10.5)] == [below, equal, above]


@pytest.mark.parametrize(
    ("kind", "adjustment", "current", "wanted"),
    [
        ("ChangeInCapacity", 3, 4, 7),
        ("ChangeInCapacity", -3, 2, -1),
        ("ExactCapacity", 9, 4, 9),
        ("PercentChangeInCapacity", 50, 4, 6),
        ("PercentChangeInCapacity", 10, 4, 5),
        ("PercentChangeInCapacity", -10, 4, 3),
        ("PercentChangeInCapacity", -30, 10, 7),
        ("PercentChangeInCapacity", 31, 10, 14),
        ("PercentChangeInCapacity", 10, 0, 1),
        ("PercentChangeInCapacity", 0, 4, 4),
    ],
)
def test_an_adjustment_is_a_change_a_number_or_a_percentage(
    kind: str, adjustment: int, current: int, wanted: int
) -> None:
    rule = {"ScalingAdjustmentType": kind, "ScalingAdjustment": adjustment}
    assert adjusted(rule, current) == wanted


def test_every_adjustment_of_the_model_is_known() -> None:
    for kind in enum("ScalingAdjustmentType"):
        assert isinstance(adjusted({"ScalingAdjustmentType": kind, "ScalingAdjustment": 1}, 1), int)


@pytest.mark.parametrize(
    ("target", "used", "per_instance", "wanted"),
    [(10, 0, 2, 0), (10, 9, 1, 10), (50, 3, 2, 3), (50, 4, 2, 4), (0, 5, 2, 3), (99.5, 1, 50, 4), (20, 8, 5, 2)],
)
def test_a_target_leaves_its_share_of_all_processes_free(
    target: float, used: int, per_instance: int, wanted: int
) -> None:
    assert target_instances({"TargetConfiguration": {"TargetValue": target}}, used, per_instance) == wanted


@pytest.mark.parametrize(
    ("wanted", "current", "allowed", "given"),
    [(3, 2, 20, 3), (9, 2, 20, 6), (0, 2, 20, 1), (6, 2, 4, 4), (6, 5, 4, 5), (3, 5, 2, 3), (-4, 2, 20, 1)],
)
def test_settings_bound_what_is_wanted_and_the_quota_what_is_added(
    wanted: int, current: int, allowed: int, given: int
) -> None:
    assert bounded(wanted, current, 1, 6, allowed) == given


def test_an_instance_has_the_processes_of_all_launch_entries() -> None:
    entries = [{"LaunchPath": "a", "ConcurrentExecutions": 2}, {"LaunchPath": "b", "ConcurrentExecutions": 3}]
    assert processes_per_instance({"ServerProcesses": entries}) == 5
    assert processes_per_instance({}) == 1
