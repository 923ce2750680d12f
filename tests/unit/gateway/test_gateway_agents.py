"""Agents of computes: who is let in, what they hear of their processes, and what stands when they are away."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from apitrail.services.context import Context
from apitrail.services.gamelift.collections import FLEETS, PROCESSES
from apitrail.settings import Settings
from apitrail.testing import Stage
from peers import (
    COMPUTE,
    LOCATION,
    Closed,
    Peer,
    Refused,
    agent,
    agent_url_of,
    anywhere_compute,
    connected,
    free,
    url_of,
)

TOKEN_S = 3 * 3600.0
REFRESH_S = TOKEN_S - 900
PROCESS = "process-1"
UNHEALTHY = "SERVER_PROCESS_TERMINATED_UNHEALTHY"
FORCED = "SERVER_PROCESS_FORCE_TERMINATED"


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    with Stage(tmp_path) as stage:
        yield stage


@pytest.fixture
def fleet_id(stage: Stage) -> str:
    return anywhere_compute(stage)


def alter_fleet(stage: Stage, fleet_id: str, **members: str) -> None:
    """Change members of a fleet's document."""

    def change(ctx: Context) -> None:
        fleet = FLEETS(ctx).get(fleet_id)
        assert fleet is not None
        FLEETS(ctx).put(fleet_id, fleet | members)

    stage.change(change)


def refused(stage: Stage, query: dict[str, str], path: bytes = b"/agent") -> tuple[int, str]:
    """Return status and text of a handshake that fails."""
    with pytest.raises(Refused) as found:
        Peer(stage, query, path)
    return found.value.status, found.value.text


def hears(watcher: Peer, *process_ids: str, status: str = "Active") -> dict[str, Any]:
    """Send an agent's heartbeat and return the answer's members of its own."""
    said = watcher.ok("SendHeartbeat", Status=status, ProcessList=list(process_ids), HeartbeatTimeMillis=1)
    return {name: said[name] for name in ("Status", "UnhealthyProcesses", "UnregisteredProcesses")}


def exits(watcher: Peer, process_id: str = PROCESS, **members: str) -> dict[str, Any]:
    return watcher.ask("NotifyServerProcessTermination", ProcessId=process_id, **members)


def told(watcher: Peer) -> list[tuple[str, ...]]:
    """Return what an agent was told since the last time: the values of each push."""
    return [tuple(str(value) for value in push.values()) for push in watcher.pushes()]


def start_session(stage: Stage, fleet_id: str) -> str:
    asked = {"FleetId": fleet_id, "Location": LOCATION, "MaximumPlayerSessionCount": 2}
    return str(stage.call("CreateGameSession", **asked)["GameSession"]["GameSessionId"])


def events(stage: Stage, fleet_id: str) -> list[tuple[str, str]]:
    """Return the fleet's events of processes, newest first."""
    found = stage.call("DescribeFleetEvents", FleetId=fleet_id)["Events"]
    return [(one["EventCode"], one["Message"]) for one in found if one["EventCode"].startswith("SERVER_PROCESS")]


def process_ids(stage: Stage) -> list[str]:
    return stage.read(lambda ctx: [entry.id for entry in PROCESSES(ctx).all()])


# Who is let in.


@pytest.mark.parametrize("name", ["FleetId", "ComputeName", "Authorization"])
def test_an_agents_url_without_a_parameter_is_refused(stage: Stage, fleet_id: str, name: str) -> None:
    query = agent_url_of(stage, fleet_id)
    del query[name]
    assert refused(stage, query) == (400, f"The URL lacks {name}.")


def test_an_agent_needs_the_token_of_its_own_compute(stage: Stage, fleet_id: str) -> None:
    query = agent_url_of(stage, fleet_id)
    assert refused(stage, query | {"Authorization": "none"})[0] == 403
    assert "not issued for compute desk-2" in refused(stage, query | {"ComputeName": "desk-2"})[1]
    assert "token-of-another-compute" in (stage.data_dir / "security.log").read_text()
    assert refused(stage, query, b"/")[0] == 400
    assert refused(stage, url_of(stage, fleet_id))[0] == 400


def test_an_agent_signs_its_own_parameters(tmp_path: Path) -> None:
    with Stage(tmp_path, msgspec.convert({"auth": {"mode": "permissive"}}, Settings)) as stage:
        fleet_id = anywhere_compute(stage)
        stage.settle()
        scope = "20260304/us-west-2/gamelift/aws4_request"
        signed = {
            "Authorization": "SigV4",
            "X-Amz-Algorithm": "AWS4-HMAC-SHA256",
            "X-Amz-Date": "20260304T091500Z",
            "X-Amz-Signature": "0" * 64,
            "X-Amz-Credential": f"{stage.principal.account}/{scope}",
        }
        watcher = Peer(stage, agent_url_of(stage, fleet_id) | signed, b"/agent")
        assert hears(watcher)["Status"] == "Active"


