"""Capacity: settings, instances that follow them, limits, scaling to and from zero, utilization."""

from typing import Any

import pytest
from fleet_scenes import (
    HOME,
    active_fleet,
    anywhere_fleet,
    counts_of,
    ec2_params,
    event_codes,
    new_fleet,
    pages,
)

from apitrail.services.context import Context
from apitrail.services.gamelift.capacity import scale_from_zero
from apitrail.testing import Stage

ZERO = {"ZeroCapacityStrategy": "SCALE_TO_AND_FROM_ZERO", "ScaleInAfterInactivityMinutes": 5}


def create_session(stage: Stage, fleet_id: str, **params: Any) -> dict[str, Any]:
    """Create a game session and let its process take it to ACTIVE."""
    session = stage.call("CreateGameSession", FleetId=fleet_id, MaximumPlayerSessionCount=4, **params)["GameSession"]
    stage.advance(0)
    return dict(session)


def test_a_new_location_has_one_instance_as_soon_as_it_is_active(stage: Stage) -> None:
    fleet_id = new_fleet(stage)
    begin = {"DESIRED": 1, "MINIMUM": 0, "MAXIMUM": 1, "PENDING": 0, "ACTIVE": 0, "IDLE": 0, "TERMINATING": 0}
    assert counts_of(stage, fleet_id) == begin
    stage.advance(6)
    assert counts_of(stage, fleet_id) == begin | {"PENDING": 1}
    stage.advance(1)
    assert counts_of(stage, fleet_id) == begin | {"ACTIVE": 1, "IDLE": 1}


def test_instances_follow_the_desired_number(stage: Stage) -> None:
    fleet_id = active_fleet(stage)
    answer = stage.call("UpdateFleetCapacity", FleetId=fleet_id, DesiredInstances=4, MinSize=1, MaxSize=5)
    assert set(answer) == {"FleetId", "FleetArn"}
    now = counts_of(stage, fleet_id)
    assert (now["DESIRED"], now["MINIMUM"], now["MAXIMUM"], now["PENDING"], now["ACTIVE"]) == (4, 1, 5, 3, 1)
    stage.advance(1)
    assert counts_of(stage, fleet_id)["ACTIVE"] == 4
    stage.call("UpdateFleetCapacity", FleetId=fleet_id, DesiredInstances=1)
    now = counts_of(stage, fleet_id)
    assert (now["ACTIVE"], now["TERMINATING"], now["IDLE"]) == (1, 3, 1)
    stage.advance(1)
    assert counts_of(stage, fleet_id)["TERMINATING"] == 0
    assert len(stage.call("DescribeInstances", FleetId=fleet_id)["Instances"]) == 1


def test_a_change_of_capacity_is_an_event_with_old_and_new_numbers(stage: Stage) -> None:
    fleet_id = active_fleet(stage)
    stage.call("UpdateFleetCapacity", FleetId=fleet_id, DesiredInstances=2, MinSize=1, MaxSize=3)
    event = stage.call("DescribeFleetEvents", FleetId=fleet_id, Limit=1)["Events"][0]
    assert event["EventCode"] == "FLEET_SCALING_EVENT"
    for text in ("desired 1 to 2", "minimum 0 to 1", "maximum 1 to 3"):
        assert text in event["Message"]
    before = event_codes(stage, fleet_id)
    stage.call("UpdateFleetCapacity", FleetId=fleet_id, DesiredInstances=2)
    assert event_codes(stage, fleet_id) == before


def test_an_instance_that_is_not_wanted_any_more_while_it_starts_is_stopped(stage: Stage) -> None:
    fleet_id = active_fleet(stage)
    stage.call("UpdateFleetCapacity", FleetId=fleet_id, DesiredInstances=3, MaxSize=3)
    stage.call("UpdateFleetCapacity", FleetId=fleet_id, DesiredInstances=0)
    stage.advance(5)
    assert counts_of(stage, fleet_id) == {
        "DESIRED": 0,
        "MINIMUM": 0,
        "MAXIMUM": 3,
        "PENDING": 0,
        "ACTIVE": 0,
        "IDLE": 0,
        "TERMINATING": 0,
    }


