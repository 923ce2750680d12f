"""Game session queues: created, listed, changed and deleted."""

from typing import Any

import pytest
from fleet_scenes import active_fleet, listed, new_fleet, shown
from placement_scenes import fleet_arn, make_lobby, place, placed, start

from apitrail.testing import Stage
from apitrail.testing.stage import ACCOUNT, REGION

UNKNOWN = fleet_arn("fleet-00000000-0000-4000-8000-000000000000")


def test_a_queue_has_what_it_was_given_and_a_timeout(stage: Stage) -> None:
    fleet_id = new_fleet(stage)
    policies = [
        {"MaximumIndividualPlayerLatencyMilliseconds": 200},
        {"MaximumIndividualPlayerLatencyMilliseconds": 50, "PolicyDurationSeconds": 60},
    ]
    wanted: dict[str, Any] = {
        "FilterConfiguration": {"AllowedLocations": ["us-west-2"]},
        "PriorityConfiguration": {"PriorityOrder": ["LOCATION"], "LocationOrder": ["us-west-2"]},
        "CustomEventData": "season=3",
        "NotificationTarget": f"arn:aws:sns:{REGION}:{ACCOUNT}:matches",
    }
    queue = shown(make_lobby(stage, fleet_id, PlayerLatencyPolicies=policies, **wanted))
    assert queue == {
        "Name": "lobby",
        "GameSessionQueueArn": f"arn:aws:gamelift:{REGION}:{ACCOUNT}:gamesessionqueue/lobby",
        "TimeoutInSeconds": 600,
        "PlayerLatencyPolicies": policies[::-1],
        "Destinations": [{"DestinationArn": fleet_arn(fleet_id)}],
        **wanted,
    }
    (found,) = stage.call("DescribeGameSessionQueues", Names=[queue["GameSessionQueueArn"]])["GameSessionQueues"]
    assert shown(found) == queue


def test_a_queue_may_have_no_destination_at_all(stage: Stage) -> None:
    assert shown(stage.call("CreateGameSessionQueue", Name="empty")["GameSessionQueue"])["Name"] == "empty"


@pytest.mark.parametrize(
    "params",
    [
        {"TimeoutInSeconds": 9},
        {"TimeoutInSeconds": 601},
        {"PlayerLatencyPolicies": [{"PolicyDurationSeconds": 3}]},
        {"PlayerLatencyPolicies": [{"MaximumIndividualPlayerLatencyMilliseconds": 3}] * 101},
        {"Destinations": [{}]},
        {"Destinations": [{"DestinationArn": f"arn:aws:gamelift:{REGION}:{ACCOUNT}:build/build-1"}]},
        {"Destinations": [{"DestinationArn": f"arn:aws:gamelift:{REGION}:999999999999:fleet/fleet-1"}]},
        {"Destinations": [{"DestinationArn": UNKNOWN}] * 101},
        {"PriorityConfiguration": {"PriorityOrder": ["COST", "COST"]}},
        {"PriorityConfiguration": {"PriorityOrder": ["LOCATION"]}},
        {"PriorityConfiguration": {"LocationOrder": ["us-west-2"]}},
        {"PriorityConfiguration": {"PriorityOrder": ["LOCATION"], "LocationOrder": ["us-west-2"] * 2}},
        {"LogConfiguration": {"DeliveryDestinations": [{"LogDestination": "FIREHOSE"}]}},
        {"LogConfiguration": {"DeliveryDestinations": [{"LogDestination": "S3"}] * 2}},
        {
            "LogConfiguration": {
                "DeliveryDestinations": [{"LogDestination": "S3", "DestinationArn": "arn:aws:s3:::b"}] * 2
            }
        },
    ],
)
def test_settings_that_make_no_sense_are_refused(stage: Stage, params: dict[str, Any]) -> None:
    assert stage.error("CreateGameSessionQueue", Name="lobby", **params).error_code == "InvalidRequestException"


def test_an_unknown_destination_is_not_found(stage: Stage) -> None:
    destinations = [{"DestinationArn": UNKNOWN}]
    error = stage.error("CreateGameSessionQueue", Name="lobby", Destinations=destinations)
    assert error.error_code == "NotFoundException"
    make_lobby(stage)
    error = stage.error("UpdateGameSessionQueue", Name="lobby", Destinations=destinations)
    assert error.error_code == "NotFoundException"


def test_the_fleets_of_a_queue_agree_on_certificates(stage: Stage) -> None:
    plain = new_fleet(stage)
    secured = new_fleet(stage, CertificateConfiguration={"CertificateType": "GENERATED"})
    destinations = [{"DestinationArn": fleet_arn(one)} for one in (plain, secured)]
    error = stage.error("CreateGameSessionQueue", Name="lobby", Destinations=destinations)
    assert error.error_code == "InvalidRequestException" and "CertificateConfiguration" in error.message


def test_a_name_is_taken_once_only(stage: Stage) -> None:
    make_lobby(stage)
    error = stage.error("CreateGameSessionQueue", Name="lobby")
    assert (error.error_code, error.message) == (
        "InvalidRequestException",
        "Game session queue with name lobby already exists.",
    )


