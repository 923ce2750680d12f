"""Queues, placements and matches under random calls, ended processes and time, seed by seed.

Whatever happens: no place holds more sessions than it has processes; a placement ends by its queue's timeout, once, and is told
of once; one that is fulfilled has exactly one session, all others none that lives; a ticket ends by its time, and no player is
in two matches at once; at the end nobody waits for room. Replay one: APITRAIL_SEEDS=7 pytest tests/simulation/test_placements.py
"""

import os
import random
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "unit" / "services"))

from fleet_scenes import LAUNCH, active_fleet, anywhere_fleet
from placement_scenes import fleet_arn, latencies, told
from session_scenes import add_compute
from ticket_scenes import duel_rules, make_maker, make_rules, player

from apitrail.errors import ServiceError
from apitrail.services.context import Context
from apitrail.services.gamelift import processes
from apitrail.services.gamelift.collections import (
    GAME_SESSIONS,
    MATCHES,
    PLACEMENTS,
    PROCESSES,
    ROOM_CALLS,
    ROOM_WAITS,
    TICKETS,
)
from apitrail.testing import Stage

SOAK = os.environ.get("APITRAIL_SOAK") == "1"
SEEDS = [int(text) for text in os.environ.get("APITRAIL_SEEDS", "").split(",") if text] or list(
    range(200 if SOAK else 2)
)
STEPS = 150
LIVE = ("ACTIVATING", "ACTIVE", "TERMINATING")
TIMEOUT_S = 60
REAL = ("real-1", "real-2", "real-3")


