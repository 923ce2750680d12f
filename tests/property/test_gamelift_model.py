"""Random calls on a real server against a small model of GameLift: every answer, every error, every figure.

Each seed is a run of its own: the same calls at the same times with the same ids. A run that fails prints the command that
repeats it. APITRAIL_SOAK=1: for an hour rather than a minute.
"""

import os
import random
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from gamelift_model import PROCESSES, RESERVED_S, Fleet, Model, Place, Player, Session

from apitrail.errors import ServiceError
from apitrail.services.context import Context
from apitrail.services.gamelift import processes
from apitrail.services.gamelift.arns import arn_of
from apitrail.services.gamelift.collections import BUILDS, GAME_SESSIONS
from apitrail.settings import GameLift, Settings
from apitrail.testing import Stage
from apitrail.testing.stage import REGION

SOAK = bool(os.environ.get("APITRAIL_SOAK"))
BUDGET_S = 3600 if SOAK else 60
CHOSEN = os.environ.get("APITRAIL_SEED")
DEEDS = 60
QUOTA = 5
REMOTE = "us-east-1"
FLEETS_MAX = 3
CREATION_S = 7
MEMORY = "/dev/shm" if Path("/dev/shm").is_dir() else None
TERMINAL = ""


class Play:
    """A server and the model of it. chance: what happens next."""

    def __init__(self, path: Path, seed: int) -> None:
        settings = Settings(gamelift=GameLift(instances_max=QUOTA))
        self.stage = Stage(path, settings, seed)
        self.model = Model(REGION, QUOTA)
        self.chance = random.Random(seed)
        self.log: list[str] = []

    def run(self) -> None:
        """Do one thing after another, and compare everything after each."""
        names, weights = zip(*WEIGHTS.items(), strict=True)
        for deed in (*OPENING, *self.chance.choices(names, weights, k=DEEDS)):
            self.log.append(f"{self.model.now} {deed.__name__}")
            deed(self)
            self.stage.settle()
            self.see_hosts()
            self.compare()

    def call(self, expected: str, operation: str, **params: Any) -> dict[str, Any] | None:
        """Make a call that must end in an error, "" for none; return its result."""
        self.log.append(f"    {operation} {params} must be {expected or 'done'}")
        try:
            result = self.stage.call_(operation, params)
        except ServiceError as error:
            assert error.error_code == expected, f"{operation} ended in {error.error_code}: {error.message}"
            return None
        assert not expected, f"{operation} succeeded"
        return result

    def fleet(self) -> Fleet | None:
        """Choose a fleet, seldom one that has been forgotten."""
        known = list(self.model.fleets.values())
        there = [fleet for fleet in known if fleet.status] or known
        return self.chance.choice(known if self.chance.random() < 0.1 else there) if known else None

    def session(self) -> tuple[str, Session] | None:
        """Choose a game session, seldom one that has ended."""
        known = list(self.model.sessions.items())
        live = [item for item in known if item[1].status == "ACTIVE"] or known
        return self.chance.choice(known if self.chance.random() < 0.1 else live) if known else None

    def place(self, fleet: Fleet | None) -> str:
        """Choose a location, mostly one that the fleet has."""
        return self.chance.choice([*(fleet.places if fleet else ()), *(fleet.places if fleet else ()), REMOTE])

    # What is there.

    def see_hosts(self) -> None:
        """Tell the model which instances there are."""
        for fleet, place in self.places():
            found = self.stage.call("DescribeInstances", FleetId=fleet.id, Location=place.name)["Instances"]
            self.model.see_hosts(fleet, place, {one["InstanceId"]: one["Status"] for one in found})

    def places(self) -> list[tuple[Fleet, Place]]:
        """Return every location that can be asked about."""
        fleets = [fleet for fleet in self.model.fleets.values() if fleet.status]
        return [(fleet, place) for fleet in fleets for place in fleet.places.values() if fleet.there(place.name)]

    def compare(self) -> None:
        """Hold everything that can be asked against the model."""
        self._compare_fleets()
        for fleet, place in self.places():
            self._compare_place(fleet, place)
        for fleet in self.model.fleets.values():
            if fleet.status:
                self._compare_sessions(fleet)
        for alias_id, fleet_id in self.model.aliases.items():
            expected = "" if fleet_id else "TerminalRoutingStrategyException"
            found = self.call(expected, "ResolveAlias", AliasId=alias_id)
            assert found is None or found["FleetId"] == fleet_id

    def _compare_fleets(self) -> None:
        known = self.model.fleets
        found = self.stage.call("DescribeFleetAttributes", FleetIds=list(known))["FleetAttributes"] if known else []
        assert {one["FleetId"]: one["Status"] for one in found} == {
            id: one.status for id, one in known.items() if one.status
        }
        for name in (REGION, REMOTE):
            params = {"EC2InstanceType": "c5.large", "Location": name}
            limits = self.stage.call("DescribeEC2InstanceLimits", **params)["EC2InstanceLimits"][0]
            leaving = sum(len(place.in_status("TERMINATING")) for _, place in self.places() if place.name == name)
            assert limits["CurrentInstances"] - leaving <= QUOTA

    def _compare_place(self, fleet: Fleet, place: Place) -> None:
        where = {"FleetId": fleet.id, "Location": place.name}
        live = list(self.model.on(fleet.id, place.name))
        active = place.in_status("ACTIVE")
        counts = self.stage.call("DescribeFleetLocationCapacity", **where)["FleetCapacity"]["InstanceCounts"]
        assert counts == {
            "DESIRED": place.desired,
            "MINIMUM": place.least,
            "MAXIMUM": place.most,
            "PENDING": len(place.in_status("PENDING")),
            "ACTIVE": len(active),
            "IDLE": sum(self.model.free(fleet, host) == PROCESSES for host in active),
            "TERMINATING": len(place.in_status("TERMINATING")),
        }
        use = self.stage.call("DescribeFleetLocationUtilization", **where)["FleetUtilization"]
        assert use["ActiveServerProcessCount"] == PROCESSES * len(active)
        assert use["ActiveGameSessionCount"] == len(live) <= PROCESSES * len(active)
        assert use["CurrentPlayerSessionCount"] == sum(session.connected() for session in live)
        assert use["MaximumPlayerSessionCount"] == sum(session.slots for session in live)

    def _compare_sessions(self, fleet: Fleet) -> None:
        params: dict[str, Any] = {"FleetId": fleet.id, "Limit": 7}
        seen: dict[str, Any] = {}
        while True:
            page = self.stage.call("DescribeGameSessions", **params)
            for one in page["GameSessions"]:
                assert one["GameSessionId"] not in seen, "a game session is listed twice"
                seen[one["GameSessionId"]] = one
            if not page.get("NextToken"):
                break
            params["NextToken"] = page["NextToken"]
        known = {id: one for id, one in self.model.sessions.items() if one.fleet == fleet.id}
        assert seen.keys() == known.keys()
        for id, session in known.items():
            self._compare_session(id, session, seen[id])

    def _compare_session(self, id: str, session: Session, seen: dict[str, Any]) -> None:
        assert (seen["Status"], seen["Location"]) == (session.status, session.place)
        assert seen["MaximumPlayerSessionCount"] == session.slots
        assert seen["CurrentPlayerSessionCount"] == session.taken() <= session.slots
        if session.players:
            found = self.stage.call("DescribePlayerSessions", GameSessionId=id)["PlayerSessions"]
            statuses = {one["PlayerSessionId"]: one["Status"] for one in found}
            assert len(statuses) == len(found), "a player session is listed twice"
            assert statuses == {name: player.status for name, player in session.players.items()}
            now = self.stage.clock.now()
            for one in found:
                age = (now - one["CreationTime"]).total_seconds()
                assert one["Status"] != "RESERVED" or age < RESERVED_S, "a reservation did not expire"

    # What may happen.

    def make_build(self) -> None:
        def put(ctx: Context) -> str:
            build_id = ctx.ids.new("build")
            facts = {"Status": "READY", "OperatingSystem": "AMAZON_LINUX_2023", "ServerSdkVersion": "5.2.0"}
            build = {"BuildId": build_id, "BuildArn": arn_of(ctx, "build", build_id), "CreationTime": ctx.now, **facts}
            BUILDS(ctx).put(build_id, build)
            return build_id

        self.model.builds.add(self.stage.change(put))

    def delete_build(self) -> None:
        build_id = self.chance.choice(sorted(self.model.builds)) if self.model.builds else "build-none"
        if self.call("" if self.model.builds else "NotFoundException", "DeleteBuild", BuildId=build_id) is not None:
            self.model.builds.remove(build_id)

    def create_fleet(self) -> None:
        if sum(bool(fleet.status) for fleet in self.model.fleets.values()) >= FLEETS_MAX:
            return
        build = self.chance.choice([*sorted(self.model.builds) * 4, "build-none"])
        remote = self.chance.choice(([], [REMOTE]))
        launch = {"LaunchPath": "/local/game/server", "ConcurrentExecutions": PROCESSES}
        made = self.call(
            self.model.create_fleet(build, remote),
            "CreateFleet",
            Name="arena",
            BuildId=build,
            EC2InstanceType="c5.large",
            RuntimeConfiguration={"ServerProcesses": [launch]},
            Locations=[{"Location": name} for name in (REGION, *remote)],
        )
        if made is not None:
            id, now = made["FleetAttributes"]["FleetId"], self.model.now
            places = {name: Place(name, now, name == REGION) for name in (REGION, *remote)}
            self.model.fleets[id] = Fleet(id, build, places)

    def delete_fleet(self) -> None:
        fleet = self.fleet()
        if fleet and self.call(self.model.delete_fleet(fleet), "DeleteFleet", FleetId=fleet.id) is not None:
            self.model.end_fleet(fleet)

    def add_place(self) -> None:
        fleet, name = self.fleet(), self.chance.choice((REGION, REMOTE, REMOTE))
        if fleet is None:
            return
        params = {"FleetId": fleet.id, "Locations": [{"Location": name}]}
        if self.call(self.model.add_place(fleet, name), "CreateFleetLocations", **params) is not None:
            fleet.places[name] = Place(name, self.model.now, home=False)
            self.model.watch(fleet)

    def drop_place(self) -> None:
        fleet = self.fleet()
        if fleet is None:
            return
        name = self.place(fleet)
        params = {"FleetId": fleet.id, "Locations": [name]}
        if self.call(self.model.drop_place(fleet, name), "DeleteFleetLocations", **params) is not None:
            self.model.end_place(fleet.places[name])

    def resize(self) -> None:
        fleet = self.fleet()
        if fleet is None:
            return
        name = self.place(fleet)
        least, most = self.chance.randint(0, 1), self.chance.randint(1, 6)
        desired = self.chance.randint(1, 4)
        sizes = {"DesiredInstances": desired, "MinSize": least, "MaxSize": most}
        expected = self.model.resize(fleet, name, (desired, least, most))
        if self.call(expected, "UpdateFleetCapacity", FleetId=fleet.id, Location=name, **sizes) is not None:
            place = fleet.places[name]
            place.desired, place.least, place.most = desired, least, most

    def act(self) -> None:
        fleet, stop = self.fleet(), self.chance.random() < 0.5
        if fleet is None:
            return
        name = self.place(fleet)
        operation = "StopFleetActions" if stop else "StartFleetActions"
        params = {"FleetId": fleet.id, "Location": name, "Actions": ["AUTO_SCALING"]}
        if self.call(self.model.act(fleet, name), operation, **params) is not None:
            fleet.places[name].stopped = stop

    def put_policy(self) -> None:
        fleet, target = self.fleet(), self.chance.choice((0.0, 25.0, 50.0, 75.0))
        if fleet is None:
            return
        policy = {"Name": "buffer", "PolicyType": "TargetBased", "MetricName": "PercentAvailableGameSessions"}
        params = {"FleetId": fleet.id, **policy, "TargetConfiguration": {"TargetValue": target}}
        if self.call(self.model.put_policy(fleet), "PutScalingPolicy", **params) is not None:
            fleet.policy = (target, self.model.now)
            self.model.watch(fleet)

    def drop_policy(self) -> None:
        fleet = self.fleet()
        if fleet is None:
            return
        params = {"FleetId": fleet.id, "Name": "buffer"}
        if self.call(self.model.drop_policy(fleet), "DeleteScalingPolicy", **params) is not None:
            fleet.policy = None

    def point(self) -> None:
        """Create an alias, or let one lead elsewhere or nowhere."""
        fleet = self.fleet() if self.chance.random() < 0.8 else None
        routing = {"Type": "SIMPLE", "FleetId": fleet.id} if fleet else {"Type": "TERMINAL", "Message": "closed"}
        expected = self.model.point(fleet) if fleet else ""
        target = fleet.id if fleet else TERMINAL
        if self.model.aliases and self.chance.random() < 0.5:
            alias_id = self.chance.choice(list(self.model.aliases))
            if self.call(expected, "UpdateAlias", AliasId=alias_id, RoutingStrategy=routing) is not None:
                self.model.aliases[alias_id] = target
        elif (made := self.call(expected, "CreateAlias", Name="main", RoutingStrategy=routing)) is not None:
            self.model.aliases[made["Alias"]["AliasId"]] = target

    def drop_alias(self) -> None:
        if self.model.aliases:
            alias_id = self.chance.choice(list(self.model.aliases))
            self.call("", "DeleteAlias", AliasId=alias_id)
            del self.model.aliases[alias_id]
            self.call("NotFoundException", "ResolveAlias", AliasId=alias_id)

    def begin(self) -> None:
        self._begin(self.fleet())

    def begin_by_alias(self) -> None:
        if self.model.aliases:
            alias_id, target = self.chance.choice(list(self.model.aliases.items()))
            self._begin(self.model.fleets.get(target), alias_id)

    def _begin(self, fleet: Fleet | None, alias_id: str = "") -> None:
        if fleet is None and not alias_id:
            return
        name, slots = self.place(fleet), self.chance.randint(0, 4)
        expected = self.model.begin(fleet, name) if fleet else "TerminalRoutingStrategyException"
        by = {"AliasId": alias_id} if alias_id else {"FleetId": fleet.id if fleet else ""}
        made = self.call(expected, "CreateGameSession", **by, Location=name, MaximumPlayerSessionCount=slots)
        if made is not None and fleet is not None:
            session = made["GameSession"]
            host = session["ComputeName"]
            assert session["FleetId"] == fleet.id and session["Status"] == "ACTIVATING"
            assert host in fleet.places[name].in_status("ACTIVE") and self.model.free(fleet, host) > 0
            fuller = [other for other in fleet.places[name].in_status("ACTIVE") if self.model.free(fleet, other) > 0]
            assert self.model.free(fleet, host) == min(self.model.free(fleet, other) for other in fuller)
            assert session["GameSessionId"] not in self.model.sessions
            self.model.sessions[session["GameSessionId"]] = Session(fleet.id, name, host, slots)

    def join(self) -> None:
        if (chosen := self.session()) is None:
            return
        id, session = chosen
        names = [f"player-{number}" for number in range(self.chance.randint(1, 3))]
        made = self.call(
            self.model.join(session, len(names)), "CreatePlayerSessions", GameSessionId=id, PlayerIds=names
        )
        if made is not None:
            assert [one["PlayerId"] for one in made["PlayerSessions"]] == names
            for one in made["PlayerSessions"]:
                taken = {name for other in self.model.sessions.values() for name in other.players}
                assert one["PlayerSessionId"] not in taken, "a player session came twice"
                session.players[one["PlayerSessionId"]] = Player("RESERVED", self.model.now + RESERVED_S)

    def accept(self) -> None:
        self._say(processes.accept_player, ("RESERVED",), "ACTIVE")

    def remove(self) -> None:
        self._say(processes.remove_player, ("RESERVED", "ACTIVE"), "COMPLETED")

    def _say(self, word: Callable[..., None], sources: tuple[str, ...], target: str) -> None:
        """Say something about a player as the game server that has the session."""
        joined = [
            (id, name, one) for id, session in self.model.sessions.items() for name, one in session.players.items()
        ]
        likely = [item for item in joined if item[2].status in sources]
        chosen = likely if likely and self.chance.random() < 0.9 else joined
        if not chosen:
            return
        id, name, player = self.chance.choice(chosen)
        self.log.append(f"    {word.__name__} {name} {player.status}")
        key = "/".join((self.model.sessions[id].fleet, id.rpartition("/")[2]))

        def say(ctx: Context) -> None:
            session = GAME_SESSIONS(ctx).get(key)
            assert session is not None
            word(ctx, session["_Process"], id, name)

        if player.status in sources:
            self.stage.change(say)
            player.status = target
        else:
            with pytest.raises(ServiceError):
                self.stage.change(say)

    def change(self) -> None:
        if (chosen := self.session()) is None:
            return
        id, session = chosen
        slots, is_open = self.chance.randint(0, 6), self.chance.random() < 0.8
        params = {"PlayerSessionCreationPolicy": "ACCEPT_ALL" if is_open else "DENY_ALL"}
        expected = self.model.change(session, slots)
        if (
            self.call(expected, "UpdateGameSession", GameSessionId=id, MaximumPlayerSessionCount=slots, **params)
            is not None
        ):
            session.slots, session.open = slots, is_open

    def terminate(self) -> None:
        if (chosen := self.session()) is None:
            return
        id, session = chosen
        mode = self.chance.choice(("TRIGGER_ON_PROCESS_TERMINATE", "FORCE_TERMINATE"))
        expected = self.model.terminate(session)
        if self.call(expected, "TerminateGameSession", GameSessionId=id, TerminationMode=mode) is not None:
            self.model.end(session)

    def wait(self) -> None:
        self._wait(self.chance.choice((1, 1, 2, 3, 7)))

    def wait_for_fleet(self) -> None:
        self._wait(CREATION_S)

    def wait_long(self) -> None:
        self._wait(self.chance.choice((20, 60, 60, 121)))

    def _wait(self, seconds: int) -> None:
        self.log.append(f"    for {seconds} s")
        left = seconds
        while left:
            quiet = min(left, self.model.quiet())
            step = max(1, quiet)
            for _ in range(step):
                self.model.tick()
            self.stage.advance(step, step=step)
            if not quiet:
                self.see_hosts()
            left -= step


