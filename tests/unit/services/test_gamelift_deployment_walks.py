"""Random updates, sizes, sessions and waits: whatever happens to a container fleet, it comes to rest as its settings say."""

import os
import random
from pathlib import Path
from typing import Any

import pytest
from container_scenes import active_fleet, defined, deployment, game_server, group, per_instance, see

from apitrail.errors import ServiceError
from apitrail.testing import Stage

SEEDS = 60 if os.environ.get("APITRAIL_SOAK") == "1" else 2
STEPS = 40
FAILS = [{"Name": "APITRAIL_FAIL_DEPLOYMENT", "Value": "1"}]
NAMES = ("game-group", "other", "bad")
REFUSALS = {"FleetCapacityExceededException", "InvalidGameSessionStatusException", "InvalidRequestException"}
OPEN = {"PENDING", "IN_PROGRESS", "ROLLBACK_IN_PROGRESS"}


class Walk:
    """A fleet and what is done to it."""

    def __init__(self, stage: Stage, seed: int) -> None:
        self.stage = stage
        self.chance = random.Random(seed)
        self.fleet = active_fleet(stage, Locations=[{"Location": "eu-west-1"}])
        self.sessions: list[str] = []
        defined(stage, group("other", TotalVcpuLimit=0.5))
        defined(stage, group("bad", GameServerContainerDefinition=game_server(EnvironmentOverride=FAILS)))
        defined(stage, per_instance())

    def step(self) -> None:
        """Do something; what the fleet's state or size forbids is refused."""
        deeds = (self.deploy, self.deploy, self.helpers, self.resize, self.begin, self.begin, self.end, self.wait)
        try:
            self.chance.choice(deeds)()
        except ServiceError as error:
            assert error.error_code in REFUSALS, error

    def deploy(self) -> None:
        """Change what the instances run."""
        configuration = {
            "ProtectionStrategy": self.chance.choice(("WITH_PROTECTION", "IGNORE_PROTECTION")),
            "ImpairmentStrategy": self.chance.choice(("MAINTAIN", "ROLLBACK")),
        }
        name = self.chance.choice(NAMES)
        self._update(GameServerContainerGroupDefinitionName=name, DeploymentConfiguration=configuration)

    def helpers(self) -> None:
        """Add the per-instance group, or remove it."""
        removed = {"RemoveAttributes": ["PER_INSTANCE_CONTAINER_GROUP_DEFINITION"]}
        self._update(**self.chance.choice((removed, {"PerInstanceContainerGroupDefinitionName": "helpers"})))

    def resize(self) -> None:
        """Scale a location."""
        location = self.chance.choice(("us-west-2", "eu-west-1"))
        size = {"DesiredInstances": self.chance.randint(0, 3), "MaxSize": 3}
        self.stage.call("UpdateFleetCapacity", FleetId=self.fleet["FleetId"], Location=location, **size)

    def begin(self) -> None:
        """Begin a session, protected or not."""
        params = {"FleetId": self.fleet["FleetId"], "MaximumPlayerSessionCount": 2}
        made = self.stage.call("CreateGameSession", **params)["GameSession"]["GameSessionId"]
        self.sessions.append(made)
        self.stage.settle()
        policy = self.chance.choice(("NoProtection", "FullProtection"))
        self.stage.call("UpdateGameSession", GameSessionId=made, ProtectionPolicy=policy)

    def end(self) -> None:
        """End a session."""
        if self.sessions:
            ended = self.sessions.pop(self.chance.randrange(len(self.sessions)))
            self.stage.call("TerminateGameSession", GameSessionId=ended, TerminationMode="FORCE_TERMINATE")

    def wait(self) -> None:
        """Let time go by."""
        self.stage.advance(self.chance.choice((0.5, 1, 3, 70)), step=1)

    def _update(self, **params: Any) -> None:
        self.stage.call("UpdateContainerFleet", FleetId=self.fleet["FleetId"], **params)


@pytest.mark.parametrize("seed", range(SEEDS))
def test_a_fleet_comes_to_rest_as_its_settings_say(tmp_path: Path, seed: int) -> None:
    with Stage(tmp_path, seed=seed) as stage:
        walk = Walk(stage, seed)
        for _ in range(STEPS):
            walk.step()
        while walk.sessions:
            try:
                walk.end()
            except ServiceError as error:
                assert error.error_code == "InvalidGameSessionStatusException", error
        stage.advance(200, step=5)
        fleet = see(stage, walk.fleet)
        assert fleet["Status"] == "ACTIVE"
        assert fleet["GameServerContainerGroupDefinitionName"] != "bad"
        found = stage.call("ListFleetDeployments", FleetId=fleet["FleetId"])["FleetDeployments"]
        assert not OPEN & {item["DeploymentStatus"] for item in found}
        assert deployment(stage, fleet)["DeploymentId"] == found[0]["DeploymentId"]
        for location in ("us-west-2", "eu-west-1"):
            check_location(stage, fleet, location)


def check_location(stage: Stage, fleet: dict[str, Any], location: str) -> None:
    """Assert that the instances of a location are as many as desired, and run what the fleet says."""
    asked = {"FleetId": fleet["FleetId"], "Location": location}
    capacity = stage.call("DescribeFleetLocationCapacity", **asked)["FleetCapacity"]
    running = stage.call("DescribeInstances", **asked)["Instances"]
    computes = stage.call("ListCompute", **asked)["ComputeList"]
    groups = fleet["GameServerContainerGroupsPerInstance"]
    assert len(running) == capacity["InstanceCounts"]["ACTIVE"] == capacity["InstanceCounts"]["DESIRED"]
    assert capacity["GameServerContainerGroupCounts"] == {
        "PENDING": 0,
        "ACTIVE": 0,
        "IDLE": len(running) * groups,
        "TERMINATING": 0,
    }
    assert len(computes) == len(running) * groups
    arns = {item["GameServerContainerGroupDefinitionArn"] for item in computes}
    assert arns <= {fleet["GameServerContainerGroupDefinitionArn"]}
    assert {item["InstanceId"] for item in computes} == {item["InstanceId"] for item in running}
