"""Game server groups of FleetIQ: records of them; their Auto Scaling groups exist by name alone.

What happens to a group over time is in server_group_steps.py. Launch template, sizes, scaling policy and subnets are checked
and kept, but no operation returns them. Source: GameLift API Reference, the operations on game server groups.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from apitrail.services.context import Context
from apitrail.services.gamelift.arns import arn_of, id_of
from apitrail.services.gamelift.collections import SERVER_GROUPS
from apitrail.services.gamelift.errors import ConflictException, InvalidRequestException, NotFoundException
from apitrail.services.gamelift.pages import page_of
from apitrail.services.gamelift.server_group_steps import move_group, put_group, refuse_deleting
from apitrail.services.gamelift.tagging import keep_tags, tags_problem
from apitrail.services.operation import operation
from apitrail.store.resources import Doc

if TYPE_CHECKING:
    from mypy_boto3_gamelift.type_defs import (
        CreateGameServerGroupInputTypeDef,
        DeleteGameServerGroupInputTypeDef,
        DescribeGameServerGroupInputTypeDef,
        ListGameServerGroupsInputTypeDef,
        ResumeGameServerGroupInputTypeDef,
        SuspendGameServerGroupInputTypeDef,
        UpdateGameServerGroupInputTypeDef,
    )

Params = Mapping[str, Any]

UNSHOWN = ("MinSize", "MaxSize", "LaunchTemplate", "AutoScalingPolicy", "VpcSubnets")
CHANGED = ("RoleArn", "BalancingStrategy", "GameServerProtectionPolicy")
WEIGHT = "1"
DELETABLE = ("ACTIVE", "ERROR")


@operation
def create_game_server_group(ctx: Context, params: "CreateGameServerGroupInputTypeDef") -> dict[str, Any]:
    """Create a group in status NEW; it gets its Auto Scaling group's ARN when it becomes ACTIVE.

    Raises: InvalidRequestException (sizes, launch template, an instance type given twice); ConflictException (the name
    is taken). Tags that are not allowed are an InvalidRequestException as well, since the model has no other.
    Inferred: the rules for sizes and instance types; the order of the checks.
    """
    _check_sizes(params)
    _check_template(params["LaunchTemplate"])
    definitions = _definitions(params["InstanceDefinitions"])
    _check_tags(params)
    name = params["GameServerGroupName"]
    if SERVER_GROUPS(ctx).has(name):
        raise ConflictException(f"Game server group {name} exists already in {ctx.region}.")
    group: Doc = {
        "GameServerGroupName": name,
        "GameServerGroupArn": arn_of(ctx, "gameservergroup", name),
        "InstanceDefinitions": definitions,
        "BalancingStrategy": "SPOT_PREFERRED",
        "GameServerProtectionPolicy": "NO_PROTECTION",
        **{member: value for member, value in params.items() if member in CHANGED},
        "CreationTime": ctx.now,
        "LastUpdatedTime": ctx.now,
        "_Unshown": {member: value for member, value in params.items() if member in UNSHOWN},
        "_Utilized": 0,
    }
    move_group(ctx, group, "NEW")
    keep_tags(ctx, group["GameServerGroupArn"], params)
    return {"GameServerGroup": group}


@operation
def describe_game_server_group(ctx: Context, params: "DescribeGameServerGroupInputTypeDef") -> dict[str, Any]:
    """Return a group. Raises: NotFoundException."""
    return {"GameServerGroup": get_group(ctx, params["GameServerGroupName"])}


@operation
def list_game_server_groups(ctx: Context, params: "ListGameServerGroupsInputTypeDef") -> dict[str, Any]:
    """Return the groups of the account and region. Raises: InvalidRequestException (token)."""
    page, token = page_of(ctx, "ListGameServerGroups", params, SERVER_GROUPS(ctx))
    return {"GameServerGroups": page, "NextToken": token}


@operation
def update_game_server_group(ctx: Context, params: "UpdateGameServerGroupInputTypeDef") -> dict[str, Any]:
    """Change what is given; instance definitions replace the whole list.

    Raises: InvalidRequestException (an instance type given twice; a group that is being deleted, inferred);
    NotFoundException.
    """
    definitions = _definitions(params["InstanceDefinitions"]) if "InstanceDefinitions" in params else None
    group = get_group(ctx, params["GameServerGroupName"])
    refuse_deleting(group)
    group |= {name: value for name, value in params.items() if name in CHANGED}
    if definitions is not None:
        group["InstanceDefinitions"] = definitions
    return _updated(ctx, group)


@operation
def delete_game_server_group(ctx: Context, params: "DeleteGameServerGroupInputTypeDef") -> dict[str, Any]:
    """Plan the deletion of a group and return it, DELETE_SCHEDULED.

    SAFE_DELETE (the default) and RETAIN wait until none of its game servers is UTILIZED, FORCE_DELETE does not.
    Raises: NotFoundException; InvalidRequestException unless it is ACTIVE or ERROR.
    """
    group = get_group(ctx, params["GameServerGroupName"])
    if group["Status"] not in DELETABLE:
        raise InvalidRequestException(
            f"Game server group {group['GameServerGroupName']} is in status {group['Status']}; only groups that are ACTIVE "
            "or ERROR can be deleted."
        )
    group["_Force"] = params.get("DeleteOption") == "FORCE_DELETE"
    group["LastUpdatedTime"] = ctx.now
    move_group(ctx, group, "DELETE_SCHEDULED")
    return {"GameServerGroup": group}


@operation
def suspend_game_server_group(ctx: Context, params: "SuspendGameServerGroupInputTypeDef") -> dict[str, Any]:
    """Add to a group's suspended actions. Raises: NotFoundException; InvalidRequestException (as UpdateGameServerGroup)."""
    group = get_group(ctx, params["GameServerGroupName"])
    refuse_deleting(group)
    group["SuspendedActions"] = sorted({*group.get("SuspendedActions", ()), *params["SuspendActions"]})
    return _updated(ctx, group)


