"""Insights: what is unusual, when it starts and ends, who did it, and that nothing is lost or found twice."""

import re
from collections.abc import Iterator
from pathlib import Path

import orjson
import pytest
from insight_scenes import ACCOUNT, BOTH, DATA, REGION, ROLE, SOURCE, InsightScene

from apitrail.settings import Insights as InsightSettings
from apitrail.store import journal
from apitrail.trail.insights_count import fold_session
from apitrail.trail.insights_rules import Baseline, Bounds, baseline_of, begins, bounds_of

CALL_RATE, ERROR_RATE = BOTH


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[InsightScene]:
    made = InsightScene(tmp_path)
    yield made
    made.close()


@pytest.mark.parametrize(
    ("average", "deviation", "high", "low"),
    [
        (0.0, 0.0, 5.0, 0.0),
        (20.0, 1.0, 60.0, 4.0),
        (20.0, 30.0, 200.0, 4.0),
        (1.0, 0.1, 6.0, 0.0),
        (5.0, 0.0, 15.0, 1.0),
        (4.99, 0.0, 14.97, 0.0),
    ],
)
def test_the_bounds_are_sigma_factor_or_step_and_a_fifth(
    average: float, deviation: float, high: float, low: float
) -> None:
    bounds = bounds_of(Baseline(average, deviation, 1440), InsightSettings())
    assert (bounds.high, bounds.low) == pytest.approx((high, low))


def test_the_bounds_are_set_by_the_operator() -> None:
    settings = InsightSettings(sigma=1.0, factor=1.5, step_per_minute=1.0)
    assert bounds_of(Baseline(10.0, 2.0, 1440), settings).high == 15.0


def test_a_baseline_is_the_mean_and_the_deviation_of_all_minutes() -> None:
    assert baseline_of(10, 100, 10) == Baseline(1.0, 3.0, 10)


@pytest.mark.parametrize(
    ("counts", "begun"),
    [
        ([0, 0, 9, 9, 9], (True, 2)),
        ([9, 0, 9, 0, 9], (True, 0)),
        ([9, 9, 9, 0, 0], None),
        ([0, 9, 0, 0, 9], None),
        ([9, 9, 9, 9, 5], None),
        ([9, 9, 9], (True, 0)),
    ],
)
def test_the_third_unusual_minute_of_five_begins_it(counts: list[int], begun: tuple[bool, int] | None) -> None:
    assert begins(counts, Bounds(5.0, 0.0)) == begun


def test_few_calls_begin_it_as_many_do() -> None:
    assert begins([20, 20, 1, 0, 3], Bounds(60.0, 4.0)) == (False, 2)


def test_a_role_counts_as_one_caller_whatever_its_session() -> None:
    assert fold_session(f"{ROLE}/a/b") == ROLE
    assert fold_session("arn:aws:iam::111122223333:user/ops/dana") == "arn:aws:iam::111122223333:user/ops/dana"


def test_many_calls_start_and_end_an_insight(scene: InsightScene) -> None:
    scene.trail([CALL_RATE])
    scene.usual_day()
    scene.calls(range(1500, 1506), 30)
    scene.until(1503)
    assert scene.states() == [("Start", 1500)]
    scene.until(1511)
    assert scene.states() == [("Start", 1500), ("End", 1506)]
    start, end = scene.insights()
    assert start["sharedEventID"] == end["sharedEventID"]
    assert start["eventID"] != end["eventID"]
    context = end["insightDetails"]["insightContext"]
    assert context["statistics"] == {
        "baseline": {"average": 0.1},
        "insight": {"average": 30.0},
        "insightDuration": 6,
        "baselineDuration": 1440,
    }
    assert scene.written == 2


