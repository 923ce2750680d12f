"""Game servers as real processes against a real server: the whole loop, kill -9 at every stage, a restart of the server."""

import os
import queue
import signal
import socket
import ssl
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError
from conftest import Running
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

EXAMPLE = Path(__file__).parents[2] / "examples" / "game_server.py"
AGENT = EXAMPLE.with_name("agent.py")
LOCATION = "custom-desk"
LINE_S = 60.0
SOON_S = 30.0
RECONNECT_S = 300


def until(ask: Callable[[], Any]) -> Any:
    """Return the first true answer."""
    end = time.monotonic() + SOON_S
    while time.monotonic() < end:
        if answer := ask():
            return answer
        time.sleep(0.05)
    raise AssertionError("it did not happen in time")


class GameProcess:
    """The example as a process of its own. line: waits for what it prints."""

    def __init__(self, environ: dict[str, str], program: Path = EXAMPLE) -> None:
        self.process = subprocess.Popen(
            [sys.executable, str(program)], env=environ, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        self._lines: queue.Queue[str] = queue.Queue()
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for text in self.process.stdout:
            self._lines.put(text.strip())

    def line(self, beginning: str) -> str:
        """Return the next line that begins so."""
        while True:
            try:
                text = self._lines.get(timeout=LINE_S)
            except queue.Empty as error:
                raise AssertionError(f"{beginning!r} was not said; exit code {self.process.poll()}") from error
            if text.startswith(beginning):
                return text

    def kill(self) -> None:
        """kill -9."""
        self.process.kill()
        self.process.wait()


class Desk:
    """An Anywhere fleet with one compute, its game processes, and what the API says of them."""

    def __init__(self, server: Running) -> None:
        self.server = server
        self.api = server.client("gamelift")
        with suppress(self.api.exceptions.ConflictException):
            self.api.create_location(LocationName=LOCATION)
        fleet = self.api.create_fleet(Name="desk", ComputeType="ANYWHERE", Locations=[{"Location": LOCATION}])
        self.fleet_id = fleet["FleetAttributes"]["FleetId"]
        until(lambda: self.fleet()["Status"] == "ACTIVE")
        named = {"FleetId": self.fleet_id, "ComputeName": "pc"}
        self.compute = self.api.register_compute(**named, Location=LOCATION, IpAddress="127.0.0.1")["Compute"]
        self.token = self.api.get_compute_auth_token(**named)["AuthToken"]
        self.processes: list[GameProcess] = []

    def fleet(self) -> dict[str, Any]:
        found: dict[str, Any] = self.api.describe_fleet_attributes(FleetIds=[self.fleet_id])["FleetAttributes"][0]
        return found

    def start(self, program: Path = EXAMPLE, **variables: str) -> GameProcess:
        """Start a game server, or an agent; variables come on top of what an SDK needs, an empty one is left out."""
        named = {
            "PATH": os.environ["PATH"],
            "GAMELIFT_SDK_WEBSOCKET_URL": self.compute["GameLiftServiceSdkEndpoint"],
            "GAMELIFT_SDK_AUTH_TOKEN": self.token,
            "GAMELIFT_SDK_FLEET_ID": self.fleet_id,
            "GAMELIFT_SDK_HOST_ID": "pc",
            **variables,
        }
        process = GameProcess({name: value for name, value in named.items() if value}, program)
        self.processes.append(process)
        return process

    def session(self) -> str:
        """Create a game session as soon as a process is free, and return its id."""
        asked = {"FleetId": self.fleet_id, "Location": LOCATION, "MaximumPlayerSessionCount": 4}

        def create() -> str:
            with suppress(self.api.exceptions.FleetCapacityExceededException):
                return str(self.api.create_game_session(**asked)["GameSession"]["GameSessionId"])
            return ""

        return str(until(create))

    def status(self, session_id: str) -> str:
        return str(self.api.describe_game_sessions(GameSessionId=session_id)["GameSessions"][0]["Status"])

    def codes(self) -> list[str]:
        return [event["EventCode"] for event in self.api.describe_fleet_events(FleetId=self.fleet_id)["Events"]]

    def skip(self, seconds: int) -> None:
        """Set the server's clock forward."""
        body = b'{"advance_s": %d}' % seconds
        request = urllib.request.Request(self.server.endpoint + "/_apitrail/clock", body, method="POST")
        urllib.request.urlopen(request).close()


@pytest.fixture(scope="module")
def games(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A `dev` server whose clock these tests set forward; it checks signatures, but not their times."""
    running = Running(tmp_path_factory.mktemp("games") / "data", "--fast", verb="dev").start()
    yield running
    running.kill()


@pytest.fixture
def desk(games: Running) -> Iterator[Desk]:
    made = Desk(games)
    yield made
    for process in made.processes:
        process.kill()


def play(port: int, player_session_id: str, *lines: str) -> list[str]:
    """Play as a player and return what the game says."""
    with socket.create_connection(("127.0.0.1", port), 10) as player, player.makefile("rw") as stream:
        found = []
        for text in (player_session_id, *lines):
            stream.write(text + "\n")
            stream.flush()
            found.append(stream.readline().strip())
        return found


def test_a_session_is_played_from_its_creation_to_its_end(desk: Desk) -> None:
    process = desk.start()
    port = int(process.line("ready on port").rpartition(" ")[2])
    session_id = desk.session()
    process.line("hosting")
    found = until(lambda: desk.status(session_id) == "ACTIVE") and desk.api.create_player_session(
        GameSessionId=session_id, PlayerId="ana"
    )
    player = found["PlayerSession"]
    assert (player["Port"], player["IpAddress"], player["DnsName"]) == (port, "127.0.0.1", "localhost")
    assert play(port, "psess-none")[0].startswith("not let in: AcceptPlayerSession: 400")
    assert play(port, player["PlayerSessionId"], "hello") == ["welcome", "hello"]
    process.line("ending")
    assert process.process.wait(10) == 0
    assert desk.status(session_id) == "TERMINATED"
    named = {"PlayerSessionId": player["PlayerSessionId"]}
    assert desk.api.describe_player_sessions(**named)["PlayerSessions"][0]["Status"] == "COMPLETED"
    assert not any(code.startswith("SERVER_PROCESS") for code in desk.codes())


@pytest.mark.parametrize("stage", ["connected", "ready"])
def test_a_process_that_is_killed_before_it_has_a_session_has_crashed(desk: Desk, stage: str) -> None:
    process = desk.start(GAME_START_S="30" if stage == "connected" else "")
    process.line(stage)
    process.kill()
    time.sleep(0.5)
    with pytest.raises(ClientError, match="FleetCapacityExceeded"):
        desk.api.create_game_session(FleetId=desk.fleet_id, Location=LOCATION, MaximumPlayerSessionCount=1)
    desk.skip(RECONNECT_S)
    until(lambda: "SERVER_PROCESS_CRASHED" in desk.codes())


@pytest.mark.parametrize(
    ("stage", "before", "after"),
    [("activating", "ACTIVATING", "ERROR"), ("hosting", "ACTIVE", "ERROR"), ("ending", "TERMINATED", "TERMINATED")],
)
def test_a_session_whose_process_is_killed_ends_as_the_page_says(
    desk: Desk, stage: str, before: str, after: str
) -> None:
    slow = {"activating": "GAME_LOAD_S", "ending": "GAME_EXIT_S"}.get(stage)
    process = desk.start(**({slow: "30"} if slow else {}))
    session_id = desk.session()
    if stage == "ending":
        process.line("hosting")
        asked = {"GameSessionId": session_id, "TerminationMode": "TRIGGER_ON_PROCESS_TERMINATE"}
        desk.api.terminate_game_session(**asked)
    process.line(stage)
    process.kill()
    assert until(lambda: desk.status(session_id) == before)
    if before != after:
        time.sleep(0.5)
        desk.skip(RECONNECT_S)
        assert until(lambda: desk.status(session_id) == after)
    assert ("SERVER_PROCESS_CRASHED" in desk.codes()) == (after == "ERROR")


def test_a_process_signs_with_keys_instead_of_a_token(desk: Desk) -> None:
    key, secret = desk.server.keys
    signed = {"GAMELIFT_REGION": "us-west-2", "GAMELIFT_ACCESS_KEY": key, "GAMELIFT_SECRET_KEY": secret}
    desk.start(GAMELIFT_SDK_AUTH_TOKEN="", **signed).line("ready")
    wrong = desk.start(GAMELIFT_SDK_AUTH_TOKEN="", **signed | {"GAMELIFT_SECRET_KEY": "wrong"})
    assert wrong.process.wait(LINE_S) != 0
    assert '"reason":"bad-signature"' in (desk.server.data / "security.log").read_text()


def test_neither_token_nor_signature_is_in_any_file(desk: Desk) -> None:
    desk.start().line("ready")
    with pytest.raises(InvalidStatus, match="403"):
        connect(f"{desk.compute['GameLiftServiceSdkEndpoint']}/?pID=p&FleetId=f&ComputeId=c&Authorization=secret-token")
    for path in desk.server.data.rglob("*"):
        if path.is_file():
            content = path.read_bytes()
            assert desk.token.encode() not in content and b"secret-token" not in content, path


def tls(version: ssl.TLSVersion, trusted: Path | None) -> ssl.SSLContext:
    """Return a context of one version of TLS that trusts a certificate, or any."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = context.maximum_version = version
    if trusted is None:
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    else:
        context.load_verify_locations(trusted)
    return context


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3], ids=str)
def test_game_servers_connect_by_tls(desk: Desk, version: ssl.TLSVersion) -> None:
    certificate = desk.server.data / "game-servers.pem"
    assert certificate.stat().st_mode & 0o777 == 0o600
    url = f"wss://localhost:{tls_port(desk)}/?pID={desk.fleet_id}&FleetId={desk.fleet_id}&ComputeId=pc&Authorization={desk.token}"
    for trusted in (certificate, None):
        with connect(url, ssl=tls(version, trusted)) as peer:
            peer.send('{"Action": "GetComputeCertificate", "RequestId": "1"}')
            assert '"StatusCode":200' in str(peer.recv(10))


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion:DeprecationWarning")
def test_old_versions_of_tls_are_refused(desk: Desk) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.set_ciphers("ALL:@SECLEVEL=0")
    context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_1
    with pytest.raises((ssl.SSLError, ConnectionError)):
        connect(f"wss://localhost:{tls_port(desk)}/", ssl=context)


