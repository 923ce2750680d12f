"""The life of real server processes: deadlines, health, lost connections, and what a host says of them."""

from collections.abc import Callable
from typing import Any

import pytest
from fleet_scenes import active_fleet, event_codes
from session_scenes import create, join, see, see_player

from apitrail.errors import ServiceError
from apitrail.services.context import Context
from apitrail.services.gamelift import process_life
from apitrail.services.gamelift.collections import HOSTS, PROCESSES
from apitrail.services.gamelift.process_life import PROCESSES_MAX
from apitrail.services.gamelift.sdk_admission import all_start_anew, real_processes
from apitrail.testing import Stage
from peers import COMPUTE, LOCATION, Closed, Peer, anywhere_compute, connected, free

BEAT_S = 60.0


def state(stage: Stage, process_id: str = "process-1") -> str:
    """Return the state of a process; empty when it is gone."""
    found = stage.read(lambda ctx: PROCESSES(ctx).get(process_id))
    return "" if found is None else str(found["State"])


def counts(stage: Stage, fleet_id: str) -> dict[str, int]:
    """Return the processes of the compute by state, those that there are."""
    host = stage.read(lambda ctx: HOSTS(ctx).get(f"{fleet_id}/{COMPUTE}"))
    assert host is not None
    return {name: count for name, count in host["Counts"].items() if count}


def session_on(stage: Stage, fleet_id: str, peer: Peer) -> dict[str, Any]:
    """Return an active game session on the only free process."""
    session = create(stage, fleet_id, Location=LOCATION)
    assert [push["Action"] for push in peer.pushes()] == ["CreateGameSession"]
    peer.ok("ActivateGameSession", GameSessionId=session["GameSessionId"])
    return session


def beat(stage: Stage, peer: Peer, minutes: int, healthy: bool = True) -> None:
    """Let time pass with a heartbeat each minute."""
    for _ in range(minutes):
        stage.advance(BEAT_S, step=BEAT_S)
        peer.ask("HeartbeatServerProcess", HealthStatus=healthy)


def full(stage: Stage, fleet_id: str) -> bool:
    """Return whether no process of the fleet is free."""
    try:
        stage.call("CreateGameSession", FleetId=fleet_id, Location=LOCATION, MaximumPlayerSessionCount=2)
    except ServiceError as error:
        assert error.error_code == "FleetCapacityExceededException"
        return True
    return False


def test_a_process_is_chosen_after_its_first_heartbeat_or_a_quarter_of_a_second(stage: Stage) -> None:
    fleet_id = anywhere_compute(stage)
    peer = connected(stage, fleet_id)
    assert (state(stage), full(stage, fleet_id)) == ("CONNECTED", True)
    peer.ok("ActivateServerProcess", Port=7777)
    assert (state(stage), full(stage, fleet_id)) == ("WAITING", True)
    stage.advance(0.25, step=0.25)
    assert state(stage) == "READY"
    other = connected(stage, fleet_id, "process-2")
    other.ok("ActivateServerProcess", Port=7778)
    other.ok("HeartbeatServerProcess", HealthStatus=True)
    assert counts(stage, fleet_id) == {"READY": 2}
    assert not full(stage, fleet_id)


def test_a_process_that_is_never_ready_is_given_up_after_five_minutes(stage: Stage) -> None:
    fleet_id = anywhere_compute(stage)
    peer = connected(stage, fleet_id)
    stage.advance(299, step=299)
    assert state(stage) == "CONNECTED"
    stage.advance(1)
    peer.pushes()
    assert (state(stage), peer.closed, counts(stage, fleet_id)) == ("", True, {})
    assert "SERVER_PROCESS_PROCESS_READY_TIMEOUT" in event_codes(stage, fleet_id)


def test_three_missing_heartbeats_end_a_process_and_its_session_in_error(stage: Stage) -> None:
    fleet_id = anywhere_compute(stage)
    peer = free(stage, fleet_id)
    session = session_on(stage, fleet_id, peer)
    player = join(stage, session)
    peer.ok("AcceptPlayerSession", GameSessionId=session["GameSessionId"], PlayerSessionId=player["PlayerSessionId"])
    beat(stage, peer, 4)
    stage.advance(189, step=189)
    assert state(stage) == "HOSTING"
    stage.advance(1)
    assert (state(stage), see(stage, session)["Status"]) == ("", "ERROR")
    assert see_player(stage, player)["Status"] == "COMPLETED"
    assert "SERVER_PROCESS_TERMINATED_UNHEALTHY" in event_codes(stage, fleet_id)


