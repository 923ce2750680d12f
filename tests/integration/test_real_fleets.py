"""Managed fleets that run real game servers: from `aws gamelift upload-build` to a session's log, and kill -9 of everybody."""

import io
import os
import signal
import socket
import sys
import time
import urllib.request
import zipfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from conftest import Running

from apitrail.host.strays import MARK

EXAMPLE = Path(__file__).parents[2] / "examples" / "game_server.py"
SOON_S = 60.0
STOP_S = 10.0
SOAK = bool(os.environ.get("APITRAIL_SOAK"))
SETTINGS = {
    "APITRAIL_GAMELIFT_RUN_PROCESSES": "true",
    "APITRAIL_GAMELIFT_DELAY_SCALE": "0",
    "APITRAIL_HOSTING_TERMINATE_GRACE_S": "2",
    "APITRAIL_HOSTING_STOP_GRACE_S": "1.5",
    "APITRAIL_HOSTING_INSTANCES_MAX": "40",
    "A_SECRET": "of the server",
}
LAUNCHER = f"""#!/bin/sh
echo "variables: $(env | sort | tr '\\n' ' ')"
(setsid sleep 1000 &)
exec env "$@" {sys.executable} -u "${{0%/*}}/game_server.py"
"""
RULES = [{"FromPort": 20000, "ToPort": 20100, "IpRange": "0.0.0.0/0", "Protocol": "TCP"}]


def until(ask: Callable[[], Any]) -> Any:
    """Return the first true answer."""
    end = time.monotonic() + SOON_S
    while time.monotonic() < end:
        if answer := ask():
            return answer
        time.sleep(0.05)
    raise AssertionError("it did not happen in time")


def environments() -> Iterator[tuple[int, dict[str, str]]]:
    """Yield pid and variables of all that runs for any host."""
    for folder in Path("/proc").iterdir():
        with suppress(OSError, ValueError):
            said = (folder / "environ").read_bytes().decode(errors="replace").split("\0")
            variables = dict(pair.split("=", 1) for pair in said if "=" in pair)
            if MARK in variables:
                yield int(folder.name), variables


def hosts_of(server: Running) -> list[int]:
    """Return the pids of a server's host: of its keeper, then of its supervisor."""
    assert server.process is not None
    found: list[tuple[int, int]] = []
    for folder in Path("/proc").iterdir():
        with suppress(OSError, ValueError):
            if b"apitrail.host" in (folder / "cmdline").read_bytes().split(b"\0"):
                found.append((int(folder.name), int((folder / "stat").read_text().rpartition(")")[2].split()[1])))
    keepers = [pid for pid, parent in found if parent == server.process.pid]
    return keepers + [pid for pid, parent in found if parent in keepers]