class Play:
    """One run. started: placements by when they were asked for. entered: tickets likewise."""

    def __init__(self, path: Path, seed: int) -> None:
        self.stage = Stage(path, seed=seed)
        self.chance = random.Random(seed)
        self.started: dict[str, float] = {}
        self.entered: dict[str, float] = {}
        self.count = 0
        self._furnish()

    def _furnish(self) -> None:
        stage = self.stage
        launch = {"RuntimeConfiguration": {"ServerProcesses": [{**LAUNCH, "ConcurrentExecutions": 2}]}}
        managed = active_fleet(stage, Locations=[{"Location": "eu-west-1"}], **launch)
        stage.advance(8)
        own = anywhere_fleet(stage)
        add_compute(stage, own, "custom-desk", *REAL)
        policies = [
            {"MaximumIndividualPlayerLatencyMilliseconds": 50, "PolicyDurationSeconds": 20},
            {"MaximumIndividualPlayerLatencyMilliseconds": 150},
        ]
        self.fleets = (managed, own)
        destinations = [{"DestinationArn": fleet_arn(one)} for one in self.fleets]
        for name, order in (("lobby", destinations), ("hall", destinations[::-1])):
            stage.call(
                "CreateGameSessionQueue",
                Name=name,
                Destinations=order,
                PlayerLatencyPolicies=policies,
                TimeoutInSeconds=TIMEOUT_S,
            )
        make_rules(stage, duel_rules(expansions=[
            {"target": "rules[fair].maxDistance", "steps": [{"waitTimeSeconds": 15, "value": 100}]}
        ]))  # fmt: skip
        queue = stage.call("DescribeGameSessionQueues", Names=["lobby"])["GameSessionQueues"][0]["GameSessionQueueArn"]
        make_maker(
            stage,
            GameSessionQueueArns=[queue],
            RequestTimeoutSeconds=50,
            AcceptanceRequired=True,
            AcceptanceTimeoutSeconds=10,
            BackfillMode="AUTOMATIC",
        )

    def now(self) -> float:
        return self.stage.clock.now().timestamp()

    def ask(self, operation: str, **params: Any) -> dict[str, Any] | None:
        """Make a call that may be refused."""
        try:
            return self.stage.call(operation, **params)
        except ServiceError:
            return None

    def step(self) -> None:
        """Do something at random."""
        deeds = (
            self.place,
            self.place,
            self.enter,
            self.enter,
            self.answer,
            self.stop,
            self.end,
            self.wait,
            self.scale,
        )
        self.chance.choice((*deeds, self.obey, self.obey))()
        self.stage.settle()

    def place(self) -> None:
        self.count += 1
        given: dict[str, Any] = {
            "PlacementId": f"r-{self.count}",
            "GameSessionQueueName": self.chance.choice(("lobby", "hall")),
            "MaximumPlayerSessionCount": 4,
        }
        if self.chance.random() < 0.5:
            given["DesiredPlayerSessions"] = [{"PlayerId": f"d-{self.count}"}]
        if self.chance.random() < 0.4:
            values = {
                place: float(self.chance.randrange(20, 200)) for place in ("us-west-2", "eu-west-1", "custom-desk")
            }
            given["PlayerLatencies"] = latencies(ana=values)
        self.stage.call("StartGameSessionPlacement", **given)
        self.started[given["PlacementId"]] = self.now()

    def enter(self) -> None:
        self.count += 1
        name = f"p-{self.chance.randrange(25)}"
        players = [player(name, self.chance.randrange(60))]
        ticket_id = f"t-{self.count}"
        self.stage.call("StartMatchmaking", TicketId=ticket_id, ConfigurationName="maker", Players=players)
        self.entered[ticket_id] = self.now()

    def answer(self) -> None:
        for ticket in self.tickets("REQUIRES_ACCEPTANCE"):
            if "_Backfill" not in ticket and self.chance.random() < 0.8:
                word = "REJECT" if self.chance.random() < 0.1 else "ACCEPT"
                ids = [one["PlayerId"] for one in ticket["Players"]]
                self.ask("AcceptMatch", TicketId=ticket["TicketId"], PlayerIds=ids, AcceptanceType=word)

    def stop(self) -> None:
        if self.started:
            self.ask("StopGameSessionPlacement", PlacementId=self.chance.choice(list(self.started)))
        if self.entered:
            self.ask("StopMatchmaking", TicketId=self.chance.choice(list(self.entered)))

    def end(self) -> None:
        """End a session, by a call or because its process is gone."""
        live = [one for one in self.documents(GAME_SESSIONS) if one["Status"] in LIVE]
        if not live:
            return
        session = self.chance.choice(live)
        if self.chance.random() < 0.5:
            how = {"GameSessionId": session["GameSessionId"], "TerminationMode": "TRIGGER_ON_PROCESS_TERMINATE"}
            self.ask("TerminateGameSession", **how)
        else:
            process_id, crashed = session["_Process"], self.chance.random() < 0.5
            self.stage.change(lambda ctx: processes.process_ended(ctx, process_id, crashed=crashed))

    def obey(self) -> None:
        """Let real processes do what they are told, and let those that have ended be started again."""
        for session in self.documents(GAME_SESSIONS):
            if session["_Process"].startswith("real") and session["Status"] == "ACTIVATING":
                names = (session["_Process"], session["GameSessionId"])
                self.stage.change(lambda ctx, names=names: processes.activate_session(ctx, *names))
            elif session["_Process"].startswith("real") and session["Status"] == "TERMINATING":
                process_id = session["_Process"]
                self.stage.change(lambda ctx, id=process_id: processes.process_ended(ctx, id))
        known = {one["ProcessId"].rsplit("~", 1)[0] for one in self.documents(PROCESSES)}
        for number, name in enumerate(REAL):
            if name not in known:
                self.count += 1
                new = f"{name}~{self.count}"
                self.stage.change(lambda ctx, new=new, port=9000 + number: self._ready(ctx, new, port))

    def _ready(self, ctx: Context, process_id: str, port: int) -> None:
        processes.process_ready(ctx, self.fleets[1], "desk-1", process_id, port)

    def scale(self) -> None:
        where = self.chance.choice(("us-west-2", "eu-west-1"))
        wanted = {"DesiredInstances": self.chance.randrange(3), "MinSize": 0, "MaxSize": 3, "Location": where}
        self.ask("UpdateFleetCapacity", FleetId=self.fleets[0], **wanted)

    def wait(self) -> None:
        self.stage.advance(self.chance.choice((1, 3, 10)))

    def documents(self, collection: Any) -> list[dict[str, Any]]:
        return self.stage.read(lambda ctx: [entry.doc for entry in collection(ctx).all()])

    def tickets(self, status: str) -> list[dict[str, Any]]:
        return [one for one in self.documents(TICKETS) if one["Status"] == status]

    def check(self) -> None:
        """Hold the state against what must be so."""
        sessions, placements = self.documents(GAME_SESSIONS), self.documents(PLACEMENTS)
        live = [one for one in sessions if one["Status"] in LIVE]
        holders = Counter(one["_Process"] for one in live)
        assert set(holders.values()) <= {1}, "a process has two sessions"
        gone = set(holders) - {one["ProcessId"] for one in self.documents(PROCESSES)}
        assert not gone, "a session lives on a process that is gone"
        kept = [one for one in live if "_Placement" in one]
        running = Counter(one["_Placement"]["PlacementId"] for one in kept if one["Status"] != "TERMINATING")
        all_live = Counter(one["_Placement"]["PlacementId"] for one in kept)
        for one in placements:
            self.check_placement(one, running[one["PlacementId"]], all_live[one["PlacementId"]])
        self.check_tickets()

    def check_placement(self, placement: dict[str, Any], running: int, live: int) -> None:
        age = (self.stage.clock.now() - placement["StartTime"]).total_seconds()
        if placement["Status"] == "PENDING":
            assert age < TIMEOUT_S, "a placement outlives its time"
            assert live == ("_Session" in placement)
        elif placement["Status"] == "FULFILLED":
            assert live <= 1
            assert len(placement.get("PlacedPlayerSessions", ())) == len(placement["_Desired"])
        else:
            assert running == 0 and "GameSessionId" not in placement

    def check_tickets(self) -> None:
        busy: Counter[str] = Counter()
        for ticket in self.documents(TICKETS):
            age = (self.stage.clock.now() - ticket["StartTime"]).total_seconds()
            if ticket["Status"] in ("QUEUED", "SEARCHING"):
                assert age < ticket["_TimeoutS"], "a ticket outlives its time"
                assert "_Match" not in ticket
            if ticket["Status"] in ("SEARCHING", "REQUIRES_ACCEPTANCE") and "_Backfill" not in ticket:
                busy.update(one["PlayerId"] for one in ticket["Players"])
            if ticket["Status"] in ("REQUIRES_ACCEPTANCE", "PLACING"):
                assert self.stage.read(lambda ctx, id=ticket["_Match"]: MATCHES(ctx).has(id))
        assert set(busy.values()) <= {1}, "a player is sought a match for twice"

    def finish(self) -> None:
        """Let everything end, and look at what is left."""
        self.stage.advance(130, step=2)
        self.check()
        placements = self.documents(PLACEMENTS)
        assert all(one["Status"] != "PENDING" for one in placements)
        assert self.stage.read(lambda ctx: (ROOM_WAITS(ctx).count(), ROOM_CALLS(ctx).count())) == (0, 0)
        asked = [one for one in self.documents(TICKETS) if "_Backfill" not in one]
        assert all("EndTime" in one for one in asked) and len(asked) == len(self.entered)
        ends = Counter(one["detail"]["placementId"] for one in told(self.stage) if "placementId" in one["detail"])
        assert ends == Counter(one["PlacementId"] for one in placements), "each end is told once"


@pytest.mark.parametrize("seed", SEEDS)
def test_whatever_happens_capacity_is_kept_and_everything_ends(tmp_path: Path, seed: int) -> None:
    play = Play(tmp_path, seed)
    try:
        for _ in range(STEPS):
            play.step()
            play.check()
        play.finish()
    finally:
        play.stage.close()