@pytest.mark.parametrize(
    ("sizes", "code"),
    [
        ({"DesiredInstances": 2}, "InvalidRequestException"),
        ({"MinSize": 2, "MaxSize": 3}, "InvalidRequestException"),
        ({"MaxSize": 0}, "InvalidRequestException"),
        ({"DesiredInstances": 21, "MaxSize": 30}, "LimitExceededException"),
        ({"Location": "us-east-1", "DesiredInstances": 0}, "NotFoundException"),
        ({"MinSize": 0, "ManagedCapacityConfiguration": ZERO}, "InvalidRequestException"),
    ],
)
def test_sizes_that_do_not_fit_are_refused(stage: Stage, sizes: dict[str, Any], code: str) -> None:
    fleet_id = active_fleet(stage)
    before = counts_of(stage, fleet_id)
    assert stage.error("UpdateFleetCapacity", FleetId=fleet_id, **sizes).error_code == code
    assert counts_of(stage, fleet_id) == before


def test_a_fleet_that_is_not_active_has_a_fixed_capacity(stage: Stage) -> None:
    error = stage.error("UpdateFleetCapacity", FleetId=new_fleet(stage), DesiredInstances=0)
    assert (error.error_code, "NEW" in error.message) == ("InvalidFleetStatusException", True)


def test_a_location_that_is_not_active_has_a_fixed_capacity(stage: Stage) -> None:
    fleet_id = active_fleet(stage)
    stage.call("CreateFleetLocations", FleetId=fleet_id, Locations=[{"Location": "us-east-1"}])
    change = {"FleetId": fleet_id, "Location": "us-east-1", "DesiredInstances": 0}
    assert stage.error("UpdateFleetCapacity", **change).error_code == "InvalidFleetStatusException"
    stage.advance(7)
    assert stage.call("UpdateFleetCapacity", **change)["Location"] == "us-east-1"
    assert counts_of(stage, fleet_id, "us-east-1")["DESIRED"] == 0
    assert counts_of(stage, fleet_id)["DESIRED"] == 1


def test_an_anywhere_fleet_has_no_capacity(stage: Stage) -> None:
    fleet_id = anywhere_fleet(stage)
    error = stage.error("UpdateFleetCapacity", FleetId=fleet_id, DesiredInstances=0)
    assert error.error_code == "InvalidRequestException"
    assert stage.call("DescribeFleetCapacity", FleetIds=[fleet_id])["FleetCapacity"] == []
    assert stage.call("DescribeFleetCapacity")["FleetCapacity"] == []
    assert set(counts_of(stage, fleet_id, "custom-desk").values()) == {0}
    assert stage.error("DescribeInstances", FleetId=fleet_id).error_code == "InvalidRequestException"


def test_the_instance_limit_counts_all_fleets_per_type_and_location(stage: Stage) -> None:
    first = active_fleet(stage)
    stage.call("UpdateFleetCapacity", FleetId=first, DesiredInstances=19, MaxSize=30)
    second = active_fleet(stage)
    more = {"FleetId": second, "DesiredInstances": 2, "MaxSize": 2}
    assert stage.error("UpdateFleetCapacity", **more).error_code == "LimitExceededException"
    third = {"Name": "a", "EC2InstanceType": "c5.large"}
    assert stage.error("CreateFleet", **ec2_params(stage, **third)).error_code == "LimitExceededException"
    stage.call("CreateFleet", **ec2_params(stage, EC2InstanceType="c5.xlarge"))
    stage.call("UpdateFleetCapacity", FleetId=first, DesiredInstances=18)
    stage.call("UpdateFleetCapacity", **more)
    stage.call("DeleteFleet", FleetId=first)
    stage.call("UpdateFleetCapacity", FleetId=second, DesiredInstances=20, MaxSize=20)
    assert stage.error("CreateFleet", **ec2_params(stage)).error_code == "LimitExceededException"


def test_instance_limits_list_the_types_in_use(stage: Stage) -> None:
    active_fleet(stage, Locations=[{"Location": "us-east-1"}])
    active_fleet(stage, EC2InstanceType="m5.large")
    limit = {"InstanceLimit": 20, "CurrentInstances": 1}
    large = {"EC2InstanceType": "c5.large", **limit}
    assert stage.call("DescribeEC2InstanceLimits")["EC2InstanceLimits"] == [
        {**large, "Location": HOME},
        {"EC2InstanceType": "m5.large", **limit, "Location": HOME},
    ]
    there = stage.call("DescribeEC2InstanceLimits", Location="us-east-1")["EC2InstanceLimits"]
    assert there == [{**large, "Location": "us-east-1"}]
    (unused,) = stage.call("DescribeEC2InstanceLimits", EC2InstanceType="c5.xlarge")["EC2InstanceLimits"]
    assert (unused["EC2InstanceType"], unused["CurrentInstances"]) == ("c5.xlarge", 0)
    error = stage.error("DescribeEC2InstanceLimits", Location="mars-1")
    assert error.error_code == "InvalidRequestException"


