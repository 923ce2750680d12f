"""Hosted fleets on the virtual clock: the test is the host and the game servers."""

import io
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from fleet_scenes import LAUNCH, RULE, active_fleet, counts_of, ec2_params, event_codes, new_fleet, status_of
from host_scenes import (
    be_host,
    connect,
    exit_as,
    get_ready,
    launched,
    process_doc,
    processes_in,
    real_processes,
)
from session_scenes import create, see

from apitrail.errors import SettingsError
from apitrail.host.messages import PATH_PROBLEM, Installing, Kill, RemoveFleet, RemoveInstance, Start
from apitrail.services.gamelift import process_life
from apitrail.services.gamelift.collections import HOSTS, PROCESS_LOGS, PROCESSES
from apitrail.services.gamelift.compute_tokens import find_bearer
from apitrail.services.gamelift.hosted import HOSTED_PROCESSES, pause_after
from apitrail.services.gamelift.hosted_builds import installing
from apitrail.services.gamelift.hosted_processes import take_leave
from apitrail.services.gamelift.hosted_renewal import begin_anew
from apitrail.services.gamelift.process_logs import LOGS_MAX
from apitrail.services.gamelift.processes import activate_session, process_ended
from apitrail.services.gamelift.session_logs import log_bucket, log_key
from apitrail.settings import GameLift, Hosting, Server, Settings
from apitrail.testing import Stage
from apitrail.workers.hosting import check_settings

ONE = {"ServerProcesses": [LAUNCH | {"ConcurrentExecutions": 1, "Parameters": "-port {port}"}]}


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    with Stage(tmp_path, real_processes(tmp_path)) as stage:
        yield stage


def starts(orders: list[Any]) -> list[Start]:
    return [order for order in orders if isinstance(order, Start)]


def ready_fleet(stage: Stage, **params: Any) -> tuple[str, str]:
    """Return an active fleet and its only process, which is free."""
    fleet_id = new_fleet(stage, RuntimeConfiguration=ONE, **params)
    process_id = launched(stage, fleet_id)
    be_host(stage)
    get_ready(stage, process_id)
    return fleet_id, process_id


def play_session(stage: Stage, fleet_id: str) -> dict[str, Any]:
    """Return a session that is ACTIVE."""
    session = create(stage, fleet_id)
    (process_id,) = processes_in(stage, fleet_id, "ACTIVATING")
    stage.change(lambda ctx: activate_session(ctx, process_id, session["GameSessionId"]))
    return session


def test_a_fleet_is_active_only_when_a_process_has_said_that_it_is_ready(stage: Stage) -> None:
    fleet_id = new_fleet(stage, RuntimeConfiguration=ONE)
    process_id = launched(stage, fleet_id)
    for _ in range(3):
        be_host(stage, 20)
        assert status_of(stage, fleet_id) == "ACTIVATING"
        assert counts_of(stage, fleet_id)["PENDING"] == 1
        assert counts_of(stage, fleet_id)["IDLE"] == 0
    connect(stage, process_id)
    assert status_of(stage, fleet_id) == "ACTIVATING"
    get_ready(stage, process_id)
    assert status_of(stage, fleet_id) == "ACTIVE"
    assert counts_of(stage, fleet_id) | {"DESIRED": 1} == counts_of(stage, fleet_id)
    assert (counts_of(stage, fleet_id)["ACTIVE"], counts_of(stage, fleet_id)["IDLE"]) == (1, 1)


def test_the_order_for_a_process_says_where_to_connect_with_a_token_of_its_own(stage: Stage) -> None:
    fleet_id = new_fleet(stage, RuntimeConfiguration=ONE)
    orders = [order for _ in range(15) for order in be_host(stage)]
    (start,) = starts(orders)
    token = start.environment.pop("GAMELIFT_SDK_AUTH_TOKEN")
    bearer = stage.read(lambda ctx: find_bearer(ctx.tx, token))
    assert bearer is not None and (bearer.fleet_id, bearer.compute_name) == (fleet_id, start.instance)
    assert start.environment == {
        "GAMELIFT_SDK_WEBSOCKET_URL": "ws://127.0.0.1:4580",
        "GAMELIFT_SDK_PROCESS_ID": start.process,
        "GAMELIFT_SDK_HOST_ID": start.instance,
        "GAMELIFT_SDK_FLEET_ID": fleet_id,
    }
    assert (start.path, start.parameters) == ("/local/game/server", "-port {port}")
    assert start.ports == [(RULE["FromPort"], RULE["ToPort"])]


