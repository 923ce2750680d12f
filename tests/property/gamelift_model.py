"""A small model of GameLift: fleets, capacity, game sessions and players, as the API's documentation has them.

It knows nothing of the product. Time is whole seconds. Each question returns the code of the error that a call must
end in, or "". What the service may choose freely (ids, which host) is told to the model, which checks that it may be so.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass, field

PROCESSES = 2
"""Server processes of an instance."""

RESERVED_S = 60
REMOTE_S = 5
"""How long a policy takes to reach a remote location."""

KEPT_S = 60
LONG_S = 86_400
STEPS = {"NEW": ("DOWNLOADING", 1), "DOWNLOADING": ("VALIDATING", 2), "VALIDATING": ("BUILDING", 1)}
STEPS |= {"BUILDING": ("ACTIVATING", 2), "DELETING": ("TERMINATED", 2), "TERMINATED": ("", KEPT_S)}
"""Where a location goes by itself, and after how many seconds."""

NOT_FOUND, REFUSED, LIMIT = "NotFoundException", "InvalidRequestException", "LimitExceededException"
FLEET_STATUS, SESSION_STATUS = "InvalidFleetStatusException", "InvalidGameSessionStatusException"
NO_ROOM, FULL = "FleetCapacityExceededException", "GameSessionFullException"


@dataclass
class Player:
    """A player session. until: when its reservation ends."""

    status: str
    until: int


@dataclass
class Session:
    """A game session. host: the instance that it is on."""

    fleet: str
    place: str
    host: str
    slots: int
    status: str = "ACTIVE"
    open: bool = True
    players: dict[str, Player] = field(default_factory=dict)

    def taken(self) -> int:
        return sum(player.status in ("RESERVED", "ACTIVE") for player in self.players.values())

    def connected(self) -> int:
        return sum(player.status == "ACTIVE" for player in self.players.values())


@dataclass
class Place:
    """A location of a fleet. since: when it came into its status. hosts: status and time of each instance."""

    name: str
    since: int
    home: bool
    status: str = "NEW"
    desired: int = 1
    least: int = 0
    most: int = 1
    stopped: bool = False
    hosts: dict[str, tuple[str, int]] = field(default_factory=dict)

    def move(self, status: str, now: int) -> None:
        self.status, self.since = status, now

    def living(self) -> list[str]:
        return [host for host, (status, _) in self.hosts.items() if status != "TERMINATING"]

    def in_status(self, status: str) -> list[str]:
        return [host for host, (found, _) in self.hosts.items() if found == status]


@dataclass
class Fleet:
    """policy: the target of its scaling policy, and when it was put."""

    id: str
    build: str
    places: dict[str, Place]
    status: str = "NEW"
    since: int = 0
    policy: tuple[float, int] | None = None

    def there(self, name: str) -> Place | None:
        """Return a location that can still be named."""
        place = self.places.get(name)
        return None if place is None or place.status in ("TERMINATED", "") else place


class Model:
    """quota: instances per location. home: the region."""

    def __init__(self, home: str, quota: int) -> None:
        self.now = 0
        self.home = home
        self.quota = quota
        self.builds: set[str] = set()
        self.fleets: dict[str, Fleet] = {}
        self.sessions: dict[str, Session] = {}
        self.aliases: dict[str, str] = {}
        self.watches: list[tuple[int, str, str]] = []

    # Questions: which error a call must end in.

    def room(self, place: str) -> int:
        """Return how many more instances may be desired in a location."""
        counted = (fleet.places.get(place) for fleet in self.fleets.values())
        alive = (one.desired for one in counted if one is not None and one.status not in ("DELETING", "TERMINATED", ""))
        return self.quota - sum(alive)

    def create_fleet(self, build: str, places: list[str]) -> str:
        if build not in self.builds:
            return NOT_FOUND
        return LIMIT if any(self.room(place) < 1 for place in {self.home, *places}) else ""

    def delete_fleet(self, fleet: Fleet) -> str:
        return self.gone(fleet) or ("" if fleet.status in ("ACTIVE", "ERROR") else REFUSED)

    def gone(self, fleet: Fleet) -> str:
        return "" if fleet.status else NOT_FOUND

    def add_place(self, fleet: Fleet, name: str) -> str:
        if self.gone(fleet) or fleet.status != "ACTIVE":
            return self.gone(fleet) or FLEET_STATUS
        if fleet.there(name):
            return "ConflictException"
        if fleet.build not in self.builds:
            return "NotReadyException"
        return "" if self.room(name) >= 1 else LIMIT

    def drop_place(self, fleet: Fleet, name: str) -> str:
        if self.gone(fleet) or fleet.there(name) is None:
            return NOT_FOUND
        return REFUSED if name == self.home else ""

    def resize(self, fleet: Fleet, name: str, sizes: tuple[int, int, int]) -> str:
        if self.gone(fleet):
            return NOT_FOUND
        if fleet.status != "ACTIVE":
            return FLEET_STATUS
        place = fleet.there(name)
        if place is None or place.status != "ACTIVE":
            return NOT_FOUND if place is None else FLEET_STATUS
        desired, least, most = sizes
        if not least <= desired <= most:
            return REFUSED
        return LIMIT if desired > place.desired and desired - place.desired > self.room(name) else ""

    def act(self, fleet: Fleet, name: str) -> str:
        if self.gone(fleet):
            return NOT_FOUND
        if fleet.status in ("DELETING", "TERMINATED"):
            return REFUSED
        return "" if fleet.there(name) else NOT_FOUND

    def put_policy(self, fleet: Fleet) -> str:
        return self.gone(fleet) or (REFUSED if fleet.status in ("ERROR", "DELETING", "TERMINATED") else "")

    def drop_policy(self, fleet: Fleet) -> str:
        return self.gone(fleet) or ("" if fleet.policy else NOT_FOUND)

    def point(self, fleet: Fleet) -> str:
        return REFUSED if fleet.status in ("TERMINATED", "") else ""

    def begin(self, fleet: Fleet, name: str) -> str:
        if self.gone(fleet):
            return NOT_FOUND
        if fleet.status != "ACTIVE":
            return FLEET_STATUS
        place = fleet.there(name)
        if place is None or place.status != "ACTIVE":
            return REFUSED if place is None else FLEET_STATUS
        return "" if any(self.free(fleet, host) for host in place.in_status("ACTIVE")) else NO_ROOM

    def join(self, session: Session, count: int) -> str:
        if session.status != "ACTIVE":
            return SESSION_STATUS
        if not session.open:
            return REFUSED
        return FULL if session.taken() + count > session.slots else ""

    def change(self, session: Session, slots: int) -> str:
        if session.status != "ACTIVE":
            return SESSION_STATUS
        return REFUSED if slots < session.taken() else ""

    def terminate(self, session: Session) -> str:
        return "" if session.status == "ACTIVE" else SESSION_STATUS

    # Changes.

    def on(self, fleet: str, place: str = "", host: str = "") -> Iterator[Session]:
        """Yield the live sessions of a fleet, of one place or host."""
        for session in self.sessions.values():
            here = session.fleet == fleet and place in ("", session.place) and host in ("", session.host)
            if here and session.status == "ACTIVE":
                yield session

    def free(self, fleet: Fleet, host: str) -> int:
        return PROCESSES - sum(1 for _ in self.on(fleet.id, host=host))

    def end(self, session: Session) -> None:
        session.status = "TERMINATED"
        for player in session.players.values():
            player.status = {"RESERVED": "TIMEDOUT", "ACTIVE": "COMPLETED"}.get(player.status, player.status)

    def end_place(self, place: Place) -> None:
        if place.status not in ("DELETING", "TERMINATED", ""):
            place.move("DELETING", self.now)

    def end_fleet(self, fleet: Fleet) -> None:
        fleet.status, fleet.policy = "DELETING", None
        for place in fleet.places.values():
            self.end_place(place)
        self._finish(fleet)

    def watch(self, fleet: Fleet) -> None:
        """Begin to evaluate a fleet's policy wherever that has not begun."""
        watched = {(id, name) for _, id, name in self.watches}
        for place in fleet.places.values():
            lasts = place.status not in ("DELETING", "TERMINATED", "")
            if fleet.policy and lasts and (fleet.id, place.name) not in watched:
                self.watches.append((self.now + 60, fleet.id, place.name))

    def tick(self) -> None:
        """Let a second pass. Policies come first, since their timers are the oldest of those that are due together."""
        self.now += 1
        for watch in [watch for watch in self.watches if watch[0] == self.now]:
            self.watches.remove(watch)
            self._evaluate(self.fleets[watch[1]], watch[2])
        for fleet in self.fleets.values():
            for place in fleet.places.values():
                self._step(fleet, place)
            self._finish(fleet)
        for session in self.sessions.values():
            for player in session.players.values():
                if player.status == "RESERVED" and player.until <= self.now:
                    player.status = "TIMEDOUT"

    def quiet(self) -> int:
        """Return for how many seconds no instance and no location will change, if nobody does anything."""
        places = [place for fleet in self.fleets.values() for place in fleet.places.values()]
        moving = any(place.status in STEPS and place.status != "TERMINATED" for place in places)
        if moving or any(status != "ACTIVE" for place in places for status, _ in place.hosts.values()):
            return 0
        return min((due - 1 - self.now for due, *_ in self.watches), default=LONG_S)

    def _evaluate(self, fleet: Fleet, name: str) -> None:
        place = fleet.places[name]
        if not fleet.policy or place.status in ("ERROR", "DELETING", "TERMINATED", ""):
            return
        self.watches.append((self.now + 60, fleet.id, name))
        target, put_at = fleet.policy
        if place.status != "ACTIVE" or place.stopped or (not place.home and self.now <= put_at + REMOTE_S):
            return
        used = sum(1 for _ in self.on(fleet.id, name))
        wanted = max(place.least, min(place.most, math.ceil(used / (1 - target / 100) / PROCESSES)))
        place.desired = min(wanted, max(place.desired, place.desired + self.room(name)))

    def _step(self, fleet: Fleet, place: Place) -> None:
        after = STEPS.get(place.status)
        if after is not None and self.now == place.since + after[1]:
            lost = after[0] == "VALIDATING" and fleet.build not in self.builds
            place.move("ERROR" if lost else after[0], self.now)
        if place.home and fleet.status not in ("DELETING", "TERMINATED", ""):
            fleet.status = place.status

    def _finish(self, fleet: Fleet) -> None:
        if fleet.status == "DELETING" and all(place.status in ("TERMINATED", "") for place in fleet.places.values()):
            fleet.status, fleet.since = "TERMINATED", self.now
        elif fleet.status == "TERMINATED" and self.now == fleet.since + KEPT_S:
            fleet.status = ""

    # What the service chose.

    def see_hosts(self, fleet: Fleet, place: Place, seen: dict[str, str]) -> None:
        """Take over the instances of a place, by status, if they may be so."""
        before = dict(place.hosts)
        place.hosts = {host: self._seen(before.get(host), host, status) for host, status in seen.items()}
        for host in before.keys() - seen.keys():
            assert before[host] == ("TERMINATING", self.now - 1), f"{host} was {before[host]} at {self.now}"
        wanted = place.desired if place.status in ("ACTIVATING", "ACTIVE") else 0
        assert len(place.living()) == wanted, f"{place}: {wanted} instances are wanted"
        stopped = [host for host in place.in_status("TERMINATING") if before.get(host, ("",))[0] != "TERMINATING"]
        loads = {host: PROCESSES - self.free(fleet, host) for host in seen}
        for host in stopped:
            least = min((loads[other] for other in place.living()), default=PROCESSES)
            assert loads[host] <= least, f"{host} with {loads[host]} sessions was stopped, not one with {least}"
        for host in stopped:
            for session in self.on(fleet.id, host=host):
                self.end(session)
        if place.status == "ACTIVATING" and place.in_status("ACTIVE"):
            place.move("ACTIVE", self.now)
            if place.home:
                fleet.status = "ACTIVE"

    def _seen(self, before: tuple[str, int] | None, host: str, status: str) -> tuple[str, int]:
        """Return the new status and time of an instance."""
        if before is None:
            assert status == "PENDING", f"{host} is new and {status}"
            return status, self.now
        if before[0] == status:
            assert status == "ACTIVE" or self.now == before[1], f"{host} was {before} at {self.now}"
            return before
        assert (before[0], status) != ("ACTIVE", "PENDING") and before[0] != "TERMINATING", (
            f"{host}: {before} to {status}"
        )
        if status == "ACTIVE":
            assert self.now == before[1] + 1, f"{host} became ACTIVE at {self.now}, not a second after {before[1]}"
        return status, self.now
