"""Server processes: which one is chosen, what is counted, and what happens when they go."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from fleet_scenes import HOME, LAUNCH, active_fleet, anywhere_fleet, event_codes
from host_scenes import real_processes
from session_scenes import (
    COMPUTE,
    accept,
    active_session,
    add_compute,
    create,
    join,
    process_count,
    process_of,
    ready,
    see,
    see_player,
)

from apitrail.errors import ServiceError
from apitrail.services.context import Context
from apitrail.services.gamelift import pool, processes
from apitrail.services.gamelift.collections import FLEETS, HOSTS, INSTANCES, PROCESSES
from apitrail.services.gamelift.processes import Counts, Load
from apitrail.services.operation import Deed, observer
from apitrail.services.runtime import Runtime
from apitrail.testing import Stage

HEARD: list[tuple[str, dict[str, Any]]] = []


@observer("process-message")
async def hear(_: Runtime, deed: Deed) -> None:
    """Keep what is said to processes."""
    HEARD.append((deed.doc["ProcessId"], deed.doc["Message"]))


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    with Stage(tmp_path) as stage:
        yield stage


@pytest.fixture
def real(tmp_path: Path) -> Iterator[Stage]:
    HEARD.clear()
    with Stage(tmp_path, real_processes(tmp_path)) as stage:
        yield stage


def wide_fleet(stage: Stage, instances: int, executions: int, **runtime: Any) -> str:
    """Return an active fleet with several instances, each with several processes."""
    launch = [LAUNCH | {"ConcurrentExecutions": executions}]
    fleet_id = active_fleet(stage, RuntimeConfiguration={"ServerProcesses": launch, **runtime})
    stage.call("UpdateFleetCapacity", FleetId=fleet_id, DesiredInstances=instances, MaxSize=instances)
    stage.advance(5)
    return fleet_id


def counts(stage: Stage, fleet_id: str) -> Counts:
    return stage.read(lambda ctx: processes.counts(ctx, fleet_id, HOME))


def stop(stage: Stage, fleet_id: str, instance_id: str, reason: str = "") -> None:
    def work(ctx: Context) -> None:
        fleet, instance = FLEETS(ctx).get(fleet_id), INSTANCES(ctx).get(instance_id)
        assert fleet is not None and instance is not None
        processes.instance_stopped(ctx, fleet, HOME, instance, reason=reason)

    stage.change(work)


def test_a_location_has_the_processes_of_all_its_instances(stage: Stage) -> None:
    fleet_id = wide_fleet(stage, 3, 4)
    assert counts(stage, fleet_id) == Counts(12, 12, 0, 0, 0, 0, 3, 3)


def test_the_fullest_instance_is_used_until_it_has_no_process_left(stage: Stage) -> None:
    fleet_id = wide_fleet(stage, 3, 2)
    used = [active_session(stage, fleet_id)["ComputeName"] for _ in range(6)]
    assert used[0] == used[1] and used[2] == used[3] and used[4] == used[5]
    assert len(set(used)) == 3
    assert stage.error("CreateGameSession", FleetId=fleet_id, MaximumPlayerSessionCount=1).error_code == (
        "FleetCapacityExceededException"
    )


def test_no_more_sessions_are_activated_on_an_instance_at_a_time_than_allowed(stage: Stage) -> None:
    fleet_id = wide_fleet(stage, 2, 4, MaxConcurrentGameSessionActivations=1)
    first, second = create(stage, fleet_id), create(stage, fleet_id)
    assert first["ComputeName"] != second["ComputeName"]
    params = {"FleetId": fleet_id, "MaximumPlayerSessionCount": 1}
    assert stage.error("CreateGameSession", **params).error_code == "FleetCapacityExceededException"
    stage.settle()
    create(stage, fleet_id)


def test_figures_follow_sessions_and_players(stage: Stage) -> None:
    fleet_id = wide_fleet(stage, 2, 2)
    session = create(stage, fleet_id, MaximumPlayerSessionCount=7)
    assert counts(stage, fleet_id) == Counts(4, 3, 1, 0, 0, 0, 2, 1)
    stage.settle()
    accept(stage, session, join(stage, session))
    assert counts(stage, fleet_id) == Counts(4, 3, 1, 1, 1, 7, 2, 1)
    stage.call("UpdateGameSession", GameSessionId=session["GameSessionId"], MaximumPlayerSessionCount=3)
    assert counts(stage, fleet_id).player_slot_count == 3
    stage.call("TerminateGameSession", GameSessionId=session["GameSessionId"], TerminationMode="FORCE_TERMINATE")
    assert counts(stage, fleet_id) == Counts(4, 3, 1, 0, 0, 0, 2, 1)
    stage.settle()
    assert counts(stage, fleet_id) == Counts(4, 4, 0, 0, 0, 0, 2, 2)


def test_the_load_of_an_instance_says_whether_a_session_protects_it(stage: Stage) -> None:
    fleet_id = wide_fleet(stage, 1, 3)
    session = active_session(stage, fleet_id)
    compute = session["ComputeName"]
    assert stage.read(lambda ctx: processes.load_of(ctx, fleet_id, compute)) == Load(1, False)
    stage.call("UpdateGameSession", GameSessionId=session["GameSessionId"], ProtectionPolicy="FullProtection")
    assert stage.read(lambda ctx: processes.load_of(ctx, fleet_id, compute)) == Load(1, True)
    assert stage.read(lambda ctx: processes.load_of(ctx, fleet_id, "i-unknown")) == Load(0, False)


def test_a_process_is_replaced_after_its_session(stage: Stage) -> None:
    fleet_id = wide_fleet(stage, 1, 2)
    session = active_session(stage, fleet_id)
    before = process_of(stage, session)
    stage.call("TerminateGameSession", GameSessionId=session["GameSessionId"], TerminationMode="FORCE_TERMINATE")
    stage.settle()
    assert process_count(stage, fleet_id) == 2
    assert stage.read(lambda ctx: PROCESSES(ctx).get(before)) is None


def test_processes_follow_a_new_runtime_configuration_without_ending_any(stage: Stage) -> None:
    fleet_id = wide_fleet(stage, 1, 3)
    sessions = [active_session(stage, fleet_id) for _ in range(3)]
    other = LAUNCH | {"LaunchPath": "/local/game/other", "ConcurrentExecutions": 1}
    configuration = {"ServerProcesses": [LAUNCH | {"ConcurrentExecutions": 1}, other]}
    stage.call("UpdateRuntimeConfiguration", FleetId=fleet_id, RuntimeConfiguration=configuration)
    assert counts(stage, fleet_id)[:3] == (4, 1, 3)
    for session in sessions:
        name = {"GameSessionId": session["GameSessionId"], "TerminationMode": "FORCE_TERMINATE"}
        stage.call("TerminateGameSession", **name)
    stage.settle()
    assert counts(stage, fleet_id)[:3] == (2, 2, 0)


def test_ports_come_from_the_inbound_permissions_and_then_from_elsewhere() -> None:
    fleet = {"_InboundPermissions": [{"FromPort": 1935, "ToPort": 1936}, {"FromPort": 22, "ToPort": 22}]}
    host: dict[str, Any] = {"Ports": []}
    for expected in (1935, 1936, 22, pool.PORT_FIRST, pool.PORT_FIRST + 1):
        assert pool.next_port(fleet, host) == expected
        host["Ports"].append(expected)
    host["Ports"].remove(1936)
    assert pool.next_port(fleet, host) == 1936


def test_an_instance_that_stops_ends_its_sessions_and_takes_no_new_one(stage: Stage) -> None:
    fleet_id = wide_fleet(stage, 1, 2)
    session = active_session(stage, fleet_id)
    player = join(stage, session)
    stop(stage, fleet_id, session["ComputeName"])
    error = stage.error("CreateGameSession", FleetId=fleet_id, MaximumPlayerSessionCount=1)
    assert error.error_code == "FleetCapacityExceededException"
    stage.settle()
    ended = see(stage, session)
    assert ended["Status"] == "TERMINATED" and "StatusReason" not in ended
    assert see_player(stage, player)["Status"] == "TIMEDOUT"
    assert process_count(stage, fleet_id) == 0
    assert counts(stage, fleet_id) == Counts(0, 0, 0, 0, 0, 0, 0, 0)
    stop(stage, fleet_id, session["ComputeName"])


def test_sessions_on_an_interrupted_instance_say_so(stage: Stage) -> None:
    fleet_id = wide_fleet(stage, 1, 2)
    session = active_session(stage, fleet_id)
    stop(stage, fleet_id, session["ComputeName"], "INTERRUPTED")
    stage.settle()
    assert see(stage, session)["StatusReason"] == "INTERRUPTED"


def test_a_session_that_begins_on_an_instance_that_stops_at_once_is_ended_not_activated(stage: Stage) -> None:
    fleet_id = wide_fleet(stage, 1, 2)
    session = create(stage, fleet_id)
    stop(stage, fleet_id, session["ComputeName"])
    stage.settle()
    assert see(stage, session)["Status"] == "TERMINATED"
    assert stage.read(lambda ctx: HOSTS(ctx).count()) == 0


def test_a_real_process_is_told_to_start_its_session_and_activates_it_itself(real: Stage) -> None:
    fleet_id = active_fleet(real)
    assert counts(real, fleet_id) == Counts(0, 0, 0, 0, 0, 0, 1, 1)
    ready(real, fleet_id, "process-1")
    session = create(
        real, fleet_id, Name="duel", GameProperties=[{"Key": "mode", "Value": "duel"}], GameSessionData="x"
    )
    ((process_id, message),) = HEARD
    assert process_id == "process-1"
    assert message == {
        "Action": "CreateGameSession",
        "GameSessionId": session["GameSessionId"],
        "GameSessionName": "duel",
        "GameSessionData": "x",
        "MaximumPlayerSessionCount": 4,
        "Port": 7000,
        "IpAddress": "127.0.0.1",
        "DnsName": "localhost",
        "GameProperties": {"mode": "duel"},
    }
    real.advance(10)
    assert see(real, session)["Status"] == "ACTIVATING"
    real.change(lambda ctx: processes.activate_session(ctx, "process-1", session["GameSessionId"]))
    assert see(real, session)["Status"] == "ACTIVE"
    real.advance(600, step=300)
    assert see(real, session)["Status"] == "ACTIVE"


def test_a_session_is_activated_once_and_by_its_own_process(real: Stage) -> None:
    fleet_id = active_fleet(real)
    ready(real, fleet_id, "process-1", "process-2")
    session = create(real, fleet_id)
    for process_id in ("process-2", "unknown"):
        with pytest.raises(ServiceError, match="is not on process"):
            real.change(
                partial(processes.activate_session, process_id=process_id, game_session_id=session["GameSessionId"])
            )
    real.change(lambda ctx: processes.activate_session(ctx, "process-1", session["GameSessionId"]))
    with pytest.raises(ServiceError, match="is in status ACTIVE"):
        real.change(lambda ctx: processes.activate_session(ctx, "process-1", session["GameSessionId"]))


def test_a_process_says_once_that_it_is_ready_and_on_a_compute_that_exists(real: Stage) -> None:
    fleet_id = active_fleet(real)
    instance_id = ready(real, fleet_id, "process-1")
    with pytest.raises(ServiceError, match="is active already"):
        real.change(lambda ctx: processes.process_ready(ctx, fleet_id, instance_id, "process-1", 7000))
    with pytest.raises(ServiceError, match="has no compute"):
        real.change(lambda ctx: processes.process_ready(ctx, fleet_id, "i-unknown", "process-2", 7000))


def test_a_session_that_is_not_activated_in_time_ends_with_its_process(real: Stage) -> None:
    runtime = {"ServerProcesses": [LAUNCH], "GameSessionActivationTimeoutSeconds": 40}
    fleet_id = active_fleet(real, RuntimeConfiguration=runtime)
    ready(real, fleet_id, "process-1")
    session = create(real, fleet_id)
    real.advance(39)
    assert see(real, session)["Status"] == "ACTIVATING"
    real.advance(1)
    assert see(real, session)["Status"] == "TERMINATED"
    assert "GAME_SESSION_ACTIVATION_TIMEOUT" in event_codes(real, fleet_id)
    assert not real.read(lambda ctx: PROCESSES(ctx).has("process-1"))


@pytest.mark.parametrize("activated", [False, True])
@pytest.mark.parametrize(("crashed", "status"), [(False, "TERMINATED"), (True, "ERROR")])
def test_a_session_ends_with_its_process(stage: Stage, activated: bool, crashed: bool, status: str) -> None:
    fleet_id = anywhere_fleet(stage)
    add_compute(stage, fleet_id, "custom-desk", "process-1")
    session = create(stage, fleet_id, Location="custom-desk")
    assert session["ComputeName"] == COMPUTE
    if activated:
        stage.change(lambda ctx: processes.activate_session(ctx, "process-1", session["GameSessionId"]))
    stage.change(lambda ctx: processes.process_ended(ctx, "process-1", crashed=crashed))
    ended = see(stage, session)
    assert ended["Status"] == status and "StatusReason" not in ended
    stage.change(lambda ctx: processes.process_ended(ctx, "process-1", crashed=crashed))
    assert process_count(stage, fleet_id) == 0


def test_a_process_that_crashes_while_it_is_to_end_has_ended_its_session(stage: Stage) -> None:
    HEARD.clear()
    fleet_id = anywhere_fleet(stage)
    add_compute(stage, fleet_id, "custom-desk", "process-1")
    session = create(stage, fleet_id, Location="custom-desk")
    name = {"GameSessionId": session["GameSessionId"], "TerminationMode": "TRIGGER_ON_PROCESS_TERMINATE"}
    stage.call("TerminateGameSession", **name)
    within = round(stage.clock.now().timestamp() * 1000) + 300_000
    assert HEARD[-1] == ("process-1", {"Action": "TerminateProcess", "TerminationTime": within})
    stage.change(lambda ctx: processes.process_ended(ctx, "process-1", crashed=True))
    ended = see(stage, session)
    assert (ended["Status"], ended["StatusReason"]) == ("TERMINATED", "TRIGGERED_ON_PROCESS_TERMINATE")


def test_a_free_process_that_goes_is_no_longer_chosen(stage: Stage) -> None:
    fleet_id = anywhere_fleet(stage)
    add_compute(stage, fleet_id, "custom-desk", "process-1", "process-2")
    stage.change(lambda ctx: processes.process_ended(ctx, "process-1"))
    session = create(stage, fleet_id, Location="custom-desk")
    assert process_of(stage, session) == "process-2"


def test_the_last_use_of_a_location_is_the_newest_sessions(stage: Stage) -> None:
    fleet_id = wide_fleet(stage, 1, 2)
    assert stage.read(lambda ctx: processes.last_session_at(ctx, fleet_id, HOME)) is None
    session = active_session(stage, fleet_id)
    began = stage.clock.now()
    stage.advance(5)
    assert stage.read(lambda ctx: processes.last_session_at(ctx, fleet_id, HOME)) == began
    stage.call("TerminateGameSession", GameSessionId=session["GameSessionId"], TerminationMode="FORCE_TERMINATE")
    stage.settle()
    assert stage.read(lambda ctx: processes.last_session_at(ctx, fleet_id, HOME)) == stage.clock.now()