def test_the_record_is_that_of_cloudtrail(scene: InsightScene) -> None:
    scene.trail([ERROR_RATE])
    scene.usual_day(errorCode="FleetCapacityExceededException")
    scene.calls(range(1500, 1503), 12, errorCode="FleetCapacityExceededException")
    scene.until(1503)
    (event,) = scene.insights()
    assert list(event) == [
        "eventVersion",
        "eventTime",
        "awsRegion",
        "eventID",
        "eventType",
        "recipientAccountId",
        "sharedEventID",
        "insightDetails",
        "eventCategory",
    ]
    assert event["eventTime"] == "2026-03-05T01:00:00Z"
    assert (event["eventType"], event["eventCategory"]) == ("AwsCloudTrailInsight", "Insight")
    assert (event["recipientAccountId"], event["awsRegion"]) == (ACCOUNT, REGION)
    details = event["insightDetails"]
    assert {name: value for name, value in details.items() if name != "insightContext"} == {
        "state": "Start",
        "eventSource": SOURCE,
        "eventName": "CreateGameSession",
        "insightType": "ApiErrorRateInsight",
        "errorCode": "FleetCapacityExceededException",
    }
    assert details["insightContext"] == {
        "statistics": {
            "baseline": {"average": 0.1},
            "insight": {"average": 12.0},
            "insightDuration": 3,
            "baselineDuration": 1440,
        },
        "attributions": [
            {
                "attribute": "userIdentityArn",
                "insight": [{"value": ROLE, "average": 12.0}],
                "baseline": [{"value": ROLE, "average": pytest.approx(150 / 1440)}],
            },
            {
                "attribute": "userAgent",
                "insight": [{"value": "aws-sdk-cpp", "average": 12.0}],
                "baseline": [{"value": "aws-sdk-cpp", "average": pytest.approx(150 / 1440)}],
            },
        ],
    }


def test_attributions_name_the_five_that_call_most(scene: InsightScene) -> None:
    scene.trail([CALL_RATE])
    scene.usual_day()
    for rank in range(7):
        scene.calls(range(1500, 1503), 20 + rank, userAgent=f"agent-{rank}")
    scene.calls(range(1500, 1503), 1, errorCode="Throttled", userAgent="agent-0")
    scene.until(1503)
    (event,) = scene.insights()
    found = {item["attribute"]: item for item in event["insightDetails"]["insightContext"]["attributions"]}
    assert [item["value"] for item in found["userAgent"]["insight"]] == [f"agent-{rank}" for rank in (6, 5, 4, 3, 2)]
    assert found["userAgent"]["baseline"] == [{"value": "aws-sdk-cpp", "average": pytest.approx(150 / 1440)}]
    assert [item["value"] for item in found["errorCode"]["insight"]] == ["null", "Throttled"]


def test_calls_that_never_came_before_are_unusual_after_a_day(scene: InsightScene) -> None:
    scene.trail([CALL_RATE])
    scene.usual_day(name="UpdateFleetCapacity")
    scene.calls(range(1500, 1503), 6, name="DeleteFleet")
    scene.until(1503)
    (event,) = scene.insights()
    assert event["insightDetails"]["eventName"] == "DeleteFleet"
    assert event["insightDetails"]["insightContext"]["statistics"]["baseline"] == {"average": 0.0}


def test_nothing_is_unusual_before_there_is_a_day_of_events(scene: InsightScene) -> None:
    scene.trail()
    scene.calls(range(0, 1200, 10), 1)
    scene.calls(range(1200, 1210), 100)
    scene.until(1220)
    assert scene.states() == []


def test_calls_that_stay_away_are_unusual_and_their_return_ends_it(scene: InsightScene) -> None:
    scene.trail([CALL_RATE])
    scene.calls(range(1500), 6)
    scene.until(1500)
    scene.until(1503)
    assert scene.states() == [("Start", 1500)]
    scene.calls(range(1505, 1511), 6)
    scene.until(1511)
    start, end = scene.insights()
    assert start["insightDetails"]["insightContext"]["statistics"]["insight"] == {"average": 0.0}
    assert scene.states()[1] == ("End", 1505)
    assert end["insightDetails"]["insightContext"]["statistics"]["baseline"] == {"average": 6.0}