def test_a_fleet_that_is_not_an_anywhere_fleet_has_no_agent_and_its_log_says_why(stage: Stage, fleet_id: str) -> None:
    query = agent_url_of(stage, fleet_id)

    alter_fleet(stage, fleet_id, ComputeType="EC2")
    status, text = refused(stage, query)
    assert (status, text) == (403, f"Fleet {fleet_id} is not an Anywhere fleet; its instances have no agent here.")
    newest = stage.call("DescribeFleetEvents", FleetId=fleet_id)["Events"][0]
    assert (newest["EventCode"], newest["Message"]) == (
        "GENERIC_EVENT",
        f"An agent was not let in: {text} (computeName(desk-1))",
    )


# What it asks.


def test_requests_that_are_not_an_agents_are_refused(stage: Stage, fleet_id: str) -> None:
    watcher = agent(stage, fleet_id)
    assert watcher.ask("HeartbeatServerProcess", HealthStatus=True)["StatusCode"] == 400
    assert "is malformed" in watcher.ask("SendHeartbeat", Status="Dreaming")["ErrorMessage"]
    assert "EventCode must be one of" in exits(watcher, EventCode="FLEET_DELETED")["ErrorMessage"]
    assert connected(stage, fleet_id).ask("SendHeartbeat", Status="Active")["StatusCode"] == 400


def test_a_fleet_that_is_not_active_is_not_ready(stage: Stage, fleet_id: str) -> None:
    watcher = agent(stage, fleet_id)

    alter_fleet(stage, fleet_id, Status="DELETING")
    said = watcher.ask("DescribeRuntimeConfiguration")
    assert (said["StatusCode"], said["ErrorMessage"]) == (
        412,
        f"Fleet {fleet_id} is in status DELETING; it must be ACTIVE.",
    )


def test_a_compute_is_active_as_soon_as_a_process_is_ready(stage: Stage, fleet_id: str) -> None:
    watcher = agent(stage, fleet_id)
    assert hears(watcher, status="Initializing")["Status"] == "Initializing"
    process = connected(stage, fleet_id)
    assert hears(watcher, PROCESS, status="Activating")["Status"] == "Activating"
    process.ok("ActivateServerProcess", Port=7777)
    assert hears(watcher, PROCESS, status="Activating")["Status"] == "Active"
    assert hears(watcher, PROCESS, status="Terminating")["Status"] == "Terminating"


def test_no_session_is_begun_on_a_compute_that_stops(stage: Stage, fleet_id: str) -> None:
    named = {"FleetId": fleet_id, "ComputeName": COMPUTE}
    watcher, _ = agent(stage, fleet_id), free(stage, fleet_id)
    hears(watcher, PROCESS, status="Interrupted")
    assert stage.call("DescribeCompute", **named)["Compute"]["ComputeStatus"] == "TERMINATING"
    asked = {"FleetId": fleet_id, "Location": LOCATION, "MaximumPlayerSessionCount": 2}
    assert stage.error("CreateGameSession", **asked).error_code == "FleetCapacityExceededException"
    watcher.drop()
    assert stage.call("DescribeCompute", **named)["Compute"]["ComputeStatus"] == "ACTIVE"
    assert start_session(stage, fleet_id)


# Processes that are to end.


def test_an_unhealthy_process_is_named_until_it_is_reported_gone(stage: Stage, fleet_id: str) -> None:
    watcher, process = agent(stage, fleet_id), free(stage, fleet_id)
    told(watcher)
    for _ in range(2):
        process.ok("HeartbeatServerProcess", HealthStatus=False)
    with pytest.raises(Closed):
        process.ask("HeartbeatServerProcess", HealthStatus=False)
    assert told(watcher) == [("ForceExitServerProcess", PROCESS, UNHEALTHY)]
    for _ in range(2):
        assert hears(watcher, PROCESS)["UnhealthyProcesses"] == [PROCESS]
    assert exits(watcher, EventCode=UNHEALTHY)["StatusCode"] == 200
    assert hears(watcher) == {"Status": "Active", "UnhealthyProcesses": [], "UnregisteredProcesses": []}
    assert [code for code, _ in events(stage, fleet_id)] == [UNHEALTHY]


def test_an_agent_that_was_away_hears_at_its_heartbeat_what_is_to_end(stage: Stage, fleet_id: str) -> None:
    watcher, _ = agent(stage, fleet_id), free(stage, fleet_id)
    session_id = start_session(stage, fleet_id)
    watcher.broken = True
    stage.call("TerminateGameSession", GameSessionId=session_id, TerminationMode="FORCE_TERMINATE")
    stage.settle()
    watcher.drop()
    again = agent(stage, fleet_id)
    assert hears(again, PROCESS)["UnregisteredProcesses"] == []
    assert told(again) == [("ForceExitServerProcess", PROCESS, FORCED)]
    assert exits(again, EventCode=FORCED)["StatusCode"] == 200
    assert (told(again), events(stage, fleet_id)) == ([], [])


def test_a_process_that_had_to_end_may_be_reported_after_it_is_not_listed_any_more(stage: Stage, fleet_id: str) -> None:
    watcher, _ = agent(stage, fleet_id), free(stage, fleet_id)
    session_id = start_session(stage, fleet_id)
    stage.call("TerminateGameSession", GameSessionId=session_id, TerminationMode="FORCE_TERMINATE")
    stage.settle()
    told(watcher)
    hears(watcher)
    exits(watcher, EventCode=FORCED)
    assert (told(watcher), events(stage, fleet_id)) == ([], [])
    assert hears(watcher, PROCESS)["UnregisteredProcesses"] == [PROCESS]


