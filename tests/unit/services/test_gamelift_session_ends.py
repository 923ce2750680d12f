"""How game sessions end: every row of docs/reference/session-ends.md, played on the virtual clock."""

import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from fleet_scenes import LAUNCH, active_fleet, anywhere_fleet, event_codes
from host_scenes import be_host, connect, processes_in, real_processes
from placement_scenes import make_lobby, placed
from session_scenes import (
    COMPUTE,
    accept,
    add_compute,
    join,
    process_count,
    process_of,
    see,
    see_player,
)
from ticket_scenes import make_maker, make_rules, team_rules

from apitrail.services.context import Context
from apitrail.services.gamelift import agents, process_life, processes
from apitrail.services.gamelift.collections import FLEETS, PLACEMENTS, PROCESSES
from apitrail.settings import Settings
from apitrail.testing import Stage

PAGE = Path(__file__).parents[3] / "docs" / "reference" / "session-ends.md"
MEMORY = "/dev/shm" if Path("/dev/shm").is_dir() else None
"""Where the stages of many short scenes lie; waiting for a disk would make them slow."""

PROCESS = "process-1"
ONE = LAUNCH | {"ConcurrentExecutions": 1}
DESK = "custom-desk"
TICKET, BACKFILL = "ticket-1", "ticket-2"
ON_DESK = ("anywhere", "agent")
HEARTBEAT_S = 60
ROUNDS_MAX = 20
ONLY_PLACE = {"next place": "FAILED"}
"""What becomes of a placement that has no other place, and of its ticket."""

EVENTS = ("SERVER_PROCESS", "GAME_SESSION")


class Row(NamedTuple):
    """A row of the page, by its columns."""

    hosting: str
    stage: str
    what: str
    process: str
    session: str
    reason: str
    reserved: str
    connected: str
    placement: str
    ticket: str
    backfill: str
    event: str

    def told(self) -> tuple[str, ...]:
        """Return what becomes of everything when the placement has only this place."""
        placement = ONLY_PLACE.get(self.placement, self.placement)
        ticket = placement if placement == "FAILED" else self.ticket
        process, players = (self.process, self.session, self.reason), (self.reserved, self.connected)
        return (*process, *players, placement, ticket, self.backfill, self.event)


def rows() -> list[Row]:
    lines = [line for line in PAGE.read_text().splitlines() if line.startswith("| ")]
    return [Row(*(cell.strip() for cell in line.strip("|").split("|"))) for line in lines[1:]]