@operation
def resume_game_server_group(ctx: Context, params: "ResumeGameServerGroupInputTypeDef") -> dict[str, Any]:
    """Take from a group's suspended actions. Raises: NotFoundException; InvalidRequestException (as UpdateGameServerGroup)."""
    group = get_group(ctx, params["GameServerGroupName"])
    refuse_deleting(group)
    group["SuspendedActions"] = sorted(set(group.get("SuspendedActions", ())) - set(params["ResumeActions"]))
    return _updated(ctx, group)


def get_group(ctx: Context, text: str) -> Doc:
    """Return the group of a name or ARN. Raises: NotFoundException."""
    group = SERVER_GROUPS(ctx).get(id_of(ctx, text, "gameservergroup"))
    if group is None:
        raise NotFoundException(f"Game server group {text} was not found in {ctx.region}.")
    return group


def _updated(ctx: Context, group: Doc) -> dict[str, Any]:
    if not group.get("SuspendedActions"):
        group.pop("SuspendedActions", None)
    group["LastUpdatedTime"] = ctx.now
    put_group(ctx, group)
    return {"GameServerGroup": group}


def _check_sizes(params: Params) -> None:
    if params["MinSize"] > params["MaxSize"]:
        raise InvalidRequestException(
            f"MinSize {params['MinSize']} must not be greater than MaxSize {params['MaxSize']}."
        )


def _check_template(template: Params) -> None:
    if ("LaunchTemplateId" in template) == ("LaunchTemplateName" in template):
        raise InvalidRequestException("LaunchTemplate must have either LaunchTemplateId or LaunchTemplateName.")


def _check_tags(params: Params) -> None:
    problem = tags_problem(params.get("Tags", ()))
    if problem is not None:
        raise InvalidRequestException(problem)


def _definitions(given: Any) -> list[Doc]:
    """Return the instance definitions with the default weight. Raises: InvalidRequestException for a type given twice."""
    types = [definition["InstanceType"] for definition in given]
    twice = sorted({type_ for type_ in types if types.count(type_) > 1})
    if twice:
        raise InvalidRequestException(f"Instance type {twice[0]} is given more than once.")
    return [{"WeightedCapacity": WEIGHT, **definition} for definition in given]