class Arena:
    """A managed fleet of a build, and what the API says of it."""

    def __init__(self, server: Running, build_id: str, *parameters: str, count: int = 1, **more: Any) -> None:
        self.server = server
        self.api = server.client("gamelift")
        launch = {
            "LaunchPath": "/local/game/bin/server",
            "Parameters": " ".join(("GAME_PORT={port}", *parameters)),
            "ConcurrentExecutions": count,
            **more,
        }
        self.fleet_id = self.api.create_fleet(
            Name="arena",
            BuildId=build_id,
            EC2InstanceType="c5.large",
            RuntimeConfiguration={"ServerProcesses": [launch]},
            EC2InboundPermissions=RULES,
        )["FleetAttributes"]["FleetId"]

    def status(self) -> str:
        found = self.api.describe_fleet_attributes(FleetIds=[self.fleet_id])["FleetAttributes"]
        return str(found[0]["Status"]) if found else "gone"

    def codes(self) -> list[str]:
        """Return the codes of the fleet's events, oldest first."""
        return [event["EventCode"] for event in self.events()]

    def events(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.api.describe_fleet_events(FleetId=self.fleet_id)["Events"][::-1]
        return found

    def active(self) -> "Arena":
        until(lambda: self.status() == "ACTIVE")
        return self

    def processes(self) -> dict[int, dict[str, str]]:
        """Return whatever runs for this fleet."""
        return {pid: found for pid, found in environments() if found.get("GAMELIFT_SDK_FLEET_ID") == self.fleet_id}

    def leaders(self) -> list[int]:
        """Return the game servers themselves."""
        return [pid for pid in self.processes() if self._is_game(pid)]

    def _is_game(self, pid: int) -> bool:
        with suppress(OSError):  # it may have gone since it was found
            return os.getpgid(pid) == pid and b"game_server.py" in Path(f"/proc/{pid}/cmdline").read_bytes()
        return False

    def session(self) -> str:
        """Create a game session as soon as a process is free, and return its id."""

        def create() -> str:
            with suppress(self.api.exceptions.FleetCapacityExceededException):
                asked = {"FleetId": self.fleet_id, "MaximumPlayerSessionCount": 4}
                return str(self.api.create_game_session(**asked)["GameSession"]["GameSessionId"])
            return ""

        return str(until(create))

    def see(self, session_id: str) -> dict[str, Any]:
        found: dict[str, Any] = self.api.describe_game_sessions(GameSessionId=session_id)["GameSessions"][0]
        return found

    def player(self, player_session_id: str) -> dict[str, Any]:
        found: list[dict[str, Any]] = self.api.describe_player_sessions(PlayerSessionId=player_session_id)[
            "PlayerSessions"
        ]
        return found[0]

    def has_status(self, session_id: str, status: str) -> Callable[[], bool]:
        return lambda: bool(self.see(session_id)["Status"] == status)

    def log(self, session_id: str) -> dict[str, str]:
        """Return the files of a session's log, by name."""

        def fetch() -> dict[str, str]:
            try:
                url = self.api.get_game_session_log_url(GameSessionId=session_id)["PreSignedUrl"]
            except self.api.exceptions.NotFoundException:
                return {}
            return files_at(url)

        found: dict[str, str] = until(fetch)
        return found

    def crash_log(self) -> dict[str, str]:
        """Return the files of the log that the event of a crash points at, as soon as there is one."""
        return files_at(until(lambda: next(crashes_of(self), "")))


def crashes_of(arena: Arena) -> Iterator[str]:
    """Yield the URL of the log of each crash that has one."""
    return (str(event["PreSignedLogUrl"]) for event in arena.events() if "PreSignedLogUrl" in event)


def files_at(url: str) -> dict[str, str]:
    """Return the files of a zip, by name."""
    with zipfile.ZipFile(io.BytesIO(urllib.request.urlopen(url).read())) as archive:
        return {name: archive.read(name).decode() for name in archive.namelist()}


def upload(server: Running, folder: Path, **files: str) -> str:
    """Upload a build with the real AWS CLI and return its id when it is READY."""
    root = folder / "build"
    (root / "bin").mkdir(parents=True)
    (root / "bin" / "game_server.py").write_bytes(EXAMPLE.read_bytes())
    for name, text in {"bin/server": LAUNCHER, **files}.items():
        (root / name).write_text(text)
        (root / name).chmod(0o755)
    words = ("--operating-system", "AMAZON_LINUX_2023", "--server-sdk-version", "5.2.0", "--name", "arena")
    said = server.aws("gamelift", "upload-build", *words, "--build-version", "1", "--build-root", str(root))
    build_id = str(said).rpartition("Build ID: ")[2].strip()
    api = server.client("gamelift")
    until(lambda: api.describe_build(BuildId=build_id)["Build"]["Status"] == "READY")
    return build_id


@pytest.fixture(scope="module")
def hosting(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    running = Running(tmp_path_factory.mktemp("hosting") / "data", settings=SETTINGS).start()
    yield running
    hosts = hosts_of(running)
    running.kill()
    until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in hosts))