def test_no_token_is_kept_in_the_store(stage: Stage) -> None:
    new_fleet(stage, RuntimeConfiguration=ONE)
    (start,) = starts([order for _ in range(15) for order in be_host(stage)])
    token = start.environment["GAMELIFT_SDK_AUTH_TOKEN"].encode()
    files = list(stage.data_dir.glob("journal.db*"))
    assert files and not any(token in path.read_bytes() for path in files)


def test_processes_are_started_one_after_another(stage: Stage) -> None:
    new_fleet(stage, RuntimeConfiguration={"ServerProcesses": [LAUNCH | {"ConcurrentExecutions": 3}]})
    moments = [(tick, len(starts(be_host(stage, 0.25)))) for tick in range(60)]
    ticks = [tick for tick, count in moments for _ in range(count)]
    assert len(ticks) == 3
    assert ticks[0] < ticks[1] == ticks[2] - 2


@pytest.mark.parametrize(
    ("code", "last"),
    [
        ("FLEET_BINARY_DOWNLOAD_FAILED", "DOWNLOADING"),
        ("FLEET_CREATION_FAILED_INSTALLER", "DOWNLOADING"),
        ("FLEET_INITIALIZATION_FAILED", "DOWNLOADING"),
        ("FLEET_VALIDATION_LAUNCH_PATH_NOT_FOUND", "VALIDATING"),
        ("FLEET_VALIDATION_EXECUTABLE_RUNTIME_FAILURE", "VALIDATING"),
    ],
)
def test_a_build_that_the_host_cannot_use_ends_the_creation_where_it_shows(stage: Stage, code: str, last: str) -> None:
    fleet_id = new_fleet(stage)
    for _ in range(8):
        be_host(stage, problem=code)
    assert status_of(stage, fleet_id) == "ERROR"
    codes = event_codes(stage, fleet_id)
    assert codes[-2:] == [code, "FLEET_STATE_ERROR"]
    assert [name for name in codes if name.startswith("FLEET_STATE")][-2] == f"FLEET_STATE_{last}"


def test_an_install_script_is_told_of_between_unpacking_and_validation(stage: Stage) -> None:
    fleet_id = new_fleet(stage)
    stage.advance(1)
    stage.change(lambda ctx: installing(ctx, Installing("", fleet_id)))
    assert event_codes(stage, fleet_id)[-2:] == ["FLEET_CREATION_EXTRACTING_BUILD", "FLEET_CREATION_RUNNING_INSTALLER"]
    for _ in range(4):
        be_host(stage)
    assert event_codes(stage, fleet_id).count("FLEET_CREATION_EXTRACTING_BUILD") == 1


def test_a_build_that_was_deleted_meanwhile_cannot_be_fetched(stage: Stage) -> None:
    params = ec2_params(stage)
    fleet_id = stage.call("CreateFleet", **params)["FleetAttributes"]["FleetId"]
    stage.call("DeleteBuild", BuildId=params["BuildId"])
    be_host(stage, 5)
    assert status_of(stage, fleet_id) == "ERROR"
    assert "FLEET_BINARY_DOWNLOAD_FAILED" in event_codes(stage, fleet_id)


def test_a_host_that_never_answers_lets_the_creation_time_out(stage: Stage) -> None:
    fleet_id = new_fleet(stage)
    stage.advance(1300, step=100)
    assert status_of(stage, fleet_id) == "ERROR"
    assert event_codes(stage, fleet_id)[-2:] == ["FLEET_VALIDATION_TIMED_OUT", "FLEET_STATE_ERROR"]


def test_a_fleet_of_a_script_cannot_be_run(stage: Stage) -> None:
    body = io.BytesIO()
    with zipfile.ZipFile(body, "w") as archive:
        archive.writestr("main.js", "1")
    script_id = stage.call("CreateScript", Name="s", ZipFile=body.getvalue())["Script"]["ScriptId"]
    launch = {"ServerProcesses": [{"LaunchPath": "/local/game/main.js", "ConcurrentExecutions": 1}]}
    fleet_id = new_fleet(stage, ScriptId=script_id, RuntimeConfiguration=launch)
    stage.advance(10)
    assert event_codes(stage, fleet_id)[-2:] == ["FLEET_ACTIVATION_FAILED", "FLEET_STATE_ERROR"]