def test_tags_are_kept_or_refused(stage: Stage) -> None:
    queue = make_lobby(stage, Tags=[{"Key": "team", "Value": "red"}])
    tags = stage.call("ListTagsForResource", ResourceARN=queue["GameSessionQueueArn"])["Tags"]
    assert tags == [{"Key": "team", "Value": "red"}]
    error = stage.error("CreateGameSessionQueue", Name="other", Tags=[{"Key": "aws:x", "Value": ""}])
    assert error.error_code == "TaggingFailedException"
    assert stage.error("DescribeGameSessionQueues", Names=["other"]).error_code == "NotFoundException"


def test_queues_are_listed_page_by_page_to_the_end(stage: Stage) -> None:
    for number in range(7):
        make_lobby(stage, name=f"queue-{number}")
    found = listed(stage, "DescribeGameSessionQueues", "GameSessionQueues", Limit=3)
    assert [queue["Name"] for queue in found] == [f"queue-{number}" for number in range(7)]
    assert stage.error("DescribeGameSessionQueues", NextToken="x").error_code == "InvalidRequestException"


def test_unknown_names_are_left_out_unless_none_is_known(stage: Stage) -> None:
    make_lobby(stage)
    found = stage.call("DescribeGameSessionQueues", Names=["nobody", "lobby", "lobby"])["GameSessionQueues"]
    assert [queue["Name"] for queue in found] == ["lobby"]
    assert stage.error("DescribeGameSessionQueues", Names=["nobody"]).error_code == "NotFoundException"
    assert stage.error("DescribeGameSessionQueues", Names=["a"] * 1001).error_code == "InvalidRequestException"


def test_an_update_replaces_what_it_gives_and_empty_settings_go(stage: Stage) -> None:
    fleet_id = new_fleet(stage)
    make_lobby(stage, fleet_id, FilterConfiguration={"AllowedLocations": ["us-west-2"]}, CustomEventData="x")
    changed = stage.call(
        "UpdateGameSessionQueue", Name="lobby", TimeoutInSeconds=30, FilterConfiguration={}, Destinations=[]
    )["GameSessionQueue"]
    assert (changed["TimeoutInSeconds"], changed["Destinations"], changed["CustomEventData"]) == (30, [], "x")
    assert "FilterConfiguration" not in changed
    assert stage.error("UpdateGameSessionQueue", Name="nobody").error_code == "NotFoundException"
    assert (
        stage.error("UpdateGameSessionQueue", Name="lobby", TimeoutInSeconds=1).error_code == "InvalidRequestException"
    )


def test_log_destinations_are_made_up_added_and_removed(stage: Stage) -> None:
    logs = {"DeliveryDestinations": [{"LogDestination": "CLOUDWATCH"}]}
    queue = make_lobby(stage, LogConfiguration=logs)
    made_up = f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:/aws/gamelift/queue/lobby"
    cloudwatch = {"LogDestination": "CLOUDWATCH", "DestinationArn": made_up}
    assert queue["LogConfiguration"]["DeliveryDestinations"] == [cloudwatch]
    s3 = {"LogDestination": "S3", "DestinationArn": "arn:aws:s3:::logs"}
    changed = stage.call(
        "UpdateGameSessionQueue",
        Name="lobby",
        AddLogDeliveryDestinations=[s3],
        RemoveLogDeliveryDestinations=[{"LogDestination": "CLOUDWATCH"}],
    )["GameSessionQueue"]
    assert changed["LogConfiguration"]["DeliveryDestinations"] == [s3]
    more = [{"LogDestination": "S3", "DestinationArn": f"arn:aws:s3:::logs-{number}"} for number in range(3)]
    error = stage.error("UpdateGameSessionQueue", Name="lobby", AddLogDeliveryDestinations=more)
    assert error.error_code == "InvalidRequestException"
    gone = stage.call("UpdateGameSessionQueue", Name="lobby", RemoveLogDeliveryDestinations=[s3])["GameSessionQueue"]
    assert "LogConfiguration" not in gone


def test_a_deleted_queue_is_gone_and_its_pending_placements_fail(stage: Stage) -> None:
    fleet_id = active_fleet(stage)
    queue = make_lobby(stage, fleet_id)
    for number in range(2):
        place(stage, f"full-{number}")
    waiting = [start(stage, f"wait-{number}")["PlacementId"] for number in range(60)]
    stage.settle()
    stage.call("DeleteGameSessionQueue", Name=queue["GameSessionQueueArn"])
    stage.settle()
    assert {placed(stage, one)["Status"] for one in waiting} == {"FAILED"}
    assert placed(stage, "full-0")["Status"] == "FULFILLED"
    assert stage.error("DescribeGameSessionQueues", Names=["lobby"]).error_code == "NotFoundException"
    assert stage.error("DeleteGameSessionQueue", Name="lobby").error_code == "NotFoundException"
    assert (
        stage.error(
            "StartGameSessionPlacement", PlacementId="x", GameSessionQueueName="lobby", MaximumPlayerSessionCount=1
        ).error_code
        == "NotFoundException"
    )


def test_a_new_queue_of_the_same_name_does_not_take_over_placements(stage: Stage) -> None:
    make_lobby(stage)
    place(stage, "old")
    stage.call("DeleteGameSessionQueue", Name="lobby")
    make_lobby(stage)
    place(stage, "new")
    assert (placed(stage, "old")["Status"], placed(stage, "new")["Status"]) == ("FAILED", "PENDING")