class Scene:
    """A fleet with one host, a process on it, and what it has come to."""

    def __init__(self, stage: Stage, hosting: str) -> None:
        self.stage = stage
        self.hosting = hosting
        self.session: dict[str, Any] | None = None
        self.players: list[dict[str, Any]] = []
        self.location = stage.region
        if hosting in ON_DESK:
            self.fleet_id, self.location, self.host = anywhere_fleet(stage), DESK, COMPUTE
            add_compute(stage, self.fleet_id, DESK)
        else:
            self.fleet_id = active_fleet(stage, RuntimeConfiguration={"ServerProcesses": [ONE]})
            self.host = stage.call("DescribeInstances", FleetId=self.fleet_id)["Instances"][0]["InstanceId"]
        self.process_id = PROCESS
        if hosting == "virtual":
            self.process_id = stage.read(lambda ctx: PROCESSES(ctx).all()[0].id)
        elif hosting == "managed":
            self.process_id = self._launched()
            connect(stage, self.process_id)
        else:
            if hosting == "agent":
                stage.change(lambda ctx: agents.admit_agent(ctx, self.fleet_id, self.host, None))
            stage.change(lambda ctx: process_life.process_connected(ctx, self.fleet_id, self.host, PROCESS))
        self.count = process_count(stage, self.fleet_id)
        self.seen = len(event_codes(stage, self.fleet_id))

    def _launched(self) -> str:
        """Wait until the host was told to start a process, and return its id."""
        be_host(self.stage, 5)
        (process_id,) = processes_in(self.stage, self.fleet_id, "LAUNCHED")
        return process_id

    def go_to(self, stage: str) -> None:
        """Bring the process to a stage."""
        if stage == "CONNECTED":
            return
        if self.hosting != "virtual":
            self.stage.change(lambda ctx: process_life.process_activated(ctx, self.process_id, 9000))
            self.report(healthy=True)
        if stage == "ENDING":
            self.stage.change(lambda ctx: process_life.process_ending(ctx, self.process_id))
        if stage in ("READY", "ENDING"):
            return
        self._match()
        if stage != "ACTIVATING":
            self._activate()
        if stage == "TERMINATING":
            self.terminate("TRIGGER_ON_PROCESS_TERMINATE")

    def _match(self) -> None:
        """Let a match begin a session, and stop there, before its process has answered."""
        queue = make_lobby(self.stage, self.fleet_id)
        make_rules(self.stage, team_rules(1, 3))
        make_maker(self.stage, GameSessionQueueArns=[queue["GameSessionQueueArn"]], RequestTimeoutSeconds=10_000)
        self._start("StartMatchmaking", TICKET, [{"PlayerId": "ana"}])
        self._work_until_placed()
        session_id = placed(self.stage, self._placement_id())["GameSessionArn"]
        self.session = {"FleetId": self.fleet_id, "GameSessionId": session_id}
        self.process_id = process_of(self.stage, self.session)

    def _start(self, operation: str, ticket_id: str, players: list[dict[str, Any]], **params: Any) -> None:
        self.stage.call(operation, TicketId=ticket_id, ConfigurationName="maker", Players=players, **params)

    def _work_until_placed(self) -> None:
        """Let workers do what is due, once each and again, until there is a game session."""
        workers = [worker for worker in self.stage.app.workers if worker.name in ("timers", "effects", "matchmaking")]
        for _ in range(ROUNDS_MAX):
            for worker in workers:
                if "GameSessionArn" in self._placement():
                    return
                self.stage.run(worker.tick())
        raise AssertionError("the match was not placed")

    def _placement(self) -> dict[str, Any]:
        found = self.stage.read(lambda ctx: PLACEMENTS(ctx).all())
        return found[0].doc if found else {}

    def _placement_id(self) -> str:
        return str(self._placement()["PlacementId"])

    def _activate(self) -> None:
        """Let the session become active, with a player who has not come yet, one who has, and a request for more."""
        assert self.session is not None
        names = (self.process_id, self.session["GameSessionId"])
        if self.hosting != "virtual":
            self.stage.change(lambda ctx: processes.activate_session(ctx, *names))
        self.stage.settle()
        self.players = self._reserved() + [join(self.stage, self.session, "bo")]
        accept(self.stage, self.session, self.players[1])
        player = {"PlayerId": "bo", "Team": "crew"}
        self._start("StartMatchBackfill", BACKFILL, [player], GameSessionArn=self.session["GameSessionId"])
        self.stage.settle()

    def _reserved(self) -> list[dict[str, Any]]:
        assert self.session is not None
        params = {"GameSessionId": self.session["GameSessionId"]}
        found: list[dict[str, Any]] = self.stage.call("DescribePlayerSessions", **params)["PlayerSessions"]
        return found

    # What may happen.

    def terminate(self, mode: str) -> None:
        """Call TerminateGameSession; on a compute without an agent FORCE_TERMINATE is refused."""
        assert self.session is not None
        params = {"GameSessionId": self.session["GameSessionId"], "TerminationMode": mode}
        if self.hosting == "anywhere" and mode == "FORCE_TERMINATE":
            assert self.stage.error("TerminateGameSession", **params).error_code == "InvalidRequestException"
        else:
            self.stage.call("TerminateGameSession", **params)

    def report(self, *, healthy: bool) -> None:
        self.stage.change(lambda ctx: process_life.process_reported(ctx, self.process_id, healthy=healthy))

    def is_there(self) -> bool:
        return self.stage.read(lambda ctx: PROCESSES(ctx).has(self.process_id))

    def live_on(self, seconds: int) -> None:
        """Let time pass while the process reports its health."""
        for _ in range(seconds // HEARTBEAT_S):
            self.stage.advance(HEARTBEAT_S, step=HEARTBEAT_S)
            if self.is_there():
                self.report(healthy=True)

    def end_itself(self) -> None:
        self.stage.change(lambda ctx: process_life.process_ending(ctx, self.process_id))
        self.exit()

    def exit(self, code: str = agents.CRASHED) -> None:
        """Exit. code: by which the agent reports it, if there is one."""
        if self.hosting == "agent":
            place = (self.fleet_id, self.host)
            self.stage.change(lambda ctx: agents.process_terminated(ctx, *place, self.process_id, code, ""))
        else:
            self.stage.change(lambda ctx: process_life.process_exited(ctx, self.process_id))

    def stay_away(self) -> None:
        self.stage.advance(1)
        self.stage.change(lambda ctx: process_life.connection_lost(ctx, self.process_id))
        self.stage.advance(300, step=100)

    def fall_ill(self) -> None:
        for _ in range(3):
            self.report(healthy=False)

    def stop_host(self, reason: str = "") -> None:
        """Take the host away."""

        def stop(ctx: Context) -> None:
            fleet = FLEETS(ctx).get(self.fleet_id)
            assert fleet is not None
            processes.instance_stopped(ctx, fleet, self.location, {"InstanceId": self.host}, reason=reason)

        self.stage.change(stop)

    # What has become of it.

    def outcome(self) -> tuple[str, ...]:
        """Return the same as Row.told, as it is now."""
        session = {} if self.session is None else see(self.stage, self.session)
        told = (session.get("Status", "-"), session.get("StatusReason", "-"))
        players = [see_player(self.stage, player)["Status"] for player in self.players or self._late_players(session)]
        players += ["-"] * (2 - len(players))
        placement = placed(self.stage, self._placement_id())["Status"] if session else "-"
        tickets = (self._ticket(TICKET), self._ticket(BACKFILL))
        new = event_codes(self.stage, self.fleet_id)[self.seen :]
        codes = [code for code in new if code.startswith(EVENTS)]
        return (self._process(), *told, *players, placement, *tickets, ", ".join(codes) or "-")

    def _late_players(self, session: dict[str, Any]) -> list[dict[str, Any]]:
        """Return the players of a session that has become active by itself."""
        return self._reserved() if session else []

    def _process(self) -> str:
        if self.is_there():
            return "stays"
        return "replaced" if process_count(self.stage, self.fleet_id) == self.count else "gone"

    def _ticket(self, ticket_id: str) -> str:
        if self.session is None:
            return "-"
        found = self.stage.call("DescribeMatchmaking", TicketIds=[ticket_id])["TicketList"]
        return str(found[0]["Status"]) if found else "-"


DEEDS: Mapping[str, Callable[[Scene], None]] = {
    "ends itself": Scene.end_itself,
    "exits": Scene.exit,
    "exits with 0": lambda scene: scene.exit(""),
    "stays away": Scene.stay_away,
    "unhealthy": Scene.fall_ill,
    "not ready in time": lambda scene: scene.stage.advance(300, step=100),
    "not activated in time": lambda scene: scene.live_on(300),
    "does not exit": lambda scene: scene.stage.advance(30, step=30),
    "five minutes pass": lambda scene: scene.live_on(300),
    "host stopped": Scene.stop_host,
    "host stopped, ends itself": lambda scene: (scene.stop_host(), scene.end_itself())[-1],
    "host stopped, exits": lambda scene: (scene.stop_host(), scene.exit())[-1],
    "host stopped, stays": lambda scene: (scene.stop_host(), scene.live_on(300))[-1],
    "host interrupted": lambda scene: scene.stop_host("INTERRUPTED"),
    "TRIGGER_ON_PROCESS_TERMINATE": lambda scene: scene.terminate("TRIGGER_ON_PROCESS_TERMINATE"),
    "FORCE_TERMINATE": lambda scene: scene.terminate("FORCE_TERMINATE"),
}


def settings_of(row: Row, path: Path) -> Settings | None:
    return real_processes(path, processes_max=1) if row.hosting == "managed" else None


def name_of(row: Row) -> str:
    return f"{row.hosting} {row.stage} {row.what}"


@pytest.mark.parametrize("row", rows(), ids=name_of)
def test_a_row_of_the_page_is_what_happens(row: Row) -> None:
    with tempfile.TemporaryDirectory(dir=MEMORY) as path, Stage(Path(path), settings_of(row, Path(path))) as stage:
        scene = Scene(stage, row.hosting)
        scene.go_to(row.stage)
        DEEDS[row.what](scene)
        stage.settle()
        assert scene.outcome() == row.told()


def test_no_case_is_on_the_page_twice_and_none_is_left_out() -> None:
    cases = [(row.hosting, row.stage, row.what) for row in rows()]
    assert len(cases) == len(set(cases))
    stages = {"READY", "ACTIVATING", "HOSTING", "TERMINATING"}
    real = stages | {"CONNECTED", "ENDING"}
    expected = {("virtual", stage) for stage in stages}
    expected |= {(hosting, stage) for hosting in ("managed", *ON_DESK) for stage in real}
    assert {(hosting, stage) for hosting, stage, _ in cases} == expected
    assert {what for _, _, what in cases} == set(DEEDS)