def test_the_time_in_which_the_server_did_not_run_is_not_few_calls(scene: InsightScene) -> None:
    scene.trail([CALL_RATE])
    scene.calls(range(1500), 6)
    scene.until(1500)
    scene.clock.advance(1800)
    scene.worker = scene.make_worker()
    scene.calls(range(1530, 1540), 6)
    scene.until(1540)
    assert scene.states() == []


def test_reads_are_not_measured_but_their_errors_are(scene: InsightScene) -> None:
    scene.trail(BOTH)
    scene.usual_day(name="ListFleets", readOnly=True)
    scene.calls(range(1500, 1503), 50, name="ListFleets", readOnly=True, errorCode="AccessDeniedException")
    scene.until(1503)
    assert [event["insightDetails"]["insightType"] for event in scene.insights()] == ["ApiErrorRateInsight"]


def test_other_accounts_and_regions_are_not_measured(scene: InsightScene) -> None:
    scene.trail()
    scene.usual_day()
    scene.calls(range(1500, 1505), 50, account="444455556666")
    scene.calls(range(1500, 1505), 50, region="eu-west-1")
    scene.until(1510)
    assert scene.states() == []


def test_a_restart_at_any_minute_changes_nothing(scene: InsightScene, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    other = InsightScene(tmp_path / "other")
    for each in (scene, other):
        each.trail()
        each.usual_day()
    for minute in range(1500, 1515):
        for each in (scene, other):
            each.calls([minute], 30 if minute < 1506 else 1, errorCode="Throttled")
            each.until(minute + 1)
        other.worker = other.make_worker()
    assert len(scene.insights()) == 4
    assert [_without_ids(event) for event in scene.insights()] == [_without_ids(event) for event in other.insights()]
    other.close()


def test_the_same_calls_give_the_same_events_byte_for_byte(scene: InsightScene, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    other = InsightScene(tmp_path / "other")
    for each in (scene, other):
        each.trail()
        each.usual_day()
        each.calls(range(1500, 1504), 30)
        each.until(1520)
    assert scene.insights() == other.insights() != []
    other.close()


def test_what_is_read_twice_after_a_crash_is_counted_once(scene: InsightScene) -> None:
    scene.trail([CALL_RATE])
    scene.calls([1, 1, 2], 100)
    for _ in range(3):
        scene.runner.run(scene.worker.tick())
        scene.worker = scene.make_worker()
    rows = scene.read(lambda tx: tx.all("SELECT at, count FROM insight_counts WHERE period = 60 ORDER BY at"))
    assert [count for _, count in rows] == [200, 100]


def test_insights_end_without_an_event_when_logging_stops(scene: InsightScene) -> None:
    scene.trail([CALL_RATE])
    scene.usual_day()
    scene.calls(range(1500, 1503), 30)
    scene.until(1503)
    scene.stop()
    scene.until(1520)
    assert scene.states() == [("Start", 1500)]
    assert scene.read(lambda tx: journal.cursor(tx, "insights")) == 0
    assert scene.read(lambda tx: tx.all("SELECT * FROM insights_open")) == []


def test_a_type_that_is_switched_off_ends_and_the_other_goes_on(scene: InsightScene) -> None:
    trail = scene.trail()
    scene.usual_day()
    scene.calls(range(1500, 1506), 30, errorCode="Throttled")
    scene.until(1504)
    scene.change(trail, _InsightSelectors=[ERROR_RATE])
    scene.until(1520)
    assert [event["insightDetails"]["insightType"] for event in scene.insights()] == [
        "ApiCallRateInsight",
        "ApiErrorRateInsight",
        "ApiErrorRateInsight",
    ]


def test_data_events_that_the_trail_logs_are_measured_on_their_own(scene: InsightScene) -> None:
    objects = [
        {"Field": "eventCategory", "Equals": ["Data"]},
        {"Field": "resources.type", "Equals": ["AWS::S3::Object"]},
    ]
    scene.trail(DATA, _AdvancedEventSelectors=[{"FieldSelectors": objects}])
    arn = "arn:aws:s3:::saves/a"
    read = {"category": journal.DATA, "name": "GetObject", "readOnly": True, "eventCategory": "Data"}
    wanted = {**read, "resources": [{"ARN": arn, "type": "AWS::S3::Object"}]}
    scene.usual_day(**wanted)
    scene.calls(range(1500, 1504), 30, **wanted)
    scene.calls(range(1500, 1504), 30, **{**read, "name": "Publish", "resources": [{"type": "AWS::SNS::Topic"}]})
    scene.until(1520)
    assert scene.insights() == []
    start, _ = scene.insights(journal.DATA_INSIGHT)
    found = {item["attribute"]: item for item in start["insightDetails"]["insightContext"]["attributions"]}
    assert found["resourceArn"]["insight"] == [{"value": arn, "average": 30.0}]


def test_insights_are_delivered_into_a_folder_of_their_own(scene: InsightScene) -> None:
    scene.trail([CALL_RATE], S3KeyPrefix="prod")
    scene.usual_day()
    scene.calls(range(1500, 1503), 30)
    scene.until(1503)
    files = scene.files()
    start = scene.insights()[0]["eventID"]
    (key,) = [key for key, events in files.items() if start in events]
    folder = f"prod/AWSLogs/{ACCOUNT}/CloudTrail-Insight/{REGION}/2026/03/05/"
    name = re.escape(f"{folder}{ACCOUNT}_CloudTrail-Insight_{REGION}_20260305T0103Z_") + r"[0-9A-Za-z]{16}\.json\.gz"
    assert re.fullmatch(name, key)
    assert files[key] == [start]
    others = [event for key, events in files.items() if "CloudTrail-Insight" not in key for event in events]
    assert len(others) == 150 + 90


def test_a_trail_without_the_type_gets_no_insights(scene: InsightScene) -> None:
    trail = scene.trail([CALL_RATE])
    scene.usual_day()
    scene.calls(range(1500, 1503), 30)
    scene.until(1503)
    scene.change(trail, _InsightSelectors=[])
    event = orjson.dumps(scene.insights()[0])
    scene.write(lambda tx: journal.append(tx, ACCOUNT, REGION, journal.INSIGHT, 0, event))
    scene.change(trail, _InsightSelectors=[ERROR_RATE])
    scene.write(lambda tx: journal.append(tx, ACCOUNT, REGION, journal.INSIGHT, 0, event))
    files = scene.files()
    assert sum(len(events) for key, events in files.items() if "CloudTrail-Insight" in key) == 1


def test_too_many_kinds_of_calls_are_left_out(tmp_path: Path) -> None:
    scene = InsightScene(tmp_path, series_max=3)
    scene.trail([CALL_RATE])
    for number in range(5):
        scene.calls([1], 1, name=f"CreateThing{number}")
    scene.until(2)
    assert scene.read(lambda tx: tx.one("SELECT count(*) FROM insight_series")) == (3,)
    scene.close()


def test_a_damaged_event_is_passed_over(scene: InsightScene) -> None:
    scene.trail()
    scene.write(lambda tx: journal.append(tx, ACCOUNT, REGION, journal.MANAGEMENT, 1, b"{"))
    scene.usual_day()
    assert scene.read(lambda tx: tx.one("SELECT sum(count) FROM insight_counts WHERE period = 60")) == (150,)


def test_old_counts_are_forgotten(scene: InsightScene) -> None:
    scene.trail([CALL_RATE])
    scene.calls([0], 1)
    scene.until(10)
    scene.until(91 * 1440)
    for table in ("insight_counts", "insight_values", "insight_series"):
        assert scene.read(lambda tx, table=table: tx.one(f"SELECT count(*) FROM {table}")) == (0,)


def _without_ids(event: dict[str, object]) -> dict[str, object]:
    return {name: value for name, value in event.items() if name not in ("eventID", "sharedEventID")}
