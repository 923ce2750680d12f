"""Whatever happens to sessions, players and instances, every figure is what counting the documents gives."""

import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from apitrail.errors import ServiceError
from apitrail.services.context import Context
from apitrail.services.gamelift import processes
from apitrail.services.gamelift.arns import arn_of
from apitrail.services.gamelift.collections import (
    BUILDS,
    GAME_SESSIONS,
    HOSTS,
    PLAYER_SESSIONS,
    PROCESSES,
)
from apitrail.services.gamelift.process_facts import STATES
from apitrail.testing import Stage

HOME = "us-west-2"
CONCURRENT = 3
MEMORY = "/dev/shm" if Path("/dev/shm").is_dir() else None
"""Where the stages of many short runs lie; waiting for a disk would make them slow."""

LIVE = ("ACTIVATING", "ACTIVE", "TERMINATING")
DEEDS = ("create", "join", "accept", "remove", "terminate", "crash", "resize", "widen", "wait", "settle")
LIKELY = ("create", "settle", "join", "join", "accept", "accept", "accept", "remove", "remove")
steps = st.lists(st.tuples(st.sampled_from((*DEEDS, *LIKELY)), st.integers(0, 9)), min_size=20, max_size=50)


class Play:
    """A fleet and everything that a run has made on it."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        self.fleet_id = self._fleet()
        self.sessions: list[str] = []
        self.players: list[tuple[str, str]] = []

    def _fleet(self) -> str:
        def put(ctx: Context) -> str:
            build_id = ctx.ids.new("build")
            build = {"BuildId": build_id, "BuildArn": arn_of(ctx, "build", build_id), "Status": "READY"}
            system = {"OperatingSystem": "AMAZON_LINUX_2023", "ServerSdkVersion": "5.2.0", "CreationTime": ctx.now}
            BUILDS(ctx).put(build_id, build | system)
            return build_id

        build_id = self.stage.change(put)
        launch = {"LaunchPath": "/local/game/server", "ConcurrentExecutions": CONCURRENT}
        fleet = self.stage.call(
            "CreateFleet",
            Name="arena",
            BuildId=build_id,
            EC2InstanceType="c5.large",
            RuntimeConfiguration={"ServerProcesses": [launch], "MaxConcurrentGameSessionActivations": 2},
        )
        self.stage.advance(10)
        return str(fleet["FleetAttributes"]["FleetId"])

    def take(self, deed: str, number: int) -> None:
        """Do something; what the state does not allow is refused and changes nothing."""
        try:
            getattr(self, f"_{deed}")(number)
        except ServiceError as error:
            assert error.error_status < 500, error

    def _create(self, number: int) -> None:
        slots = {"FleetId": self.fleet_id, "MaximumPlayerSessionCount": number}
        self.sessions.append(self.stage.call("CreateGameSession", **slots)["GameSession"]["GameSessionId"])

    def _join(self, number: int) -> None:
        if self.sessions:
            session_id = self.sessions[number % len(self.sessions)]
            names = [f"player-{n}" for n in range(number % 3 + 1)]
            found = self.stage.call("CreatePlayerSessions", GameSessionId=session_id, PlayerIds=names)
            self.players += [(session_id, player["PlayerSessionId"]) for player in found["PlayerSessions"]]

    def _accept(self, number: int) -> None:
        self._say(processes.accept_player, number)

    def _remove(self, number: int) -> None:
        self._say(processes.remove_player, number)

    def _say(self, what: Any, number: int) -> None:
        if self.players:
            session_id, player_id = self.players[number % len(self.players)]
            process_id = self._session(session_id)["_Process"]
            self.stage.change(lambda ctx: what(ctx, process_id, session_id, player_id))

    def _terminate(self, number: int) -> None:
        if self.sessions:
            name = {"GameSessionId": self.sessions[number % len(self.sessions)]}
            self.stage.call("TerminateGameSession", **name, TerminationMode="TRIGGER_ON_PROCESS_TERMINATE")

    def _crash(self, number: int) -> None:
        if self.sessions:
            process_id = self._session(self.sessions[number % len(self.sessions)])["_Process"]
            self.stage.change(lambda ctx: processes.process_ended(ctx, process_id, crashed=True))

    def _resize(self, number: int) -> None:
        self.stage.call("UpdateFleetCapacity", FleetId=self.fleet_id, DesiredInstances=number % 4, MaxSize=9)

    def _widen(self, number: int) -> None:
        if self.sessions:
            name = {"GameSessionId": self.sessions[-1]}
            self.stage.call("UpdateGameSession", **name, MaximumPlayerSessionCount=number)

    def _wait(self, number: int) -> None:
        self.stage.advance(10 * number, step=5)

    def _settle(self, _: int) -> None:
        self.stage.settle()

    def _session(self, session_id: str) -> dict[str, Any]:
        key = f"{self.fleet_id}/{session_id.rpartition('/')[2]}"
        found = self.stage.read(lambda ctx: GAME_SESSIONS(ctx).get(key))
        assert found is not None
        return dict(found)


def check(ctx: Context, fleet_id: str) -> None:
    """Compare every figure with the documents that it stands for."""
    sessions, players, hosts, running = (
        [entry.doc for entry in collection(ctx).all()]
        for collection in (GAME_SESSIONS, PLAYER_SESSIONS, HOSTS, PROCESSES)
    )
    for session in sessions:
        states = Counter(p["Status"] for p in players if p["GameSessionId"] == session["GameSessionId"])
        assert session["CurrentPlayerSessionCount"] == states["RESERVED"] + states["ACTIVE"]
        assert 0 <= session["CurrentPlayerSessionCount"] <= session["MaximumPlayerSessionCount"]
        assert session.get("_Connected", 0) == states["ACTIVE"]
        assert (session["Status"] in LIVE) == any(p["ProcessId"] == session["_Process"] for p in running)
    ids = {entry.id: entry.doc for entry in HOSTS(ctx).all()}
    for host_id, host in ids.items():
        mine = [process for process in running if process["HostId"] == host_id]
        counted = Counter(process["State"] for process in mine)
        assert host["Counts"] == {state: counted[state] for state in STATES}
        assert sorted(host["Ports"]) == sorted(process["Port"] for process in mine)
        assert len(set(host["Ports"])) == len(mine) == CONCURRENT
    active = [s for s in sessions if s["Status"] == "ACTIVE" and f"{fleet_id}/{s['ComputeName']}" in ids]
    found = processes.counts(ctx, fleet_id, HOME)
    assert found.active_session_count == len(active)
    assert found.player_slot_count == sum(s["MaximumPlayerSessionCount"] for s in active)
    assert found.player_count == sum(s.get("_Connected", 0) for s in active)
    assert found.process_count == sum(process["HostId"] in ids for process in running)
    assert found.host_count == len(hosts)


@settings(max_examples=25, deadline=None)
@given(taken=steps)
def test_figures_are_what_counting_gives(taken: list[tuple[str, int]]) -> None:
    with tempfile.TemporaryDirectory(dir=MEMORY) as path, Stage(Path(path)) as stage:
        play = Play(stage)
        for deed, number in (("create", 9), ("settle", 0), ("join", 1), *taken):
            play.take(deed, number)
            stage.read(lambda ctx: check(ctx, play.fleet_id))
        stage.settle()
        stage.read(lambda ctx: check(ctx, play.fleet_id))
        stage.call("DeleteFleet", FleetId=play.fleet_id)
        stage.advance(5)
        statuses = stage.read(lambda ctx: {entry.doc["Status"] for entry in GAME_SESSIONS(ctx).all()})
        assert statuses <= {"TERMINATED", "ERROR"}
        assert stage.read(lambda ctx: (HOSTS(ctx).count(), PROCESSES(ctx).count())) == (0, 0)
