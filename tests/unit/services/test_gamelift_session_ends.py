"""How game sessions end: every row of docs/reference/session-ends.md, played on the virtual clock."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from fleet_scenes import active_fleet, anywhere_fleet, event_codes
from placement_scenes import make_lobby, placed, start
from session_scenes import (
    COMPUTE,
    accept,
    add_compute,
    join,
    process_count,
    process_of,
    ready,
    real_processes,
    see,
    see_player,
)

from apitrail.services.context import Context
from apitrail.services.gamelift import processes
from apitrail.services.gamelift.collections import FLEETS, PROCESSES
from apitrail.services.gamelift.placement_steps import look
from apitrail.testing import Stage

PAGE = Path(__file__).parents[3] / "docs" / "reference" / "session-ends.md"
PROCESS = "process-1"
DESK = "custom-desk"
PLACEMENT = "round-1"
SPOT_NOTICE = "INTERRUPTED"
ONLY_PLACE = {"next place": "FAILED"}
"""What becomes of a placement that has no other place."""


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
        if hosting == "anywhere":
            self.fleet_id = anywhere_fleet(stage)
            self.location = DESK
            add_compute(stage, self.fleet_id, DESK, PROCESS)
            self.host = COMPUTE
        else:
            self.fleet_id = active_fleet(stage)
            self.host = stage.call("DescribeInstances", FleetId=self.fleet_id)["Instances"][0]["InstanceId"]
        if hosting == "managed":
            ready(stage, self.fleet_id, PROCESS)
        self.process_id = PROCESS if hosting != "virtual" else self._virtual_process()
        self.count = process_count(stage, self.fleet_id)
        self.seen = len(event_codes(stage, self.fleet_id))

    def _virtual_process(self) -> str:
        found: list[str] = self.stage.read(lambda ctx: [entry.id for entry in PROCESSES(ctx).all()])
        return found[0]

    def go_to(self, stage: str) -> None:
        """Bring the process to a stage."""
        if stage == "READY":
            return
        self.session = self._place()
        self.process_id = process_of(self.stage, self.session)
        if stage == "ACTIVATING":
            return
        self._activate(self.session)
        if stage == "TERMINATING":
            self.terminate("TRIGGER_ON_PROCESS_TERMINATE")

    def _place(self) -> dict[str, Any]:
        """Begin a session by a placement and stop there, so that its process has not answered yet."""
        make_lobby(self.stage, self.fleet_id)
        start(self.stage, PLACEMENT)
        self.stage.change(lambda ctx: look(ctx, {"PlacementId": PLACEMENT, "First": True}))
        return {"FleetId": self.fleet_id, "GameSessionId": placed(self.stage, PLACEMENT)["GameSessionArn"]}

    def _activate(self, session: dict[str, Any]) -> None:
        if self.hosting == "virtual":
            self.stage.settle()
        else:
            names = (self.process_id, session["GameSessionId"])
            self.stage.change(lambda ctx: processes.activate_session(ctx, *names))
        self.players = [join(self.stage, session, "ana"), join(self.stage, session, "bo")]
        accept(self.stage, session, self.players[1])

    def terminate(self, mode: str) -> None:
        """Call TerminateGameSession; on a compute of the user's FORCE_TERMINATE is refused."""
        assert self.session is not None
        params = {"GameSessionId": self.session["GameSessionId"], "TerminationMode": mode}
        if self.hosting == "anywhere" and mode == "FORCE_TERMINATE":
            assert self.stage.error("TerminateGameSession", **params).error_code == "InvalidRequestException"
        else:
            self.stage.call("TerminateGameSession", **params)

    def end_process(self, *, crashed: bool) -> None:
        """Let the process be gone, with a word or without."""
        self.stage.change(lambda ctx: processes.process_ended(ctx, self.process_id, crashed=crashed))

    def stop_host(self, reason: str = "") -> None:
        """Take the host away."""

        def stop(ctx: Context) -> None:
            fleet = FLEETS(ctx).get(self.fleet_id)
            assert fleet is not None
            processes.instance_stopped(ctx, fleet, self.location, {"InstanceId": self.host}, reason=reason)

        self.stage.change(stop)

    def process_state(self) -> str:
        """Return what has become of the process, in the page's words."""
        if self.stage.read(lambda ctx: PROCESSES(ctx).has(self.process_id)):
            return "stays"
        return "replaced" if process_count(self.stage, self.fleet_id) == self.count else "gone"

    def outcome(self) -> tuple[str, ...]:
        """Return what has become of process, session, its reason, players and placement, and the event that was added."""
        session = {} if self.session is None else see(self.stage, self.session)
        statuses = [see_player(self.stage, player)["Status"] for player in self.players] or ["-", "-"]
        new = event_codes(self.stage, self.fleet_id)[self.seen :]
        codes = [code for code in new if code.startswith(("SERVER_PROCESS", "GAME_SESSION"))]
        told = (session.get("Status", "-"), session.get("StatusReason", "-"))
        placement = placed(self.stage, PLACEMENT)["Status"] if session else "-"
        return (self.process_state(), *told, *statuses, placement, ", ".join(codes) or "-")


DEEDS: Mapping[str, Callable[[Scene], None]] = {
    "ends itself": lambda scene: scene.end_process(crashed=False),
    "crashes": lambda scene: scene.end_process(crashed=True),
    "not activated in time": lambda scene: scene.stage.advance(300, step=100),
    "five minutes pass": lambda scene: scene.stage.advance(301, step=50),
    "host stopped": lambda scene: scene.stop_host(),
    "host interrupted": lambda scene: scene.stop_host(SPOT_NOTICE),
    "TRIGGER_ON_PROCESS_TERMINATE": lambda scene: scene.terminate("TRIGGER_ON_PROCESS_TERMINATE"),
    "FORCE_TERMINATE": lambda scene: scene.terminate("FORCE_TERMINATE"),
}


def name_of(row: Row) -> str:
    return f"{row.hosting} {row.stage} {row.what}"


@pytest.mark.parametrize("row", rows(), ids=name_of)
def test_a_row_of_the_page_is_what_happens(tmp_path: Path, row: Row) -> None:
    settings = real_processes(tmp_path) if row.hosting == "managed" else None
    with Stage(tmp_path, settings) as stage:
        scene = Scene(stage, row.hosting)
        scene.go_to(row.stage)
        DEEDS[row.what](scene)
        stage.settle()
        placement = ONLY_PLACE.get(row.placement, row.placement)
        told = (row.process, row.session, row.reason, row.reserved, row.connected, placement, row.event)
        assert scene.outcome() == told


def test_no_case_is_on_the_page_twice_and_none_is_left_out() -> None:
    cases = [(row.hosting, row.stage, row.what) for row in rows()]
    assert len(cases) == len(set(cases))
    stages = {"READY", "ACTIVATING", "HOSTING", "TERMINATING"}
    assert {(hosting, stage) for hosting, stage, _ in cases} == {
        (hosting, stage) for hosting in ("virtual", "managed", "anywhere") for stage in stages
    }
    assert {what for _, _, what in cases} == set(DEEDS)
