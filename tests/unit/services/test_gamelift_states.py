"""The tables of states."""

import subprocess
import sys
from pathlib import Path

import pytest

from apitrail.services.gamelift.states import (
    ANYWHERE_FLEET,
    ANYWHERE_LOCATION,
    BUILD,
    CONTAINER_FLEET,
    DEPLOYMENT,
    FLEET,
    GAME_SESSION,
    GONE,
    GROUP_VERSION,
    INSTANCE,
    LOCATION,
    MACHINES,
    PLAYER_SESSION,
    SERVER_GROUP,
    Machine,
    Step,
)
from apitrail.wire.models import service_model

MODEL = service_model("gamelift")
NOT_HERE = {"NOT_FOUND", "EXPIRED", "DELETED"}
"""Statuses that are only an answer, or set by AWS alone, or of what is gone at once here."""


@pytest.mark.parametrize(
    ("machines", "shape"),
    [
        ([BUILD], "BuildStatus"),
        ([FLEET], "FleetStatus"),
        ([LOCATION], "FleetStatus"),
        ([INSTANCE], "InstanceStatus"),
        ([GAME_SESSION], "GameSessionStatus"),
        ([PLAYER_SESSION], "PlayerSessionStatus"),
        ([SERVER_GROUP], "GameServerGroupStatus"),
        ([CONTAINER_FLEET], "ContainerFleetStatus"),
        ([GROUP_VERSION], "ContainerGroupDefinitionStatus"),
        ([DEPLOYMENT], "DeploymentStatus"),
    ],
)
def test_a_table_has_the_states_of_the_model(machines: list[Machine], shape: str) -> None:
    states = {state for machine in machines for state in machine.states}
    assert states == set(MODEL.shape_for(shape).metadata["enum"]) - NOT_HERE


@pytest.mark.parametrize("machine", [ANYWHERE_FLEET, ANYWHERE_LOCATION])
def test_an_anywhere_fleet_has_no_states_of_its_own(machine: Machine) -> None:
    assert set(machine.states) < set(FLEET.states)


@pytest.mark.parametrize("machine", MACHINES, ids=lambda machine: machine.name)
def test_every_state_can_be_entered_from_nothing_and_left(machine: Machine) -> None:
    seen, waiting = set[str](), [GONE]
    while waiting:
        source = waiting.pop()
        for step in machine.steps:
            if step.source == source and step.target not in seen:
                seen.add(step.target)
                waiting.append(step.target)
    assert seen >= set(machine.states)
    assert {step.source for step in machine.steps} >= set(machine.states)


@pytest.mark.parametrize("machine", MACHINES, ids=lambda machine: machine.name)
def test_no_step_is_listed_twice(machine: Machine) -> None:
    pairs = [(step.source, step.target) for step in machine.steps]
    assert len(pairs) == len(set(pairs))


def test_every_event_of_a_step_is_one_of_the_model() -> None:
    known = set(MODEL.shape_for("EventCode").metadata["enum"])
    assert {code for machine in MACHINES for step in machine.steps for code in step.events} <= known


def test_a_step_that_is_not_in_the_table_is_refused() -> None:
    with pytest.raises(AssertionError, match="a fleet does not go from NEW to ACTIVE"):
        FLEET.step("NEW", "ACTIVE")
    assert FLEET.step("NEW", "DOWNLOADING") == Step(
        "NEW", "DOWNLOADING", "the creation starts", None, ("FLEET_STATE_DOWNLOADING",)
    )


def test_a_state_without_a_timed_step_waits_for_somebody() -> None:
    assert LOCATION.timed("ACTIVE") is None
    step = LOCATION.timed("NEW")
    assert step is not None and (step.target, step.delay_s) == ("DOWNLOADING", 1.0)


def test_the_page_of_the_docs_shows_these_tables() -> None:
    tool = Path(__file__).parents[3] / "tools" / "states_page.py"
    made = subprocess.run([sys.executable, str(tool), "--check"], check=False, timeout=60)
    assert made.returncode == 0, "run python tools/states_page.py"