def tls_port(desk: Desk) -> int:
    """Return the port for TLS, which follows the server's own."""
    return int(desk.server.endpoint.rpartition(":")[2]) + 1


def test_a_session_lives_on_when_the_server_is_killed_and_started_again(make_server: Callable[..., Running]) -> None:
    server = make_server("--set", "gamelift.delay_scale=0")
    port = server.endpoint.rpartition(":")[2]
    desk = Desk(server)
    process = desk.start()
    session_id = desk.session()
    process.line("hosting")
    server.kill()
    process.line("the connection was lost")
    server.use_port(port)
    server.start()
    process.line("connected again")
    found = desk.api.create_player_session(GameSessionId=session_id, PlayerId="ana")["PlayerSession"]
    assert play(found["Port"], found["PlayerSessionId"], "still here") == ["welcome", "still here"]
    assert process.process.wait(10) == 0
    assert desk.status(session_id) == "TERMINATED"


def start_agent(desk: Desk) -> GameProcess:
    """Start an agent that runs one game server at a time, which takes over its output."""
    launch = {"LaunchPath": sys.executable, "Parameters": f"-u {EXAMPLE}", "ConcurrentExecutions": 1}
    desk.api.update_runtime_configuration(FleetId=desk.fleet_id, RuntimeConfiguration={"ServerProcesses": [launch]})
    endpoint = desk.compute["GameLiftAgentEndpoint"]
    return desk.start(AGENT, GAMELIFT_AGENT_ENDPOINT=endpoint, AGENT_REPLACE_S="0.05", AGENT_HEARTBEAT_S="0.2")