def test_instances_are_described_by_location_in_pages(stage: Stage) -> None:
    fleet_id = active_fleet(stage, Locations=[{"Location": "us-east-1"}])
    stage.call("UpdateFleetCapacity", FleetId=fleet_id, DesiredInstances=5, MaxSize=5)
    assert [len(page) for page in pages(stage, "DescribeInstances", "Instances", FleetId=fleet_id, Limit=2)] == [
        2,
        2,
        1,
    ]
    home = stage.call("DescribeInstances", FleetId=fleet_id)["Instances"]
    (there,) = stage.call("DescribeInstances", FleetId=fleet_id, Location="us-east-1")["Instances"]
    assert [instance["Status"] for instance in home] == ["ACTIVE"] + ["PENDING"] * 4
    assert len({instance["InstanceId"] for instance in [*home, there]}) == 6
    assert (there["IpAddress"], there["DnsName"], there["Type"]) == ("127.0.0.1", "localhost", "c5.large")
    one = stage.call("DescribeInstances", FleetId=fleet_id, InstanceId=home[2]["InstanceId"])["Instances"]
    assert one == [home[2]]
    for wrong in ({"InstanceId": "i-0"}, {"InstanceId": there["InstanceId"]}, {"Location": "eu-west-1"}):
        assert stage.error("DescribeInstances", FleetId=fleet_id, **wrong).error_code == "NotFoundException"


def test_utilization_counts_processes_and_sessions(stage: Stage) -> None:
    fleet_id = active_fleet(stage, Locations=[{"Location": "us-east-1"}])
    create_session(stage, fleet_id)
    create_session(stage, fleet_id, Location="us-east-1")
    create_session(stage, fleet_id, Location="us-east-1")
    (home,) = stage.call("DescribeFleetUtilization", FleetIds=[fleet_id])["FleetUtilization"]
    assert (home["Location"], home["ActiveServerProcessCount"]) == (HOME, 2)
    assert (home["ActiveGameSessionCount"], home["MaximumPlayerSessionCount"]) == (1, 4)
    params = {"FleetId": fleet_id, "Location": "us-east-1"}
    there = stage.call("DescribeFleetLocationUtilization", **params)["FleetUtilization"]
    assert (there["ActiveGameSessionCount"], there["MaximumPlayerSessionCount"]) == (2, 8)
    assert there["CurrentPlayerSessionCount"] == 0
    assert counts_of(stage, fleet_id)["IDLE"] == 0


def test_an_anywhere_fleet_is_used_over_all_its_locations(stage: Stage) -> None:
    fleet_id = anywhere_fleet(stage, "custom-desk", "custom-rack")
    (use,) = stage.call("DescribeFleetUtilization")["FleetUtilization"]
    assert (use["FleetId"], use["ActiveServerProcessCount"]) == (fleet_id, 0)
    assert "Location" not in use


def test_a_scale_in_takes_idle_instances_first(stage: Stage) -> None:
    fleet_id = active_fleet(stage)
    session = create_session(stage, fleet_id)
    stage.call("UpdateFleetCapacity", FleetId=fleet_id, DesiredInstances=3, MaxSize=3)
    stage.advance(1)
    stage.call("UpdateFleetCapacity", FleetId=fleet_id, DesiredInstances=1)
    stage.advance(5)
    (left,) = stage.call("DescribeInstances", FleetId=fleet_id)["Instances"]
    assert left["InstanceId"] == session["ComputeName"]
    assert game_session_status(stage, session) == "ACTIVE"


def test_a_scale_in_ends_sessions_that_are_not_protected(stage: Stage) -> None:
    fleet_id = active_fleet(stage)
    session = create_session(stage, fleet_id)
    stage.call("UpdateFleetCapacity", FleetId=fleet_id, DesiredInstances=0)
    stage.advance(1)
    assert game_session_status(stage, session) == "TERMINATED"
    assert stage.call("DescribeInstances", FleetId=fleet_id)["Instances"] == []


def test_a_scale_in_waits_for_a_protected_session(stage: Stage) -> None:
    fleet_id = active_fleet(stage, NewGameSessionProtectionPolicy="FullProtection")
    session = create_session(stage, fleet_id)
    stage.call("UpdateFleetCapacity", FleetId=fleet_id, DesiredInstances=0)
    stage.advance(130)
    assert game_session_status(stage, session) == "ACTIVE"
    assert counts_of(stage, fleet_id)["ACTIVE"] == 1
    stage.call("UpdateGameSession", GameSessionId=session["GameSessionId"], ProtectionPolicy="NoProtection")
    stage.advance(60)
    assert game_session_status(stage, session) == "TERMINATED"
    assert counts_of(stage, fleet_id)["ACTIVE"] == 0