OPENING = (
    Play.make_build,
    Play.create_fleet,
    Play.create_fleet,
    Play.wait_for_fleet,
    Play.resize,
    Play.put_policy,
    Play.wait,
)
"""How each run begins, so that there is something to play with."""

WEIGHTS: dict[Callable[[Play], None], int] = {
    Play.make_build: 3,
    Play.delete_build: 1,
    Play.create_fleet: 6,
    Play.delete_fleet: 1,
    Play.add_place: 2,
    Play.drop_place: 1,
    Play.resize: 6,
    Play.act: 4,
    Play.put_policy: 6,
    Play.drop_policy: 1,
    Play.point: 2,
    Play.drop_alias: 1,
    Play.begin: 14,
    Play.begin_by_alias: 3,
    Play.join: 12,
    Play.accept: 10,
    Play.remove: 5,
    Play.change: 3,
    Play.terminate: 4,
    Play.wait: 8,
    Play.wait_long: 9,
}


def run(seed: int) -> Play:
    """Play a run; say how to repeat it when it fails."""
    with tempfile.TemporaryDirectory(dir=MEMORY) as path:
        play = Play(Path(path), seed)
        try:
            play.run()
        except Exception:
            print("\n".join(play.log[-40:]))
            print(f"again: APITRAIL_SEED={seed} python -m pytest tests/property/test_gamelift_model.py")
            raise
        finally:
            play.stage.close()
    return play


@pytest.mark.timeout(BUDGET_S + 120)
def test_the_server_does_what_the_model_says() -> None:
    seeds = iter([int(CHOSEN)]) if CHOSEN else iter(range(10**9))
    until = time.monotonic() + BUDGET_S
    played = 0
    for seed in seeds:
        run(seed)
        played += 1
        if time.monotonic() > until:
            break
    print(f"{played} runs of {DEEDS} deeds")
    assert played > 0


def test_a_seed_is_the_same_run_again() -> None:
    first, second = run(7), run(7)
    assert first.log == second.log
    assert list(first.model.sessions) == list(second.model.sessions)