def started_by(agent: GameProcess) -> int:
    """Return the pid of the game server that an agent starts next, when it is ready."""
    pid = int(agent.line("started").rpartition(" ")[2])
    agent.line("ready on port")
    return pid


def end_reason(desk: Desk, session_id: str) -> str:
    found = desk.api.describe_game_sessions(GameSessionId=session_id)["GameSessions"][0]
    return str(found.get("StatusReason", ""))


def test_an_agent_reports_the_end_of_its_game_servers_and_ends_those_that_must(desk: Desk) -> None:
    agent = start_agent(desk)
    pid = started_by(agent)
    crashed = desk.session()
    agent.line("hosting")
    os.kill(pid, signal.SIGKILL)
    assert agent.line("ended").endswith("SERVER_PROCESS_CRASHED")
    assert until(lambda: desk.status(crashed) == "ERROR")
    assert desk.codes()[0] == "SERVER_PROCESS_CRASHED"

    pid = started_by(agent)
    forced = desk.session()
    agent.line("hosting")
    os.kill(pid, signal.SIGSTOP)  # it hears nothing, and cannot end by itself
    desk.api.terminate_game_session(GameSessionId=forced, TerminationMode="FORCE_TERMINATE")
    agent.line("told ForceExitServerProcess")
    assert agent.line("ended").endswith("SERVER_PROCESS_FORCE_TERMINATED")
    assert until(lambda: desk.status(forced) == "TERMINATED") and end_reason(desk, forced) == "FORCE_TERMINATED"

    started_by(agent)
    asked = desk.session()
    agent.line("hosting")
    desk.api.terminate_game_session(GameSessionId=asked, TerminationMode="TRIGGER_ON_PROCESS_TERMINATE")
    assert agent.line("ended").endswith("well")
    assert until(lambda: desk.status(asked) == "TERMINATED")
    assert [code for code in desk.codes() if code.startswith("SERVER_PROCESS")] == ["SERVER_PROCESS_CRASHED"]

    pid = started_by(agent)
    desk.api.deregister_compute(FleetId=desk.fleet_id, ComputeName="pc")
    agent.line("told StartComputeTermination")
    assert agent.process.wait(SOON_S) == 0
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
