"""Credentials of a fleet's role for its game servers."""

import json
from pathlib import Path

from apitrail.services.context import Context
from apitrail.services.gamelift.collections import FLEETS
from apitrail.settings import GameLift, Settings
from apitrail.testing import Stage
from peers import COMPUTE, anywhere_compute, connected

TRUST = {
    "Version": "2012-10-17",
    "Statement": [
        {"Effect": "Allow", "Principal": {"Service": "gamelift.amazonaws.com"}, "Action": "sts:AssumeRole"},
    ],
}


def with_role(stage: Stage, fleet_id: str) -> str:
    """Give a fleet a role, as managed fleets have one, and return its ARN."""
    role = stage.call("CreateRole", RoleName="game", AssumeRolePolicyDocument=json.dumps(TRUST))["Role"]

    def give(ctx: Context) -> None:
        fleet = FLEETS(ctx).get(fleet_id)
        assert fleet is not None
        FLEETS(ctx).put(fleet_id, fleet | {"InstanceRoleArn": role["Arn"]})

    stage.change(give)
    return str(role["Arn"])


def test_a_game_server_gets_credentials_of_its_fleets_role(tmp_path: Path) -> None:
    with Stage(tmp_path, Settings(gamelift=GameLift(delay_scale=0))) as stage:
        fleet_id = anywhere_compute(stage)
        role = with_role(stage, fleet_id)
        peer = connected(stage, fleet_id)
        answer = peer.ok("GetFleetRoleCredentials", RoleArn=role, RoleSessionName="lobby")
        assert answer["AssumedRoleUserArn"].endswith(":assumed-role/game/lobby")
        assert answer["AccessKeyId"].startswith("ASIA") and answer["SecretAccessKey"] and answer["SessionToken"]
        assert answer["Expiration"] - stage.clock.now().timestamp() * 1000 >= 3_600_000
        record = [event for event in stage.events() if event["eventName"] == "AssumeRole"][-1]
        assert record["userIdentity"]["invokedBy"] == "gamelift.amazonaws.com"
        assert answer["SecretAccessKey"] not in json.dumps(record)


def test_the_sessions_name_is_made_of_fleet_and_compute_when_none_is_given(tmp_path: Path) -> None:
    with Stage(tmp_path, Settings(gamelift=GameLift(delay_scale=0))) as stage:
        fleet_id = anywhere_compute(stage)
        role = with_role(stage, fleet_id)
        answer = connected(stage, fleet_id).ok("GetFleetRoleCredentials", RoleArn=role)
        assert answer["AssumedRoleUserArn"].endswith(f"/{fleet_id}-{COMPUTE}")


def test_another_role_than_the_fleets_is_refused(tmp_path: Path) -> None:
    with Stage(tmp_path, Settings(gamelift=GameLift(delay_scale=0))) as stage:
        fleet_id = anywhere_compute(stage)
        with_role(stage, fleet_id)
        peer = connected(stage, fleet_id)
        answer = peer.ask("GetFleetRoleCredentials", RoleArn="arn:aws:iam::111122223333:role/admin")
        assert answer["StatusCode"] == 400 and "must be the role of fleet" in answer["ErrorMessage"]
        assert not any(event["eventName"] == "AssumeRole" for event in stage.events())
