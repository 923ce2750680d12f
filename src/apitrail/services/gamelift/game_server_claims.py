"""ClaimGameServer, and claims that lapse.

Source: GameLift API Reference, ClaimGameServer.
"""

from typing import TYPE_CHECKING, Any

from apitrail.services.context import Context
from apitrail.services.gamelift.collections import GAME_SERVERS
from apitrail.services.gamelift.errors import (
    ConflictException,
    InvalidRequestException,
    OutOfCapacityException,
)
from apitrail.services.gamelift.game_server_steps import move_server, state_of
from apitrail.services.gamelift.game_servers import get_server, instance_status
from apitrail.services.gamelift.server_groups import get_group
from apitrail.services.operation import operation, timer
from apitrail.store.resources import Doc

if TYPE_CHECKING:
    from mypy_boto3_gamelift.type_defs import ClaimGameServerInputTypeDef

LAPSE = "gamelift/game-server-claim-lapse"
CLAIM_S = 60.0
"""How long a claim stands until the game server says that it is UTILIZED."""

ANY_STATUS = ("ACTIVE", "DRAINING")


@operation
def claim_game_server(ctx: Context, params: "ClaimGameServerInputTypeDef") -> dict[str, Any]:
    """Reserve a game server for 60 seconds: the given one, or the longest registered of those that are free.

    Raises: InvalidRequestException (a filter without ACTIVE); NotFoundException; ConflictException (the given
    one is claimed, in use, or on an instance that the filter excludes); OutOfCapacityException (none is free).
    """
    allowed = params.get("FilterOption", {}).get("InstanceStatuses", ANY_STATUS)
    if "ACTIVE" not in allowed:
        raise InvalidRequestException("FilterOption.InstanceStatuses must contain ACTIVE.")
    group = get_group(ctx, params["GameServerGroupName"])
    fits = instance_status(group) in allowed
    server = _asked(ctx, group, params["GameServerId"], fits) if "GameServerId" in params else _best(ctx, group, fits)
    server["LastClaimTime"] = ctx.now
    if "GameServerData" in params:
        server["GameServerData"] = params["GameServerData"]
    move_server(ctx, server, "CLAIMED")
    ctx.schedule(LAPSE, {"GameServerId": server["GameServerId"], "At": ctx.now}, CLAIM_S)
    return {"GameServer": server}


@timer(LAPSE)
def lapse_claim(ctx: Context, doc: Doc) -> None:
    """Free a game server whose claim nobody has used."""
    server = GAME_SERVERS(ctx).get(doc["GameServerId"])
    if server is not None and state_of(server) == "CLAIMED" and server["LastClaimTime"] == doc["At"]:
        move_server(ctx, server, "AVAILABLE")


def _asked(ctx: Context, group: Doc, server_id: str, fits: bool) -> Doc:
    server = get_server(ctx, group["GameServerGroupName"], server_id)
    state = state_of(server)
    if state != "AVAILABLE":
        raise ConflictException(f"Game server {server_id} is {state} and cannot be claimed.")
    if not fits:
        raise ConflictException(f"Game server {server_id} is on an instance that is {instance_status(group)}.")
    return server


def _best(ctx: Context, group: Doc, fits: bool) -> Doc:
    found = GAME_SERVERS(ctx).find("free", group["GameServerGroupArn"], 1) if fits else []
    if not found:
        raise OutOfCapacityException(
            f"Game server group {group['GameServerGroupName']} has no game server that can be claimed."
        )
    return found[0].doc
