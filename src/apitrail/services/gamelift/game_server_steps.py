"""Moving a game server between its states, which are its UtilizationStatus and its ClaimStatus together.

The steps are those of states.GAME_SERVER. Source: GameLift API Reference, GameServer.
"""

from apitrail.services.context import Context
from apitrail.services.gamelift.collections import GAME_SERVERS
from apitrail.services.gamelift.server_group_steps import utilized_changed
from apitrail.services.gamelift.states import GAME_SERVER, GONE
from apitrail.store.resources import Doc


def state_of(server: Doc) -> str:
    """Return AVAILABLE, CLAIMED or UTILIZED; GONE for one that is about to be registered."""
    return str(server.get("ClaimStatus") or server.get("UtilizationStatus", GONE))


def move_server(ctx: Context, server: Doc, target: str) -> None:
    """Take a game server to AVAILABLE, CLAIMED or UTILIZED, where it may be already, and store it."""
    source = state_of(server)
    if source != target:
        GAME_SERVER.step(source, target)
    server["UtilizationStatus"] = "UTILIZED" if target == "UTILIZED" else "AVAILABLE"
    if target == "CLAIMED":
        server["ClaimStatus"] = target
    else:
        server.pop("ClaimStatus", None)
    GAME_SERVERS(ctx).put(server["GameServerId"], server)
    if "UTILIZED" in (source, target) and source != target:
        utilized_changed(ctx, server["GameServerGroupName"], 1)


def remove_server(ctx: Context, server: Doc) -> None:
    """Remove a game server."""
    GAME_SERVER.step(state_of(server), GONE)
    GAME_SERVERS(ctx).delete(server["GameServerId"])
    if server["UtilizationStatus"] == "UTILIZED":
        utilized_changed(ctx, server["GameServerGroupName"], -1)
