"""Insights over the API: who may switch them on, what was counted, what was found, and what ends them."""

from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
import pytest

from apitrail.errors import ServiceError
from apitrail.store import journal
from apitrail.testing import Stage

CALL_RATE = {"InsightType": "ApiCallRateInsight"}
ERROR_RATE = {"InsightType": "ApiErrorRateInsight"}
FILLED = {**CALL_RATE, "EventCategories": ["Management"]}
DATA_SELECTORS = [
    {
        "FieldSelectors": [
            {"Field": "eventCategory", "Equals": ["Data"]},
            {"Field": "resources.type", "Equals": ["AWS::S3::Object"]},
        ]
    }
]
SOURCE = "gamelift.amazonaws.com"
METRIC = {"EventSource": SOURCE, "EventName": "CreateAlias", "InsightType": "ApiCallRateInsight"}


@pytest.fixture
def trail(stage: Stage) -> str:
    stage.call("CreateBucket", Bucket="logs", CreateBucketConfiguration={"LocationConstraint": stage.region})
    arn: str = stage.call("CreateTrail", Name="audit", S3BucketName="logs")["TrailARN"]
    stage.call("StartLogging", Name="audit")
    return arn


def tick(stage: Stage) -> None:
    """Let Insights catch up."""
    worker = next(worker for worker in stage.app.workers if worker.name == "insights")
    while stage.run(worker.tick()) == 0.0:
        pass


def aliases(stage: Stage, count: int) -> None:
    for number in range(count):
        strategy = {"Type": "TERMINAL", "Message": "closed"}
        stage.call("CreateAlias", Name=f"a{number}", RoutingStrategy=strategy)


def test_insights_are_switched_on_and_shown(stage: Stage, trail: str) -> None:
    answer = stage.call("PutInsightSelectors", TrailName="audit", InsightSelectors=[CALL_RATE])
    assert answer == {"TrailARN": trail, "InsightSelectors": [FILLED]}
    assert stage.call("GetInsightSelectors", TrailName=trail) == answer
    assert stage.call("GetTrail", Name="audit")["Trail"]["HasInsightSelectors"] is True


def test_putting_replaces_and_an_empty_list_ends_them(stage: Stage, trail: str) -> None:
    stage.call("PutInsightSelectors", TrailName="audit", InsightSelectors=[CALL_RATE, ERROR_RATE])
    stage.call("PutInsightSelectors", TrailName="audit", InsightSelectors=[ERROR_RATE])
    assert len(stage.call("GetInsightSelectors", TrailName="audit")["InsightSelectors"]) == 1
    stage.call("PutInsightSelectors", TrailName="audit", InsightSelectors=[])
    assert stage.error("GetInsightSelectors", TrailName="audit").error_code == "InsightNotEnabledException"
    assert stage.call("GetTrail", Name="audit")["Trail"]["HasInsightSelectors"] is False


def test_a_trail_that_never_had_insights_says_so(stage: Stage, trail: str) -> None:
    assert stage.error("GetInsightSelectors", TrailName="audit").error_code == "InsightNotEnabledException"


def test_stopping_the_logging_switches_insights_off(stage: Stage, trail: str) -> None:
    stage.call("PutInsightSelectors", TrailName="audit", InsightSelectors=[CALL_RATE])
    stage.call("StopLogging", Name="audit")
    stage.call("StartLogging", Name="audit")
    assert stage.error("GetInsightSelectors", TrailName="audit").error_code == "InsightNotEnabledException"


def test_deleting_the_trail_ends_insights(stage: Stage, trail: str) -> None:
    stage.call("PutInsightSelectors", TrailName="audit", InsightSelectors=[CALL_RATE])
    aliases(stage, 1)
    stage.clock.advance(120)
    tick(stage)
    stage.call("DeleteTrail", Name="audit")
    tick(stage)
    assert stage.read(lambda ctx: journal.cursor(ctx.tx, "insights")) == 0


@pytest.mark.parametrize(
    ("params", "code"),
    [
        ({"TrailName": "nobody", "InsightSelectors": [CALL_RATE]}, "TrailNotFoundException"),
        ({"TrailName": "-", "InsightSelectors": [CALL_RATE]}, "InvalidTrailNameException"),
        ({"TrailName": "arn:aws:s3:::x", "InsightSelectors": [CALL_RATE]}, "CloudTrailARNInvalidException"),
        ({"InsightSelectors": [CALL_RATE]}, "InvalidParameterException"),
        ({"TrailName": "audit"}, "InvalidInsightSelectorsException"),
        ({"TrailName": "audit", "InsightSelectors": [CALL_RATE] * 2}, "InvalidInsightSelectorsException"),
        ({"TrailName": "audit", "InsightSelectors": [{}]}, "InvalidInsightSelectorsException"),
        ({"TrailName": "audit", "InsightSelectors": [{"InsightType": "X"}]}, "InvalidInsightSelectorsException"),
        (
            {"TrailName": "audit", "InsightSelectors": [{**CALL_RATE, "EventCategories": ["Data"]}]},
            "InvalidInsightSelectorsException",
        ),
        (
            {"TrailName": "audit", "EventDataStore": "arn:x", "InsightSelectors": [CALL_RATE]},
            "InvalidParameterCombinationException",
        ),
        (
            {"EventDataStore": "arn:x", "InsightsDestination": "arn:y", "InsightSelectors": [CALL_RATE]},
            "UnsupportedOperationException",
        ),
    ],
)
def test_wrong_requests_get_the_documented_error(stage: Stage, trail: str, params: dict[str, Any], code: str) -> None:
    assert stage.error("PutInsightSelectors", **params).error_code == code


