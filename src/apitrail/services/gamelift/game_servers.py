"""Game servers of FleetIQ: registered by themselves, updated, listed, deregistered; and the instances they run on.

A game server's id is unique in the account, over all groups and regions. Claims are in game_server_claims.py.
Source: GameLift API Reference, the operations on game servers.
"""

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from apitrail.services.context import Context
from apitrail.services.gamelift.arns import find_id
from apitrail.services.gamelift.collections import GAME_SERVERS, SERVER_GROUPS, SERVER_INSTANCES
from apitrail.services.gamelift.errors import ConflictException, InvalidRequestException, NotFoundException
from apitrail.services.gamelift.game_server_steps import move_server, remove_server
from apitrail.services.gamelift.pages import page_of
from apitrail.services.gamelift.server_group_steps import DELETING
from apitrail.services.gamelift.server_groups import get_group
from apitrail.services.operation import operation, timer
from apitrail.store.resources import Doc

if TYPE_CHECKING:
    from mypy_boto3_gamelift.type_defs import (
        DeregisterGameServerInputTypeDef,
        DescribeGameServerInputTypeDef,
        DescribeGameServerInstancesInputTypeDef,
        ListGameServersInputTypeDef,
        RegisterGameServerInputTypeDef,
        UpdateGameServerInputTypeDef,
    )

HEALTH_CHECK = "gamelift/game-server-health"
TEXTS = ("ConnectionInfo", "GameServerData")


@operation
def register_game_server(ctx: Context, params: "RegisterGameServerInputTypeDef") -> dict[str, Any]:
    """Add a game server to a group, AVAILABLE, and its instance, if it is new.

    Raises: InvalidRequestException (unknown group, since the model has no NotFoundException here; group not ACTIVE);
    ConflictException (the id is taken in the account).
    """
    group = _listed_group(ctx, params["GameServerGroupName"])
    if group["Status"] != "ACTIVE":
        raise InvalidRequestException(
            f"Game server group {group['GameServerGroupName']} is in status {group['Status']}; it must be ACTIVE."
        )
    server_id = params["GameServerId"]
    if GAME_SERVERS(ctx).has(server_id):
        raise ConflictException(f"Game server {server_id} is registered already.")
    names = {name: group[name] for name in ("GameServerGroupName", "GameServerGroupArn")}
    server: Doc = {
        **names,
        "GameServerId": server_id,
        "InstanceId": params["InstanceId"],
        **{name: value for name, value in params.items() if name in TEXTS},
        "RegistrationTime": ctx.now,
        "LastHealthCheckTime": ctx.now,
    }
    move_server(ctx, server, "AVAILABLE")
    SERVER_INSTANCES(ctx).put(
        f"{group['GameServerGroupArn']}/{params['InstanceId']}", {**names, "InstanceId": params["InstanceId"]}
    )
    if ctx.settings.gamelift.game_server_health_s:
        ctx.schedule(HEALTH_CHECK, {"GameServerId": server_id}, ctx.settings.gamelift.game_server_health_s)
    return {"GameServer": server}


@operation
def describe_game_server(ctx: Context, params: "DescribeGameServerInputTypeDef") -> dict[str, Any]:
    """Return a game server. Raises: NotFoundException (group; no such game server in it)."""
    return {"GameServer": get_server(ctx, params["GameServerGroupName"], params["GameServerId"])}


@operation
def list_game_servers(ctx: Context, params: "ListGameServersInputTypeDef") -> dict[str, Any]:
    """Return a group's game servers, oldest or newest registration first.

    Raises: InvalidRequestException (token; unknown group, since the model has no NotFoundException here).
    """
    group = _listed_group(ctx, params["GameServerGroupName"])
    where = ("GameServerGroupArn", group["GameServerGroupArn"])
    newest_first = params.get("SortOrder") == "DESCENDING"
    page, token = page_of(ctx, "ListGameServers", params, GAME_SERVERS(ctx), where=where, newest_first=newest_first)
    return {"GameServers": page, "NextToken": token}