def test_a_fleet_whose_processes_keep_dying_is_given_up(stage: Stage) -> None:
    fleet_id = new_fleet(stage, RuntimeConfiguration=ONE)
    launched(stage, fleet_id)
    for _ in range(4):
        be_host(stage, 10)
        exit_as(stage, processes_in(stage, fleet_id, "LAUNCHED")[0])
    be_host(stage, 1)
    assert status_of(stage, fleet_id) == "ERROR"
    assert event_codes(stage, fleet_id).count("SERVER_PROCESS_CRASHED") >= 1
    assert event_codes(stage, fleet_id)[-2:] == ["FLEET_ACTIVATION_FAILED", "FLEET_STATE_ERROR"]
    be_host(stage, 120)
    assert processes_in(stage, fleet_id, "LAUNCHED") == []


def test_a_fleet_for_whose_instances_there_is_no_room_is_given_up_in_the_end(tmp_path: Path) -> None:
    with Stage(tmp_path, real_processes(tmp_path, instances_max=1)) as stage:
        ready_fleet(stage)
        other = new_fleet(stage, Name="other")
        for _ in range(20):
            be_host(stage)
        assert status_of(stage, other) == "ACTIVATING"
        assert "GENERIC_EVENT" in event_codes(stage, other)
        stage.advance(900, step=50)
        assert "FLEET_ACTIVATION_FAILED_NO_INSTANCES" in event_codes(stage, other)
        assert status_of(stage, other) == "ERROR"


def test_no_more_processes_than_allowed_are_started_on_this_machine(tmp_path: Path) -> None:
    with Stage(tmp_path, real_processes(tmp_path, processes_max=2)) as stage:
        fleet_id = new_fleet(stage, RuntimeConfiguration={"ServerProcesses": [LAUNCH | {"ConcurrentExecutions": 5}]})
        orders = starts([order for _ in range(30) for order in be_host(stage)])
        assert len(orders) == 2
        assert "GENERIC_EVENT" in event_codes(stage, fleet_id)
        exit_as(stage, orders[0].process)
        assert len(starts([order for _ in range(15) for order in be_host(stage)])) == 1


def test_pauses_grow_up_to_a_minute() -> None:
    assert [pause_after(failures) for failures in range(9)] == [0, 1, 2, 4, 8, 16, 32, 60, 60]


def test_a_process_that_keeps_dying_is_started_less_and_less_often(stage: Stage) -> None:
    fleet_id, process_id = ready_fleet(stage)
    waited = []
    for _ in range(5):
        exit_as(stage, process_id)
        seconds = 0
        while not (found := starts(be_host(stage))):
            seconds += 1
        process_id = found[0].process
        waited.append(seconds + 1)
    assert waited == [1, 2, 4, 8, 16]
    get_ready(stage, process_id)
    stage.advance(61, step=30)
    exit_as(stage, process_id)
    assert len(starts(be_host(stage, 0.1))) == 1
    assert status_of(stage, fleet_id) == "ACTIVE"


def test_a_process_whose_program_is_missing_is_told_of(stage: Stage) -> None:
    fleet_id, process_id = ready_fleet(stage)
    exit_as(stage, process_id, "/local/game/server does not exist", PATH_PROBLEM)
    assert "SERVER_PROCESS_INVALID_PATH" in event_codes(stage, fleet_id)


def test_a_process_that_never_connects_is_killed_and_replaced(stage: Stage) -> None:
    fleet_id = new_fleet(stage, RuntimeConfiguration=ONE)
    process_id = launched(stage, fleet_id)
    be_host(stage, 2)
    orders = be_host(stage, 300)
    assert Kill(process_id) in orders
    assert "SERVER_PROCESS_SDK_INITIALIZATION_TIMEOUT" in event_codes(stage, fleet_id)
    assert processes_in(stage, fleet_id, "LAUNCHED") != [process_id]


def test_a_process_that_has_said_that_it_ends_is_waited_for_until_the_host_sees_it_exit(stage: Stage) -> None:
    fleet_id, process_id = ready_fleet(stage)
    session = play_session(stage, fleet_id)
    stage.change(lambda ctx: process_life.process_ending(ctx, process_id))
    stage.change(lambda ctx: process_life.connection_lost(ctx, process_id))
    assert see(stage, session)["Status"] == "TERMINATED"
    assert processes_in(stage, fleet_id, "ENDING") == [process_id]
    exit_as(stage, process_id, "exit code 0")
    assert "SERVER_PROCESS_CRASHED" not in event_codes(stage, fleet_id)
    assert len(starts(be_host(stage, 0.1))) == 1