@pytest.fixture(scope="module")
def build_id(hosting: Running, tmp_path_factory: pytest.TempPathFactory) -> str:
    return upload(hosting, tmp_path_factory.mktemp("build"), **{"install.sh": "echo installed > done.txt\n"})


def test_a_session_is_played_on_a_fleet_of_an_uploaded_build(hosting: Running, build_id: str) -> None:
    arena = Arena(hosting, build_id, count=2).active()
    codes = arena.codes()
    assert [code for code in codes if code.startswith("FLEET_")] == [
        "FLEET_CREATED",
        "FLEET_STATE_DOWNLOADING",
        "FLEET_CREATION_EXTRACTING_BUILD",
        "FLEET_CREATION_RUNNING_INSTALLER",
        "FLEET_CREATION_COMPLETED_INSTALLER",
        "FLEET_STATE_VALIDATING",
        "FLEET_CREATION_VALIDATING_RUNTIME_CONFIG",
        "FLEET_STATE_BUILDING",
        "FLEET_STATE_ACTIVATING",
        "FLEET_STATE_ACTIVE",
    ]
    session_id = arena.session()
    until(arena.has_status(session_id, "ACTIVE"))
    player = arena.api.create_player_session(GameSessionId=session_id, PlayerId="ana")["PlayerSession"]
    assert 20000 <= player["Port"] <= 20100
    with socket.create_connection((player["IpAddress"], player["Port"]), timeout=20) as play:
        play.sendall(player["PlayerSessionId"].encode() + b"\n")
        until(lambda: arena.player(player["PlayerSessionId"])["Status"] == "ACTIVE")
        assert arena.see(session_id)["CurrentPlayerSessionCount"] == 1
    until(arena.has_status(session_id, "TERMINATED"))
    assert arena.player(player["PlayerSessionId"])["Status"] == "COMPLETED"
    log = arena.log(session_id)
    assert "game session is TERMINATED" in log["session.log"]
    (printed,) = (text for name, text in log.items() if name != "session.log")
    variables = printed.partition("variables: ")[2].splitlines()[0]
    assert "GAMELIFT_SDK_AUTH_TOKEN=" in variables and "A_SECRET" not in variables
    assert "SERVER_PROCESS_CRASHED" not in arena.codes()
    until(lambda: len(arena.leaders()) == 2)
    end(arena)


def end(arena: Arena) -> None:
    """Delete a fleet; its processes end, and its folders go."""
    arena.api.delete_fleet(FleetId=arena.fleet_id)
    until(lambda: arena.status() in ("TERMINATED", "gone"))
    until(lambda: not arena.processes())
    until(lambda: not (arena.server.data / "hosts" / arena.fleet_id).exists())


@pytest.mark.parametrize("stage", ["READY", "ACTIVATING", "ACTIVE"])
def test_a_killed_game_server_is_replaced_and_its_session_ends_in_error(
    hosting: Running, build_id: str, stage: str
) -> None:
    arena = Arena(hosting, build_id, *(("GAME_LOAD_S=60",) if stage == "ACTIVATING" else ())).active()
    session_id = "" if stage == "READY" else arena.session()
    if session_id:
        until(arena.has_status(session_id, stage))
    before = arena.processes()
    os.kill(arena.leaders()[0], signal.SIGKILL)
    until(lambda: "SERVER_PROCESS_CRASHED" in arena.codes())
    assert any("(signal 9)" in event["Message"] for event in arena.events())
    if session_id:
        until(arena.has_status(session_id, "ERROR"))
        assert "variables: " in "".join(arena.log(session_id).values())
    assert "variables: " in "".join(arena.crash_log().values())
    until(lambda: not set(before) & set(arena.processes()))
    until(lambda: len(arena.leaders()) == 1)
    end(arena)


