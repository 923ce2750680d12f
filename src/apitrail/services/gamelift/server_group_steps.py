"""What happens to game server groups over time: activation, and deletion with all their game servers.

The steps are those of states.SERVER_GROUP. Source: GameLift API Reference, GameServerGroup, DeleteGameServerGroup.
"""

from apitrail.arn import parse_arn
from apitrail.services.context import Context
from apitrail.services.gamelift.collections import GAME_SERVERS, SERVER_GROUPS, SERVER_INSTANCES
from apitrail.services.gamelift.errors import InvalidRequestException
from apitrail.services.gamelift.states import GONE, SERVER_GROUP, delay
from apitrail.services.gamelift.tagging import drop_tags
from apitrail.services.operation import timer
from apitrail.store.resources import Collection, Doc

STEP = "gamelift/server-group-step"
CLEAR = "gamelift/clear-server-group"

CLEAR_COUNT = 200
DELETING = ("DELETE_SCHEDULED", "DELETING")


def put_group(ctx: Context, group: Doc) -> None:
    """Store a group."""
    SERVER_GROUPS(ctx).put(group["GameServerGroupName"], group)


def move_group(ctx: Context, group: Doc, target: str) -> None:
    """Take a group to another state, store it and plan the step that follows by itself. A new group has no Status."""
    SERVER_GROUP.step(group.get("Status", GONE), target)
    group["Status"] = target
    put_group(ctx, group)
    plan(ctx, group)


def plan(ctx: Context, group: Doc) -> None:
    """Plan the step that a group takes by itself out of its state, if there is one."""
    step = SERVER_GROUP.timed(group["Status"])
    if step is not None and step.delay_s is not None:
        name = {"GameServerGroupName": group["GameServerGroupName"], "Status": group["Status"]}
        ctx.schedule(STEP, name, delay(ctx, step.delay_s))


def refuse_deleting(group: Doc) -> None:
    """Raise InvalidRequestException when the group is being deleted."""
    if group["Status"] in DELETING:
        raise InvalidRequestException(
            f"Game server group {group['GameServerGroupName']} is in status {group['Status']} and can no longer be changed."
        )


def utilized_changed(ctx: Context, name: str, change: int) -> None:
    """Count a group's game servers that are UTILIZED; the last one to go lets a waiting deletion go on."""
    group = SERVER_GROUPS(ctx).get(name)
    assert group is not None, "a group outlives its game servers"
    group["_Utilized"] += change
    goes_on = group.get("_Waiting") and not group["_Utilized"]
    if goes_on:
        del group["_Waiting"]
    put_group(ctx, group)
    if goes_on:
        plan(ctx, group)


@timer(STEP)
def take_group_step(ctx: Context, doc: Doc) -> None:
    """Take the step that a group makes by itself after some time in a state."""
    group = SERVER_GROUPS(ctx).get(doc["GameServerGroupName"])
    if group is None or group["Status"] != doc["Status"]:
        return
    if group["Status"] == "ACTIVATING":
        _activate(ctx, group)
    elif group["Status"] == "DELETE_SCHEDULED":
        _begin_deletion(ctx, group)
    elif group["Status"] == "DELETING":
        clear_group(ctx, doc)
    else:
        move_group(ctx, group, "ACTIVATING")


@timer(CLEAR)
def clear_group(ctx: Context, doc: Doc) -> None:
    """Remove a group's game servers and instances, some at a time, and then the group itself."""
    group = SERVER_GROUPS(ctx).get(doc["GameServerGroupName"])
    if group is None:
        return
    arn = group["GameServerGroupArn"]
    if _removed(ctx, GAME_SERVERS, arn) or _removed(ctx, SERVER_INSTANCES, arn):
        ctx.schedule(CLEAR, doc, 0)
        return
    SERVER_GROUP.step("DELETING", GONE)
    drop_tags(ctx, arn)
    SERVER_GROUPS(ctx).delete(group["GameServerGroupName"])


def _activate(ctx: Context, group: Doc) -> None:
    """Give a group its Auto Scaling group. Inferred: with another account's role it ends in ERROR."""
    role = parse_arn(group["RoleArn"])
    if role is None or role.account != ctx.account:
        group["StatusReason"] = f"GameLift cannot assume the role {group['RoleArn']}."
        move_group(ctx, group, "ERROR")
        return
    name = f"gamelift-gameservergroup-{group['GameServerGroupName']}"
    resource = f"autoScalingGroup:{ctx.ids.uuid()}:autoScalingGroupName/{name}"
    group["AutoScalingGroupArn"] = ctx.arn("autoscaling", resource)
    move_group(ctx, group, "ACTIVE")


def _begin_deletion(ctx: Context, group: Doc) -> None:
    """Go on with a deletion, or wait for the game servers that are in use."""
    if group["_Utilized"] and not group["_Force"]:
        group["_Waiting"] = True
        put_group(ctx, group)
        return
    move_group(ctx, group, "DELETING")


def _removed(ctx: Context, collection: Collection, arn: str) -> bool:
    """Remove some of a group's documents and return whether there may be more."""
    documents = collection(ctx)
    found = documents.find("GameServerGroupArn", arn, CLEAR_COUNT)
    for entry in found:
        documents.delete(entry.id)
    return len(found) == CLEAR_COUNT