def test_a_fleet_deletion_ends_protected_sessions_too(stage: Stage) -> None:
    fleet_id = active_fleet(stage, NewGameSessionProtectionPolicy="FullProtection")
    session = create_session(stage, fleet_id)
    stage.call("DeleteFleet", FleetId=fleet_id)
    stage.advance(3)
    assert game_session_status(stage, session) == "TERMINATED"


def test_an_unused_location_goes_to_zero_and_a_request_brings_it_back(stage: Stage) -> None:
    fleet_id = active_fleet(stage)
    answer = stage.call("UpdateFleetCapacity", FleetId=fleet_id, ManagedCapacityConfiguration=ZERO)
    assert answer["ManagedCapacityConfiguration"] == ZERO
    (capacity,) = stage.call("DescribeFleetCapacity", FleetIds=[fleet_id])["FleetCapacity"]
    assert capacity["ManagedCapacityConfiguration"] == ZERO
    assert capacity["InstanceCounts"]["MINIMUM"] == 1
    stage.advance(240, step=60)
    stage.advance(59, step=59)
    assert counts_of(stage, fleet_id)["DESIRED"] == 1
    stage.advance(1)
    now = counts_of(stage, fleet_id)
    assert (now["DESIRED"], now["MINIMUM"], now["MAXIMUM"]) == (0, 0, 1)
    stage.advance(5)
    session = {"FleetId": fleet_id, "MaximumPlayerSessionCount": 4}
    assert stage.error("CreateGameSession", **session).error_code == "FleetCapacityExceededException"
    assert counts_of(stage, fleet_id)["DESIRED"] == 1
    stage.advance(1)
    create_session(stage, fleet_id)
    stage.advance(1800, step=30)
    assert counts_of(stage, fleet_id)["DESIRED"] == 1


def test_a_location_stays_while_it_has_sessions_and_some_time_after(stage: Stage) -> None:
    fleet_id = active_fleet(stage)
    stage.call("UpdateFleetCapacity", FleetId=fleet_id, ManagedCapacityConfiguration=ZERO)
    session = create_session(stage, fleet_id)
    stage.advance(1000, step=20)
    mode = {"TerminationMode": "FORCE_TERMINATE"}
    stage.call("TerminateGameSession", GameSessionId=session["GameSessionId"], **mode)
    stage.advance(290, step=10)
    assert counts_of(stage, fleet_id)["DESIRED"] == 1
    stage.advance(70)
    assert counts_of(stage, fleet_id)["DESIRED"] == 0


def test_the_least_size_is_the_services_while_it_scales_to_zero(stage: Stage) -> None:
    fleet_id = active_fleet(stage)
    zero = {"ZeroCapacityStrategy": "SCALE_TO_AND_FROM_ZERO"}
    answer = stage.call("UpdateFleetCapacity", FleetId=fleet_id, ManagedCapacityConfiguration=zero)
    assert answer["ManagedCapacityConfiguration"]["ScaleInAfterInactivityMinutes"] == 30
    assert stage.error("UpdateFleetCapacity", FleetId=fleet_id, MinSize=0).error_code == "InvalidRequestException"
    manual = {"ZeroCapacityStrategy": "MANUAL"}
    stage.call("UpdateFleetCapacity", FleetId=fleet_id, ManagedCapacityConfiguration=manual, MinSize=0)
    stage.advance(7200, step=60)
    assert counts_of(stage, fleet_id)["DESIRED"] == 1


def test_only_a_location_at_zero_that_scales_from_zero_is_started_by_a_request(stage: Stage) -> None:
    fleet_id = active_fleet(stage)
    stage.call("UpdateFleetCapacity", FleetId=fleet_id, DesiredInstances=0)

    def ask(ctx: Context) -> None:
        for name in (HOME, "us-east-1"):
            scale_from_zero(ctx, fleet_id, name)
        scale_from_zero(ctx, "fleet-0", HOME)

    stage.change(ask)
    assert counts_of(stage, fleet_id)["DESIRED"] == 0


def game_session_status(stage: Stage, session: dict[str, Any]) -> str:
    """Return the status that a game session has now."""
    found = stage.call("DescribeGameSessions", GameSessionId=session["GameSessionId"])["GameSessions"]
    return str(found[0]["Status"])