def test_the_log_of_a_session_is_what_its_process_has_printed_and_named(stage: Stage) -> None:
    fleet_id, process_id = ready_fleet(stage)
    folder = stage.data_dir / "hosts" / fleet_id / process_doc(stage, process_id)["ComputeName"]
    (folder / "logs").mkdir(parents=True)
    (folder / "game").mkdir()
    (folder / "logs" / f"{process_id}.log").write_text("hello\n")
    (folder / "game" / "match.txt").write_text("2:1")
    stage.change(lambda ctx: process_life.process_activated(ctx, process_id, 9000, ["/local/game/match.txt"]))
    stage.change(lambda ctx: process_life.process_reported(ctx, process_id, healthy=True))
    session = play_session(stage, fleet_id)
    stage.change(lambda ctx: process_ended(ctx, process_id, crashed=True))
    assert stage.error("GetGameSessionLogUrl", GameSessionId=session["GameSessionId"]).error_code == "NotFoundException"
    exit_as(stage, process_id, "signal 9")
    stage.settle()
    assert stage.call("GetGameSessionLogUrl", GameSessionId=session["GameSessionId"])["PreSignedUrl"]
    key = log_key("111122223333", f"{fleet_id}/{session['GameSessionId'].rpartition('/')[2]}")
    body = stage.run(stage.bucket(log_bucket("us-west-2")).get(key))
    with zipfile.ZipFile(io.BytesIO(stage.run(body.read()))) as archive:
        assert sorted(archive.namelist()) == sorted(["session.log", f"{process_id}.log", "game/match.txt"])
        assert archive.read(f"{process_id}.log") == b"hello\n"


def print_as(stage: Stage, process_id: str, text: str) -> None:
    """Let a process have printed something."""
    doc = process_doc(stage, process_id)
    folder = stage.data_dir / "hosts" / doc["FleetId"] / doc["ComputeName"] / "logs"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{process_id}.log").write_text(text)


def event_log(stage: Stage, fleet_id: str) -> dict[str, str] | None:
    """Return the files of the log that the newest event of a process points at, or None when it points at none."""
    found = stage.call("DescribeFleetEvents", FleetId=fleet_id)["Events"]
    event = next(event for event in found if event["EventCode"].startswith("SERVER_PROCESS"))
    if "PreSignedLogUrl" not in event:
        return None
    url = urlsplit(event["PreSignedLogUrl"])
    assert len(event["PreSignedLogUrl"]) <= 1024 and "X-Amz-Expires=900" in url.query
    bucket, _, key = url.path.lstrip("/").partition("/")

    async def read() -> bytes:
        return await (await stage.bucket(bucket).get(key)).read()

    with zipfile.ZipFile(io.BytesIO(stage.run(read()))) as archive:
        return {name: archive.read(name).decode() for name in archive.namelist()}


def test_the_event_of_a_crash_points_at_what_the_process_has_printed(stage: Stage) -> None:
    fleet_id, process_id = ready_fleet(stage)
    print_as(stage, process_id, "no such library\n")
    exit_as(stage, process_id, "exit code 127")
    stage.settle()
    assert event_log(stage, fleet_id) == {
        "process.log": f"server process {process_id} has ended: exit code 127\n",
        f"{process_id}.log": "no such library\n",
    }
    stage.advance(14 * 86_400, step=86_400)
    assert event_log(stage, fleet_id) is None


def test_the_event_of_a_process_with_a_session_points_at_the_sessions_log(stage: Stage) -> None:
    fleet_id, process_id = ready_fleet(stage)
    play_session(stage, fleet_id)
    print_as(stage, process_id, "a bug\n")
    exit_as(stage, process_id, "signal 11")
    stage.settle()
    found = event_log(stage, fleet_id)
    assert found is not None and found[f"{process_id}.log"] == "a bug\n"
    assert "game session is ERROR" in found["session.log"]


def test_an_event_has_no_url_before_the_process_has_exited_and_none_when_it_has_written_nothing(stage: Stage) -> None:
    fleet_id, process_id = ready_fleet(stage)
    for _ in range(3):
        stage.change(lambda ctx: process_life.process_reported(ctx, process_id, healthy=False))
    stage.settle()
    assert event_log(stage, fleet_id) is None
    exit_as(stage, process_id, "signal 9")
    stage.settle()
    assert event_log(stage, fleet_id) is None