def test_a_process_that_is_ending_waits_for_its_agents_report(stage: Stage, fleet_id: str) -> None:
    watcher, process = agent(stage, fleet_id), free(stage, fleet_id)
    told(watcher)
    process.ok("TerminateServerProcess")
    process.drop()
    assert process_ids(stage) == [PROCESS]
    exits(watcher)
    assert (process_ids(stage), told(watcher), events(stage, fleet_id)) == ([], [], [])


def test_a_report_of_a_process_on_another_compute_changes_nothing_there(stage: Stage, fleet_id: str) -> None:
    stage.call("RegisterCompute", FleetId=fleet_id, ComputeName="desk-2", Location=LOCATION, IpAddress="127.0.0.1")
    free(stage, fleet_id)
    exits(agent(stage, fleet_id, "desk-2"))
    assert process_ids(stage) == [PROCESS]


def test_how_a_process_ended_is_in_the_fleets_log_with_the_agents_words(stage: Stage, fleet_id: str) -> None:
    watcher, _ = agent(stage, fleet_id), free(stage, fleet_id)
    exits(watcher, EventCode="SERVER_PROCESS_CRASHED", TerminationReason="signal 11")
    where = f"processId({PROCESS}), computeName({COMPUTE})"
    text = f"Server process exited without ProcessEnding (signal 11), {where}"
    assert events(stage, fleet_id) == [("SERVER_PROCESS_CRASHED", text)]


# Connections.


def test_force_is_refused_while_the_agent_is_away(stage: Stage, fleet_id: str) -> None:
    watcher, _ = agent(stage, fleet_id), free(stage, fleet_id)
    asked = {"GameSessionId": start_session(stage, fleet_id), "TerminationMode": "FORCE_TERMINATE"}
    watcher.drop()
    assert "without a connected agent" in stage.error("TerminateGameSession", **asked).message
    agent(stage, fleet_id)
    assert stage.call("TerminateGameSession", **asked)["GameSession"]["Status"] == "TERMINATING"


def test_after_a_restart_of_the_server_an_agent_is_away_until_it_is_back(stage: Stage, fleet_id: str) -> None:
    _, _ = agent(stage, fleet_id), free(stage, fleet_id)
    asked = {"GameSessionId": start_session(stage, fleet_id), "TerminationMode": "FORCE_TERMINATE"}
    stage.run(stage.app.game_servers.start())
    assert stage.error("TerminateGameSession", **asked).error_code == "InvalidRequestException"
    agent(stage, fleet_id)
    stage.call("TerminateGameSession", **asked)


def test_an_agent_gets_a_new_token_in_time_and_its_new_connection_counts(stage: Stage, fleet_id: str) -> None:
    first = agent(stage, fleet_id)
    stage.advance(REFRESH_S - 1, step=REFRESH_S - 1)
    assert first.pushes() == []
    stage.advance(1)
    (push,) = first.pushes()
    named = {"FleetId": fleet_id, "ComputeName": COMPUTE}
    compute = stage.call("DescribeCompute", **named)["Compute"]
    assert (push["Action"], push["RefreshConnectionEndpoint"]) == (
        "RefreshConnection",
        compute["GameLiftAgentEndpoint"],
    )
    assert push["ExpirationTime"] == int((stage.clock.now().timestamp() + TOKEN_S) * 1000)
    second = Peer(stage, named | {"Authorization": push["AuthToken"]}, b"/agent")
    first.drop()
    free(stage, fleet_id)
    assert [push[0] for push in told(second)] == ["NotifyProcessRegistered"]


def test_a_fleet_that_is_deleted_dismisses_its_agents(stage: Stage, fleet_id: str) -> None:
    watcher = agent(stage, fleet_id)
    stage.call("DeleteFleet", FleetId=fleet_id)
    stage.advance(5)
    assert (told(watcher), watcher.closed) == ([("StartComputeTermination",)], True)


def test_nothing_is_started_from_here_on_a_compute_of_the_users(stage: Stage, fleet_id: str) -> None:
    launch = {"LaunchPath": "/opt/game/server", "ConcurrentExecutions": 2}
    runtime = {"ServerProcesses": [launch], "MaxConcurrentGameSessionActivations": 1}
    stage.call("UpdateRuntimeConfiguration", FleetId=fleet_id, RuntimeConfiguration=runtime)
    assert process_ids(stage) == []
    watcher, _ = agent(stage, fleet_id), free(stage, fleet_id)
    exits(watcher)
    assert process_ids(stage) == []
    free(stage, fleet_id, "process-2")
    free(stage, fleet_id, "process-3", 7778)
    start_session(stage, fleet_id)
    asked = {"FleetId": fleet_id, "Location": LOCATION, "MaximumPlayerSessionCount": 2}
    assert stage.error("CreateGameSession", **asked).error_code == "FleetCapacityExceededException"