def test_insights_are_put_in_the_home_region_only(stage: Stage, trail: str) -> None:
    params = {"TrailName": trail, "InsightSelectors": [CALL_RATE]}
    with pytest.raises(ServiceError) as caught:
        stage.call_("PutInsightSelectors", params, region="eu-west-1")
    assert caught.value.error_code == "InvalidHomeRegionException"


def test_a_rate_of_writes_needs_a_trail_that_logs_writes(stage: Stage, trail: str) -> None:
    reads = [{"ReadWriteType": "ReadOnly", "IncludeManagementEvents": True}]
    stage.call("PutEventSelectors", TrailName="audit", EventSelectors=reads)
    error = stage.error("PutInsightSelectors", TrailName="audit", InsightSelectors=[CALL_RATE])
    assert error.error_code == "InvalidInsightSelectorsException"
    assert "write management" in error.message
    stage.call("PutInsightSelectors", TrailName="audit", InsightSelectors=[ERROR_RATE])


def test_advanced_selectors_say_as_well_what_is_logged(stage: Stage, trail: str) -> None:
    stage.call("PutEventSelectors", TrailName="audit", AdvancedEventSelectors=DATA_SELECTORS)
    assert stage.error("PutInsightSelectors", TrailName="audit", InsightSelectors=[ERROR_RATE])
    on_data = [{**CALL_RATE, "EventCategories": ["Data"]}]
    stage.call("PutInsightSelectors", TrailName="audit", InsightSelectors=on_data)


def test_counts_are_listed_per_period(stage: Stage, trail: str) -> None:
    stage.call("PutInsightSelectors", TrailName="audit", InsightSelectors=[CALL_RATE, ERROR_RATE])
    start = stage.clock.now()
    for count in (3, 0, 2):
        aliases(stage, count)
        stage.clock.advance(60)
    tick(stage)
    answer = stage.call("ListInsightsMetricData", **METRIC, Period=60)
    assert answer["Timestamps"] == [start, start + timedelta(seconds=120)]
    assert answer["Values"] == [3.0, 2.0]
    assert "TrailARN" not in answer and "NextToken" not in answer
    filled = stage.call("ListInsightsMetricData", **METRIC, Period=60, DataType="FillWithZeros", StartTime=start)
    assert filled["Values"] == [3.0, 0.0, 2.0]
    hour = stage.call("ListInsightsMetricData", **METRIC)
    assert hour["Values"] == [5.0]
    assert hour["Timestamps"] == [start.replace(minute=0)]


def test_errors_are_counted_by_their_code(stage: Stage, trail: str) -> None:
    stage.call("PutInsightSelectors", TrailName="audit", InsightSelectors=[ERROR_RATE])
    stage.error("DescribeAlias", AliasId="alias-00000000-0000-4000-8000-000000000000")
    stage.clock.advance(120)
    tick(stage)
    asked = {"EventSource": SOURCE, "EventName": "DescribeAlias", "InsightType": "ApiErrorRateInsight"}
    answer = stage.call("ListInsightsMetricData", **asked, ErrorCode="NotFoundException", Period=60)
    assert answer["Values"] == [1.0]
    assert answer["ErrorCode"] == "NotFoundException"


def test_counts_come_in_pages(stage: Stage, trail: str) -> None:
    stage.call("PutInsightSelectors", TrailName="audit", InsightSelectors=[CALL_RATE])
    for count in (1, 2, 3, 4, 5):
        aliases(stage, count)
        stage.clock.advance(60)
    tick(stage)
    for kind in ("NonZeroData", "FillWithZeros"):
        asked = {**METRIC, "Period": 60, "DataType": kind, "StartTime": stage.clock.now() - timedelta(minutes=5)}
        values, token = [], {}
        while True:
            page = stage.call("ListInsightsMetricData", **asked, **token, MaxResults=2)
            values += page["Values"]
            if "NextToken" not in page:
                break
            token = {"NextToken": page["NextToken"]}
        assert values == [1.0, 2.0, 3.0, 4.0, 5.0]
        wrong = {**asked, "EventName": "DeleteAlias", **token}
        assert stage.error("ListInsightsMetricData", **wrong).error_code == "InvalidParameterException"