def test_an_unhealthy_process_is_not_chosen_and_the_third_bad_report_ends_it(stage: Stage) -> None:
    fleet_id = anywhere_compute(stage)
    peer = free(stage, fleet_id)
    for healthy, expected in ((False, "WAITING"), (False, "WAITING"), (True, "READY"), (False, "WAITING")):
        peer.ok("HeartbeatServerProcess", HealthStatus=healthy)
        assert state(stage) == expected
    assert full(stage, fleet_id)
    peer.ok("HeartbeatServerProcess", HealthStatus=False)
    with pytest.raises(Closed):
        peer.ask("HeartbeatServerProcess", HealthStatus=False)
    assert state(stage) == ""
    assert event_codes(stage, fleet_id)[-1] == "SERVER_PROCESS_TERMINATED_UNHEALTHY"


def test_a_process_that_comes_back_within_five_minutes_goes_on(stage: Stage) -> None:
    fleet_id = anywhere_compute(stage)
    peer = free(stage, fleet_id)
    session = session_on(stage, fleet_id, peer)
    peer.drop()
    stage.advance(290, step=10)
    again = connected(stage, fleet_id)
    assert again.pushes() == []
    beat(stage, again, 6)
    assert (state(stage), see(stage, session)["Status"]) == ("HOSTING", "ACTIVE")


@pytest.mark.parametrize("with_session", [False, True])
def test_a_process_that_does_not_come_back_has_crashed(stage: Stage, with_session: bool) -> None:
    fleet_id = anywhere_compute(stage)
    peer = free(stage, fleet_id)
    session = session_on(stage, fleet_id, peer) if with_session else None
    peer.drop()
    assert state(stage) == ("HOSTING" if with_session else "WAITING")
    assert full(stage, fleet_id)
    stage.advance(300, step=100)
    assert (state(stage), counts(stage, fleet_id)) == ("", {})
    assert event_codes(stage, fleet_id).count("SERVER_PROCESS_CRASHED") == 1
    if session is not None:
        assert see(stage, session)["Status"] == "ERROR"


def test_a_free_process_that_lost_its_connection_is_free_again_when_it_is_back(stage: Stage) -> None:
    fleet_id = anywhere_compute(stage)
    free(stage, fleet_id).drop()
    assert full(stage, fleet_id)
    connected(stage, fleet_id)
    assert (state(stage), full(stage, fleet_id)) == ("READY", False)


def test_what_a_process_is_told_while_it_is_away_waits_for_it(stage: Stage) -> None:
    fleet_id = anywhere_compute(stage)
    peer = free(stage, fleet_id)
    session = session_on(stage, fleet_id, peer)
    peer.drop()
    ask = {"GameSessionId": session["GameSessionId"], "TerminationMode": "TRIGGER_ON_PROCESS_TERMINATE"}
    stage.call("TerminateGameSession", **ask)
    again = connected(stage, fleet_id)
    assert [push["Action"] for push in again.pushes()] == ["TerminateProcess"]
    again.drop()
    assert connected(stage, fleet_id).pushes() == []


def test_a_process_that_says_it_is_ending_ends_its_session_at_once(stage: Stage) -> None:
    fleet_id = anywhere_compute(stage)
    peer = free(stage, fleet_id)
    session = session_on(stage, fleet_id, peer)
    peer.ok("TerminateServerProcess")
    peer.ok("TerminateServerProcess")
    assert (state(stage), see(stage, session)["Status"]) == ("ENDING", "TERMINATED")
    assert peer.ask("ActivateServerProcess", Port=1)["StatusCode"] == 400
    peer.ok("HeartbeatServerProcess", HealthStatus=True)
    peer.drop()
    assert (state(stage), counts(stage, fleet_id)) == ("", {})
    assert not any(code.startswith("SERVER_PROCESS") for code in event_codes(stage, fleet_id))


def test_a_process_that_does_not_exit_after_ending_is_noted(stage: Stage) -> None:
    fleet_id = anywhere_compute(stage)
    peer = free(stage, fleet_id)
    peer.ok("TerminateServerProcess")
    stage.advance(30, step=10)
    peer.pushes()
    assert (state(stage), peer.closed) == ("", True)
    assert "SERVER_PROCESS_PROCESS_EXIT_TIMEOUT" in event_codes(stage, fleet_id)


def test_a_new_process_with_the_same_id_ends_the_session_of_the_one_before(stage: Stage) -> None:
    fleet_id = anywhere_compute(stage)
    peer = free(stage, fleet_id)
    session = session_on(stage, fleet_id, peer)
    peer.drop()
    again = connected(stage, fleet_id)
    again.ok("ActivateServerProcess", Port=8888)
    again.ok("HeartbeatServerProcess", HealthStatus=True)
    assert see(stage, session)["Status"] == "ERROR"
    assert event_codes(stage, fleet_id)[-1] == "SERVER_PROCESS_CRASHED"
    assert counts(stage, fleet_id) == {"READY": 1}
    assert see(stage, session_on(stage, fleet_id, again))["Port"] == 8888


