"""Container fleets are scaled like others, by their game server container groups."""

from container_scenes import active_fleet
from fleet_scenes import HOME, counts_of
from session_scenes import active_session

from apitrail.services.gamelift.collections import GROUP_COMPUTES
from apitrail.services.gamelift.compute_access import NOT_AVAILABLE
from apitrail.testing import Stage

TARGET = {
    "Name": "buffer",
    "PolicyType": "TargetBased",
    "MetricName": "PercentAvailableGameSessions",
    "TargetConfiguration": {"TargetValue": 50.0},
}
ACTIONS = {"Actions": ["AUTO_SCALING"]}


def test_a_target_counts_the_container_groups_of_an_instance(stage: Stage) -> None:
    fleet = active_fleet(stage)
    fleet_id, groups = fleet["FleetId"], fleet["GameServerContainerGroupsPerInstance"]
    assert groups == 2
    stage.call("UpdateFleetCapacity", FleetId=fleet_id, DesiredInstances=2, MaxSize=9)
    stage.call("PutScalingPolicy", FleetId=fleet_id, **TARGET)
    stage.advance(2)
    for _ in range(3):
        active_session(stage, fleet_id)
    stage.advance(60, step=2)
    assert counts_of(stage, fleet_id)["DESIRED"] == 3
    (policy,) = stage.call("DescribeScalingPolicies", FleetId=fleet_id)["ScalingPolicies"]
    assert (policy["FleetArn"], policy["Location"]) == (fleet["FleetArn"], HOME)


def test_actions_of_a_container_fleet_are_stopped_in_its_location(stage: Stage) -> None:
    fleet = active_fleet(stage)
    stage.call("StopFleetActions", FleetId=fleet["FleetId"], **ACTIONS)
    (home,) = stage.call("DescribeFleetLocationAttributes", FleetId=fleet["FleetId"])["LocationAttributes"]
    assert home["StoppedActions"] == ["AUTO_SCALING"]
    assert "StoppedActions" not in stage.call("DescribeContainerFleet", FleetId=fleet["FleetId"])["ContainerFleet"]


def test_a_container_group_is_a_compute_without_remote_access(stage: Stage) -> None:
    fleet_id = active_fleet(stage)["FleetId"]
    name = stage.read(lambda ctx: GROUP_COMPUTES(ctx).all()[0].doc["ComputeName"])
    assert stage.error("GetComputeAccess", FleetId=fleet_id, ComputeName=name).message == NOT_AVAILABLE


def test_a_container_fleet_has_no_vpc_to_peer_and_no_instance_access(stage: Stage) -> None:
    fleet_id = active_fleet(stage)["FleetId"]
    peer = {"PeerVpcAwsAccountId": "111122223333", "PeerVpcId": "vpc-1"}
    assert stage.error("CreateVpcPeeringConnection", FleetId=fleet_id, **peer).error_code == "NotFoundException"
    assert stage.error("GetInstanceAccess", FleetId=fleet_id, InstanceId="i-1").error_code == "NotFoundException"