def test_only_the_newest_logs_of_crashing_processes_are_kept(stage: Stage) -> None:
    fleet_id, process_id = ready_fleet(stage)
    for number in range(LOGS_MAX + 2):
        print_as(stage, process_id, f"crash {number}\n")
        exit_as(stage, process_id, f"exit code {number}")
        for _ in range(100):
            be_host(stage)
            if found := [one for one in processes_in(stage, fleet_id, "LAUNCHED") if is_kept_here(stage, one)]:
                break
        (process_id,) = found
    logs = stage.read(lambda ctx: [entry.id for entry in PROCESS_LOGS(ctx).all()])
    assert len(logs) == LOGS_MAX
    found_events = stage.call("DescribeFleetEvents", FleetId=fleet_id)["Events"]
    crashes = [event for event in found_events if event["EventCode"] == "SERVER_PROCESS_CRASHED"]
    assert ["PreSignedLogUrl" in event for event in crashes] == [True] * LOGS_MAX + [False] * 2


def is_kept_here(stage: Stage, process_id: str) -> bool:
    return stage.read(lambda ctx: HOSTED_PROCESSES.at(ctx.tx).has(process_id))


def test_a_deleted_fleet_is_gone_when_its_processes_have_exited(stage: Stage) -> None:
    fleet_id, process_id = ready_fleet(stage)
    stage.call("DeleteFleet", FleetId=fleet_id)
    orders = be_host(stage, 30)
    assert status_of(stage, fleet_id) == "DELETING"
    assert Kill(process_id) not in orders
    exit_as(stage, process_id, "exit code 0")
    orders = be_host(stage, 5)
    assert status_of(stage, fleet_id) == "TERMINATED"
    assert "SERVER_PROCESS_CRASHED" not in event_codes(stage, fleet_id)
    assert RemoveFleet(fleet_id) in orders
    assert any(isinstance(order, RemoveInstance) for order in orders)


def test_a_process_that_does_not_end_with_its_fleet_is_killed_after_its_time(stage: Stage) -> None:
    fleet_id, process_id = ready_fleet(stage)
    stage.call("DeleteFleet", FleetId=fleet_id)
    for _ in range(3):
        be_host(stage, 99)
        stage.change(lambda ctx: process_life.process_reported(ctx, process_id, healthy=True))
    be_host(stage, 2)
    assert Kill(process_id) in be_host(stage, 2)
    assert event_codes(stage, fleet_id)[-1] == "SERVER_PROCESS_FORCE_TERMINATED"


def test_scale_in_lets_a_session_end_before_its_instance_goes(stage: Stage) -> None:
    fleet_id, process_id = ready_fleet(stage)
    session = play_session(stage, fleet_id)
    stage.call("UpdateFleetCapacity", FleetId=fleet_id, DesiredInstances=0, MinSize=0)
    be_host(stage, 20)
    assert see(stage, session)["Status"] == "ACTIVE"
    assert counts_of(stage, fleet_id)["TERMINATING"] == 1
    stage.change(lambda ctx: process_life.process_ending(ctx, process_id))
    exit_as(stage, process_id, "exit code 0")
    be_host(stage, 1)
    assert see(stage, session)["Status"] == "TERMINATED"
    assert counts_of(stage, fleet_id)["TERMINATING"] == 0


def test_a_new_runtime_configuration_adds_processes_and_lets_others_run_out(stage: Stage) -> None:
    fleet_id, process_id = ready_fleet(stage)
    other = {"LaunchPath": "/local/game/other", "ConcurrentExecutions": 2}
    stage.call("UpdateRuntimeConfiguration", FleetId=fleet_id, RuntimeConfiguration={"ServerProcesses": [other]})
    orders = starts(be_host(stage, 5))
    assert [order.path for order in orders] == ["/local/game/other"] * 2
    exit_as(stage, process_id)
    assert starts(be_host(stage, 70)) == []


def test_a_new_host_ends_what_ran_and_starts_it_again(stage: Stage) -> None:
    fleet_id, process_id = ready_fleet(stage)
    session = play_session(stage, fleet_id)
    stage.app.host_orders.begin()
    stage.change(begin_anew)
    assert see(stage, session)["Status"] == "ERROR"
    assert status_of(stage, fleet_id) == "ACTIVE"
    orders = [order for _ in range(4) for order in be_host(stage)]
    (start,) = starts(orders)
    assert start.process != process_id
    get_ready(stage, start.process)
    play_session(stage, fleet_id)
    assert stage.read(lambda ctx: HOSTED_PROCESSES.at(ctx.tx).count()) == 1