@pytest.mark.parametrize("victim", ["keeper", "supervisor"] if SOAK else ["keeper"])
def test_a_killed_host_takes_its_game_servers_along_and_a_new_one_starts_them_again(
    hosting: Running, build_id: str, victim: str
) -> None:
    arena = Arena(hosting, build_id).active()
    session_id = arena.session()
    until(arena.has_status(session_id, "ACTIVE"))
    before, hosts = arena.processes(), hosts_of(hosting)
    os.kill(hosts[("keeper", "supervisor").index(victim)], signal.SIGKILL)
    until(arena.has_status(session_id, "ERROR"))
    until(lambda: not set(before) & set(arena.processes()))
    until(arena.has_status(arena.session(), "ACTIVE"))
    assert not set(hosts) & set(hosts_of(hosting))
    end(arena)


def test_the_death_of_the_server_leaves_no_game_server_and_its_restart_starts_new_ones(
    make_server: Callable[..., Running], tmp_path: Path
) -> None:
    server = make_server(settings=SETTINGS)
    arena = Arena(server, upload(server, tmp_path)).active()
    session_id = arena.session()
    until(arena.has_status(session_id, "ACTIVE"))
    hosts = hosts_of(server)
    server.kill()
    until(lambda: not arena.processes())
    until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in hosts))
    arena.server = server.start()
    arena.api = server.client("gamelift")
    until(arena.has_status(session_id, "ERROR"))
    until(arena.has_status(arena.session(), "ACTIVE"))
    assert server.stop() == 0
    assert not arena.processes()


def test_a_server_that_is_stopped_lets_its_game_servers_say_goodbye(
    make_server: Callable[..., Running], tmp_path: Path
) -> None:
    server = make_server(settings=SETTINGS)
    build_id = upload(server, tmp_path)
    polite, stubborn = Arena(server, build_id).active(), Arena(server, build_id, "GAME_EXIT_S=60").active()
    sessions = [arena.session() for arena in (polite, stubborn)]
    for arena, session_id in zip((polite, stubborn), sessions, strict=True):
        until(arena.has_status(session_id, "ACTIVE"))
    began = time.monotonic()
    assert server.stop() == 0
    assert time.monotonic() - began < STOP_S
    assert not polite.processes() and not stubborn.processes()
    server.start()
    for arena, session_id in zip((polite, stubborn), sessions, strict=True):
        arena.api = server.client("gamelift")
        assert arena.see(session_id)["Status"] == "TERMINATED"
        until(lambda arena=arena: len(arena.leaders()) == 1)
        assert "SERVER_PROCESS_CRASHED" not in arena.codes()
    assert "ending" in "".join(polite.log(sessions[0]).values())


@pytest.mark.parametrize(
    ("files", "path", "code"),
    [
        ({"install.sh": "echo out of luck; exit 3\n"}, "/local/game/bin/server", "FLEET_CREATION_FAILED_INSTALLER"),
        ({}, "/local/game/bin/other", "FLEET_VALIDATION_LAUNCH_PATH_NOT_FOUND"),
        ({"bin/odd": "MZ\0"}, "/local/game/bin/odd", "FLEET_VALIDATION_EXECUTABLE_RUNTIME_FAILURE"),
    ][: 3 if SOAK else 1],
)
def test_a_build_that_cannot_be_used_ends_the_fleets_creation(
    hosting: Running, tmp_path: Path, files: dict[str, str], path: str, code: str
) -> None:
    arena = Arena(hosting, upload(hosting, tmp_path, **files), LaunchPath=path)
    until(lambda: arena.status() == "ERROR")
    assert arena.codes()[-2:] == [code, "FLEET_STATE_ERROR"]
    end(arena)


def test_nothing_is_executed_unless_it_is_switched_on(make_server: Callable[..., Running], tmp_path: Path) -> None:
    server = make_server(settings={"APITRAIL_GAMELIFT_DELAY_SCALE": "0"})
    arena = Arena(server, upload(server, tmp_path)).active()
    until(arena.has_status(arena.session(), "ACTIVE"))
    assert not hosts_of(server)
    assert not arena.processes()
    assert not (server.data / "hosts").exists()
