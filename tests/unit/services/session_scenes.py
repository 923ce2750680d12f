"""What tests of sessions begin with: game sessions in a given status, and processes that a test speaks for."""

from typing import Any

from apitrail.services.context import Context
from apitrail.services.gamelift import pool, processes
from apitrail.services.gamelift.collections import GAME_SESSIONS, PROCESSES
from apitrail.testing import Stage

COMPUTE = "desk-1"


def create(stage: Stage, fleet_id: str, **params: Any) -> dict[str, Any]:
    """Create a game session and return it; its status is ACTIVATING."""
    given = {"FleetId": fleet_id, "MaximumPlayerSessionCount": 4, **params}
    return public(stage.call("CreateGameSession", **given)["GameSession"])


def public(doc: dict[str, Any]) -> dict[str, Any]:
    """Return a document as callers see it, without what is ours."""
    return {name: value for name, value in doc.items() if not name.startswith("_")}


def active_session(stage: Stage, fleet_id: str, **params: Any) -> dict[str, Any]:
    """Create a game session, let it become ACTIVE, and return it."""
    session = create(stage, fleet_id, **params)
    stage.settle()
    return see(stage, session)


def see(stage: Stage, session: dict[str, Any]) -> dict[str, Any]:
    """Return a game session as it is now."""
    (found,) = stage.call("DescribeGameSessions", GameSessionId=session["GameSessionId"])["GameSessions"]
    return public(found)


def see_player(stage: Stage, player: dict[str, Any]) -> dict[str, Any]:
    """Return a player session as it is now."""
    found = stage.call("DescribePlayerSessions", PlayerSessionId=player["PlayerSessionId"])["PlayerSessions"]
    return public(found[0])


def join(stage: Stage, session: dict[str, Any], player_id: str = "ana") -> dict[str, Any]:
    """Reserve a slot for a player and return the player session."""
    result = stage.call("CreatePlayerSession", GameSessionId=session["GameSessionId"], PlayerId=player_id)
    return public(result["PlayerSession"])


def process_of(stage: Stage, session: dict[str, Any]) -> str:
    """Return the id of the process that a game session is on."""
    key = "/".join((session["FleetId"], session["GameSessionId"].rpartition("/")[2]))
    found = stage.read(lambda ctx: GAME_SESSIONS(ctx).get(key))
    assert found is not None
    return str(found["_Process"])


def accept(stage: Stage, session: dict[str, Any], player: dict[str, Any]) -> None:
    """Say as the game server that a player is connected."""
    process_id = process_of(stage, session)
    names = (session["GameSessionId"], player["PlayerSessionId"])
    stage.change(lambda ctx: processes.accept_player(ctx, process_id, *names))


def remove(stage: Stage, session: dict[str, Any], player: dict[str, Any]) -> None:
    """Say as the game server that a player has left."""
    process_id = process_of(stage, session)
    names = (session["GameSessionId"], player["PlayerSessionId"])
    stage.change(lambda ctx: processes.remove_player(ctx, process_id, *names))


def add_compute(stage: Stage, fleet_id: str, location: str, *process_ids: str) -> None:
    """Add a compute of the user's with real processes that are ready; nobody answers for them but the test."""

    def add(ctx: Context) -> None:
        fleet = {"FleetId": fleet_id}
        pool.add_host(ctx, fleet, location, COMPUTE, "192.0.2.7", "desk.example.com")
        for number, process_id in enumerate(process_ids):
            processes.process_ready(ctx, fleet_id, COMPUTE, process_id, 9000 + number)

    stage.change(add)


def ready(stage: Stage, fleet_id: str, *process_ids: str) -> str:
    """Say as real processes on the first instance of a fleet that they are ready; return the instance's id."""
    instance_id: str = stage.call("DescribeInstances", FleetId=fleet_id)["Instances"][0]["InstanceId"]

    def say(ctx: Context) -> None:
        for number, process_id in enumerate(process_ids):
            processes.process_ready(ctx, fleet_id, instance_id, process_id, 7000 + number)

    stage.change(say)
    return instance_id


def process_count(stage: Stage, fleet_id: str) -> int:
    """Return how many processes of a fleet the pool knows."""
    return int(stage.read(lambda ctx: sum(entry.doc["FleetId"] == fleet_id for entry in PROCESSES(ctx).all())))