def test_readiness_that_is_said_twice_changes_the_port_only(stage: Stage) -> None:
    fleet_id = anywhere_compute(stage)
    peer = free(stage, fleet_id)
    peer.ok("ActivateServerProcess", Port=8001)
    peer.ok("HeartbeatServerProcess", HealthStatus=True)
    assert counts(stage, fleet_id) == {"READY": 1}
    assert create(stage, fleet_id, Location=LOCATION)["Port"] == 8001


def test_after_a_restart_of_the_server_every_deadline_starts_anew(stage: Stage) -> None:
    fleet_id = anywhere_compute(stage)
    peer = free(stage, fleet_id)
    session = session_on(stage, fleet_id, peer)
    stage.change(lambda ctx: process_life.expect_process(ctx, fleet_id, COMPUTE, "process-2"))
    peer.drop()
    stage.advance(299, step=299)
    stage.change(lambda ctx: all_start_anew(ctx, [found[2] for found in real_processes(ctx.tx)]))
    stage.advance(299, step=299)
    assert (state(stage), state(stage, "process-2")) == ("HOSTING", "LAUNCHED")
    connected(stage, fleet_id)
    stage.advance(1)
    assert see(stage, session)["Status"] == "ACTIVE"
    assert state(stage, "process-2") == ""
    assert "SERVER_PROCESS_SDK_INITIALIZATION_TIMEOUT" in event_codes(stage, fleet_id)


def test_a_host_starts_a_process_and_sees_it_exit(stage: Stage) -> None:
    fleet_id = active_fleet(stage)
    instance = stage.call("DescribeInstances", FleetId=fleet_id)["Instances"][0]["InstanceId"]
    entry = "/local/game/server -port 7"

    def expect(ctx: Context) -> dict[str, Any]:
        return process_life.expect_process(ctx, fleet_id, instance, "process-1", entry=entry)

    assert stage.change(expect)["State"] == "LAUNCHED"
    with pytest.raises(ServiceError, match="is there already"):
        stage.change(expect)
    connected(stage, fleet_id, compute=instance)
    assert state(stage) == "CONNECTED"
    stage.change(lambda ctx: process_life.process_exited(ctx, "process-1"))
    stage.change(lambda ctx: process_life.process_exited(ctx, "process-1"))
    event = stage.call("DescribeFleetEvents", FleetId=fleet_id)["Events"][0]
    assert event["EventCode"] == "SERVER_PROCESS_CRASHED"
    assert event["Message"].endswith(f", launchPath(/local/game/server), arguments(-port 7), instanceId({instance})")
    stage.change(expect)
    stage.change(lambda ctx: process_life.process_exited(ctx, "process-1", path_missing=True))
    assert event_codes(stage, fleet_id)[-1] == "SERVER_PROCESS_INVALID_PATH"


def test_a_process_that_was_ending_has_not_crashed_when_its_host_sees_it_exit(stage: Stage) -> None:
    fleet_id = anywhere_compute(stage)
    free(stage, fleet_id).ok("TerminateServerProcess")
    stage.change(lambda ctx: process_life.process_exited(ctx, "process-1"))
    assert (state(stage), "SERVER_PROCESS_CRASHED" in event_codes(stage, fleet_id)) == ("", False)


@pytest.mark.parametrize("what", [process_life.expect_process, process_life.process_connected])
def test_a_host_has_at_most_fifty_processes(stage: Stage, what: Callable[..., Any]) -> None:
    fleet_id = anywhere_compute(stage)

    def fill(ctx: Context) -> None:
        for number in range(PROCESSES_MAX):
            what(ctx, fleet_id, COMPUTE, f"process-{number}")

    stage.change(fill)
    with pytest.raises(ServiceError, match="the most that it may have"):
        stage.change(lambda ctx: what(ctx, fleet_id, COMPUTE, "one-more"))
    with pytest.raises(ServiceError, match="has no compute"):
        stage.change(lambda ctx: what(ctx, fleet_id, "desk-none", "one-more"))


def test_a_new_connection_comes_before_the_old_token_ends(stage: Stage) -> None:
    fleet_id = anywhere_compute(stage)
    peer = free(stage, fleet_id)
    beat(stage, peer, 165)
    (push,) = peer.pushes()
    assert (push["Action"], push["RefreshConnectionEndpoint"]) == ("RefreshConnection", "ws://127.0.0.1:4580")
    url = {"pID": "process-1", "FleetId": fleet_id, "ComputeId": COMPUTE, "Authorization": push["AuthToken"]}
    newest = Peer(stage, url)
    peer.ok("HeartbeatServerProcess", HealthStatus=True)
    session = create(stage, fleet_id, Location=LOCATION)
    assert peer.pushes() == []
    assert [push["GameSessionId"] for push in newest.pushes()] == [session["GameSessionId"]]
    peer.drop()
    assert state(stage) == "ACTIVATING"
    newest.ok("ActivateGameSession", GameSessionId=session["GameSessionId"])
    newest.drop()
    stage.advance(300, step=100)
    assert see(stage, session)["Status"] == "ERROR"
