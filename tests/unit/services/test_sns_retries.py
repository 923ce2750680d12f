"""Delivery policies: their phases as pauses, and what cannot be one."""

import json
from typing import Any

import pytest

from apitrail.services.sns.retries import (
    INTO_QUEUES,
    OVER_HTTP,
    DeliveryPolicyError,
    Schedule,
    check_delivery_policy,
    delivery_of,
    pause_after,
)


def pauses(schedule: Schedule, limit: int = 20) -> list[float | None]:
    found = [pause_after(schedule, failures) for failures in range(1, limit)]
    return found[: found.index(None) + 1] if None in found else found


def test_by_default_there_are_three_retries_twenty_seconds_apart() -> None:
    assert pauses(OVER_HTTP) == [20, 20, 20, None]


def test_phases_follow_each_other() -> None:
    schedule = Schedule(1, 10, 8, 1, 2, 2, "linear")
    assert pauses(schedule) == [0, 1, 1, 4, 7, 10, 10, 10, None]


@pytest.mark.parametrize("function", ["linear", "arithmetic", "geometric", "exponential"])
def test_every_function_grows_from_the_least_to_the_largest_pause(function: str) -> None:
    found = [pause or 0 for pause in pauses(Schedule(2, 60, 10, 0, 0, 0, function))[:-1]]
    assert found == sorted(found)
    assert found[0] > 2
    assert found[-1] == 60


def test_queues_are_tried_for_weeks() -> None:
    assert pauses(INTO_QUEUES)[:5] == [0, 0, 0, 1, 1]
    assert pause_after(INTO_QUEUES, 100_015) == 20
    assert pause_after(INTO_QUEUES, 100_016) is None


def test_a_subscription_overrides_its_topic_unless_that_is_forbidden() -> None:
    own = {"DeliveryPolicy": json.dumps({"healthyRetryPolicy": {"numRetries": 5}, "throttlePolicy": None})}
    topic: dict[str, Any] = {
        "defaultHealthyRetryPolicy": {"numRetries": 7},
        "defaultThrottlePolicy": {"maxReceivesPerSecond": 3},
    }
    free = delivery_of("http", {"DeliveryPolicy": json.dumps({"http": topic})}, own)
    assert (free.schedule.numRetries, free.per_second) == (5, 3)
    fixed = delivery_of(
        "http", {"DeliveryPolicy": json.dumps({"http": {**topic, "disableSubscriptionOverrides": True}})}, own
    )
    assert fixed.schedule.numRetries == 7
    assert delivery_of("sqs", {}, own).schedule == INTO_QUEUES


@pytest.mark.parametrize(
    "policy",
    [
        "{",
        "[]",
        '{"x": 1}',
        '{"healthyRetryPolicy": 3}',
        '{"healthyRetryPolicy": {"numRetries": 101}}',
        '{"healthyRetryPolicy": {"numRetries": true}}',
        '{"healthyRetryPolicy": {"numRetries": 1, "numNoDelayRetries": 2}}',
        '{"healthyRetryPolicy": {"minDelayTarget": 30, "maxDelayTarget": 20}}',
        '{"healthyRetryPolicy": {"maxDelayTarget": 3601}}',
        '{"healthyRetryPolicy": {"backoffFunction": "random"}}',
        '{"healthyRetryPolicy": {"colour": 1}}',
        '{"throttlePolicy": {"maxReceivesPerSecond": 0}}',
        '{"requestPolicy": {"headerContentType": "text/plain\\r\\nx: y"}}',
    ],
)
def test_policies_out_of_bounds_are_refused(policy: str) -> None:
    with pytest.raises(DeliveryPolicyError):
        check_delivery_policy(policy, of_topic=False)