@pytest.mark.parametrize(
    ("more", "code"),
    [
        ({"Period": 120}, "InvalidParameterException"),
        ({"ErrorCode": "X"}, "InvalidParameterException"),
        ({"InsightType": "ApiErrorRateInsight"}, "InvalidParameterException"),
        ({"NextToken": "x"}, "InvalidParameterException"),
        ({"TrailName": "audit"}, "InvalidParameterException"),
        ({"TrailName": "nobody"}, "InvalidParameterException"),
        ({"TrailName": "a"}, "InvalidTrailNameException"),
        ({"TrailName": "arn:aws:s3:::x"}, "InvalidParameterException"),
        (
            {"StartTime": datetime(2026, 3, 2, tzinfo=UTC), "EndTime": datetime(2026, 3, 1, tzinfo=UTC)},
            "InvalidParameterException",
        ),
    ],
)
def test_counts_that_cannot_be_asked_for(stage: Stage, trail: str, more: dict[str, Any], code: str) -> None:
    assert stage.error("ListInsightsMetricData", **{**METRIC, **more}).error_code == code


def test_an_insight_is_found_by_look_up(stage: Stage, trail: str) -> None:
    stage.call("PutInsightSelectors", TrailName="audit", InsightSelectors=[CALL_RATE])
    aliases(stage, 1)
    stage.clock.jump(stage.clock.now().replace(minute=0) + timedelta(hours=26))
    tick(stage)
    for _ in range(3):
        aliases(stage, 10)
        stage.clock.advance(60)
    stage.clock.advance(5)
    tick(stage)
    (event,) = stage.call("LookupEvents", EventCategory="insight")["Events"]
    assert (event["EventName"], event["EventSource"]) == ("CreateAlias", SOURCE)
    record = orjson.loads(event["CloudTrailEvent"])
    assert record["insightDetails"]["insightContext"]["statistics"]["insight"] == {"average": 10.0}
    by_name = [{"AttributeKey": "EventName", "AttributeValue": "CreateAlias"}]
    found = stage.call("LookupEvents", EventCategory="insight", LookupAttributes=by_name)["Events"]
    assert [item["EventId"] for item in found] == [event["EventId"]]
    assert all(item["EventId"] != event["EventId"] for item in stage.call("LookupEvents")["Events"])


def test_insights_on_data_events_are_listed_by_their_trail(stage: Stage, trail: str) -> None:
    stage.call("PutEventSelectors", TrailName="audit", AdvancedEventSelectors=DATA_SELECTORS)
    on_data = [{**CALL_RATE, "EventCategories": ["Data"]}]
    stage.call("PutInsightSelectors", TrailName="audit", InsightSelectors=on_data)
    put_objects(stage, 1)
    stage.clock.jump(stage.clock.now().replace(minute=0) + timedelta(hours=26))
    tick(stage)
    for count in (10, 10, 10, 0, 0, 0, 0, 0):
        put_objects(stage, count)
        stage.clock.advance(60)
    stage.clock.advance(5)
    tick(stage)
    asked = {"InsightSource": trail, "DataType": "InsightsEvents"}
    end, start = stage.call("ListInsightsData", **asked)["Events"]
    assert start["EventName"] == end["EventName"] == "PutObject"
    assert stage.call("LookupEvents", EventCategory="insight")["Events"] == []
    first = stage.call("ListInsightsData", **asked, MaxResults=1)
    assert first["Events"] == [end]
    second = stage.call("ListInsightsData", **asked, MaxResults=1, NextToken=first["NextToken"])
    assert second == {"Events": [start]}
    by_id = stage.call("ListInsightsData", **asked, Dimensions={"EventId": start["EventId"]})
    assert by_id["Events"] == [start]
    assert stage.call("ListInsightsData", **asked, Dimensions={"EventName": "GetObject"})["Events"] == []
    assert stage.call("ListInsightsData", **asked, EndTime=start["EventTime"])["Events"] == [start]
    metric = {"EventSource": "s3.amazonaws.com", "EventName": "PutObject", "InsightType": "ApiCallRateInsight"}
    counted = stage.call("ListInsightsMetricData", **metric, TrailName="audit", Period=60)
    assert counted["TrailARN"] == trail
    assert counted["Values"] == [1.0, 10.0, 10.0, 10.0]
    assert stage.call("ListInsightsMetricData", **metric, Period=60)["Values"] == []


def put_objects(stage: Stage, count: int) -> None:
    for number in range(count):
        stage.call("PutObject", Bucket="logs", Key=f"k{number}", Body=b"")


@pytest.mark.parametrize(
    "more",
    [
        {"InsightSource": "arn:aws:s3:::x"},
        {"InsightSource": "arn:aws:cloudtrail:us-west-2:111122223333:trail/nobody"},
        {"InsightSource": "arn:aws:cloudtrail:us-west-2:444455556666:trail/audit"},
        {"NextToken": "abcd"},
        {"StartTime": datetime(2026, 3, 2, tzinfo=UTC), "EndTime": datetime(2026, 3, 1, tzinfo=UTC)},
    ],
)
def test_insights_that_cannot_be_asked_for(stage: Stage, trail: str, more: dict[str, Any]) -> None:
    asked = {"InsightSource": trail, "DataType": "InsightsEvents", **more}
    assert stage.error("ListInsightsData", **asked).error_code == "InvalidParameterException"