def test_processes_that_end_because_the_server_stops_are_neither_chosen_nor_replaced_nor_called_crashed(
    stage: Stage,
) -> None:
    fleet_id = active_fleet(stage, RuntimeConfiguration={"ServerProcesses": [LAUNCH | {"ConcurrentExecutions": 3}]})
    be_host(stage, 5)
    host, idle, late = processes_in(stage, fleet_id, "LAUNCHED")
    get_ready(stage, host)
    session = create(stage, fleet_id)
    stage.change(lambda ctx: activate_session(ctx, host, session["GameSessionId"]))
    get_ready(stage, idle)
    seen = len(event_codes(stage, fleet_id))
    assert stage.change(take_leave) == [host, idle]
    assert stage.error("CreateGameSession", FleetId=fleet_id, MaximumPlayerSessionCount=1).error_code.startswith(
        "Fleet"
    )
    exit_as(stage, idle)
    be_host(stage, 5)
    assert processes_in(stage, fleet_id, "LAUNCHED", "WAITING") == [late]
    stage.change(begin_anew)
    assert see(stage, session)["Status"] == "TERMINATED"
    assert not any(code.startswith("SERVER_PROCESS") for code in event_codes(stage, fleet_id)[seen:])
    be_host(stage, 5)
    assert len(processes_in(stage, fleet_id, "LAUNCHED")) == 3


def test_a_new_host_is_told_again_of_a_build_that_it_has_not_made(stage: Stage) -> None:
    fleet_id = new_fleet(stage, RuntimeConfiguration=ONE)
    stage.advance(3)
    stage.app.host_orders.begin()
    stage.change(begin_anew)
    process_id = launched(stage, fleet_id)
    get_ready(stage, process_id)
    assert status_of(stage, fleet_id) == "ACTIVE"


def test_a_fleet_goes_on_with_virtual_processes_when_real_ones_are_switched_off_and_back(tmp_path: Path) -> None:
    with Stage(tmp_path, real_processes(tmp_path)) as stage:
        fleet_id, _ = ready_fleet(stage)
        session = play_session(stage, fleet_id)
    with Stage(tmp_path, Settings(data=str(tmp_path)), seed=2) as stage:
        hosting = next(worker for worker in stage.app.workers if worker.name == "hosting")
        assert stage.run(hosting.tick()) is None
        assert see(stage, session)["Status"] == "ERROR"
        virtual = create(stage, fleet_id)
        stage.settle()
        assert see(stage, virtual)["Status"] == "ACTIVE"
        assert stage.app.host_orders.take() == []
    with Stage(tmp_path, real_processes(tmp_path), seed=3) as stage:
        stage.app.host_orders.begin()
        stage.change(begin_anew)
        assert see(stage, virtual)["Status"] == "ERROR"
        assert len(starts([order for _ in range(4) for order in be_host(stage)])) == 1


def test_without_the_setting_no_fleet_is_hosted(tmp_path: Path) -> None:
    with Stage(tmp_path) as stage:
        fleet_id = active_fleet(stage)
        assert all(entry.doc["Virtual"] for entry in stage.read(lambda ctx: PROCESSES(ctx).all()))
        assert not any("SetUp" in entry.doc for entry in stage.read(lambda ctx: HOSTS(ctx).all()))
        assert be_host(stage) == []
        assert status_of(stage, fleet_id) == "ACTIVE"


@pytest.mark.parametrize("host", ["0.0.0.0", "192.0.2.1", "games.example.com", "::"])
def test_real_processes_are_refused_where_others_can_reach_the_server(host: str) -> None:
    with pytest.raises(SettingsError, match="loopback"):
        check_settings(Settings(server=Server(host=host), gamelift=GameLift(run_processes=True)))


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.8.8", "::1", "localhost"])
def test_real_processes_run_on_loopback(host: str) -> None:
    check_settings(Settings(server=Server(host=host), gamelift=GameLift(run_processes=True)))


def test_a_user_that_does_not_exist_is_refused_by_root(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 0)
    hosting = Hosting(user="nobody-of-that-name")
    with pytest.raises(SettingsError, match="there is no user"):
        check_settings(Settings(gamelift=GameLift(run_processes=True), hosting=hosting))