@operation
def update_game_server(ctx: Context, params: "UpdateGameServerInputTypeDef") -> dict[str, Any]:
    """Change a game server's data, note that it is UTILIZED, which ends a claim, or that it is healthy.

    Raises: NotFoundException; InvalidRequestException (from UTILIZED back to AVAILABLE).
    """
    server = get_server(ctx, params["GameServerGroupName"], params["GameServerId"])
    wanted = params.get("UtilizationStatus", server["UtilizationStatus"])
    if (server["UtilizationStatus"], wanted) == ("UTILIZED", "AVAILABLE"):
        raise InvalidRequestException(
            f"Game server {server['GameServerId']} is UTILIZED; it cannot become AVAILABLE again."
        )
    if "GameServerData" in params:
        server["GameServerData"] = params["GameServerData"]
    if "HealthCheck" in params:
        server["LastHealthCheckTime"] = ctx.now
    state = "UTILIZED" if wanted == "UTILIZED" else server.get("ClaimStatus", "AVAILABLE")
    move_server(ctx, server, state)
    return {"GameServer": server}


@operation
def deregister_game_server(ctx: Context, params: "DeregisterGameServerInputTypeDef") -> None:
    """Remove a game server from its group. Raises: NotFoundException."""
    remove_server(ctx, get_server(ctx, params["GameServerGroupName"], params["GameServerId"]))


@operation
def describe_game_server_instances(ctx: Context, params: "DescribeGameServerInstancesInputTypeDef") -> dict[str, Any]:
    """Return the instances that game servers of a group were registered from, or those asked for among them.

    Inferred: they are ACTIVE, and DRAINING once the group is being deleted; unknown ones are left out.
    Raises: NotFoundException (group); InvalidRequestException (token).
    """
    group = get_group(ctx, params["GameServerGroupName"])
    asked = set(params.get("InstanceIds", ()))
    page, token = page_of(
        ctx,
        "DescribeGameServerInstances",
        params,
        SERVER_INSTANCES(ctx),
        where=("GameServerGroupArn", group["GameServerGroupArn"]),
        keep=(lambda doc: doc["InstanceId"] in asked) if asked else None,
    )
    status = instance_status(group)
    return {"GameServerInstances": [{**doc, "InstanceStatus": status} for doc in page], "NextToken": token}


def get_server(ctx: Context, group_text: str, server_id: str) -> Doc:
    """Return a game server of a group. Raises: NotFoundException."""
    group = get_group(ctx, group_text)
    server = GAME_SERVERS(ctx).get(server_id)
    if server is None or server["GameServerGroupArn"] != group["GameServerGroupArn"]:
        raise NotFoundException(f"Game server {server_id} was not found in group {group['GameServerGroupName']}.")
    return server


def instance_status(group: Doc) -> str:
    """Return the status of every instance of a group."""
    return "DRAINING" if group["Status"] in DELETING else "ACTIVE"


@timer(HEALTH_CHECK)
def check_health(ctx: Context, doc: Doc) -> None:
    """Deregister a game server that has not said that it is healthy for as long as the settings allow."""
    server = GAME_SERVERS(ctx).get(doc["GameServerId"])
    allowed = ctx.settings.gamelift.game_server_health_s
    if server is None or not allowed:
        return
    left = server["LastHealthCheckTime"] + timedelta(seconds=allowed) - ctx.now
    if left > timedelta():
        ctx.schedule(HEALTH_CHECK, doc, left.total_seconds())
    else:
        remove_server(ctx, server)


def _listed_group(ctx: Context, text: str) -> Doc:
    id = find_id(ctx, text, "gameservergroup")
    group = None if id is None else SERVER_GROUPS(ctx).get(id)
    if group is None:
        raise InvalidRequestException(f"Game server group {text} was not found in {ctx.region}.")
    return group
