"""Fleets: CreateFleet, DescribeFleetAttributes, ListFleets, UpdateFleetAttributes, DeleteFleet.

A fleet's document is its FleetAttributes, with the port rules as `_InboundPermissions` and the runtime configuration as
`_RuntimeConfiguration`. What happens over time is in fleet_life.py.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from apitrail.services.context import Context
from apitrail.services.gamelift.arns import arn_of, id_of
from apitrail.services.gamelift.capacity import desired_in
from apitrail.services.gamelift.collections import BUILDS, CUSTOM_LOCATIONS, FLEETS, SCRIPTS
from apitrail.services.gamelift.errors import (
    InvalidRequestException,
    LimitExceededException,
    NotFoundException,
    NotReadyException,
)
from apitrail.services.gamelift.fleet_events import add_event
from apitrail.services.gamelift.fleet_life import end_fleet, location_state, new_location
from apitrail.services.gamelift.fleet_rules import (
    check_new_fleet,
    check_ports_of_system,
    location_names,
    runtime_configuration,
)
from apitrail.services.gamelift.fleet_steps import move_fleet
from apitrail.services.gamelift.fleets_access import (
    find_fleet,
    get_plain_fleet,
    is_anywhere,
    is_container,
    put_fleet,
    refuse_ended,
)
from apitrail.services.gamelift.pages import page_of
from apitrail.services.gamelift.peering_connections import check_may_end
from apitrail.services.gamelift.tagging import check_tags, tag_new
from apitrail.services.operation import operation
from apitrail.store.resources import Doc

if TYPE_CHECKING:
    from mypy_boto3_gamelift.type_defs import (
        CreateFleetInputTypeDef,
        DeleteFleetInputTypeDef,
        DescribeFleetAttributesInputTypeDef,
        ListFleetsInputTypeDef,
        UpdateFleetAttributesInputTypeDef,
    )

Params = Mapping[str, Any]

COPIED = (
    "Name",
    "Description",
    "MetricGroups",
    "NewGameSessionProtectionPolicy",
    "ResourceCreationLimitPolicy",
    "CertificateConfiguration",
    "AnywhereConfiguration",
    "PlayerGatewayMode",
    "PlayerGatewayConfiguration",
)
"""Attributes that every fleet takes over from its parameters."""

COPIED_EC2 = (
    "FleetType",
    "ServerLaunchPath",
    "ServerLaunchParameters",
    "LogPaths",
    "InstanceRoleArn",
    "InstanceRoleCredentialsProvider",
)

UPDATED = (
    "Name",
    "Description",
    "NewGameSessionProtectionPolicy",
    "ResourceCreationLimitPolicy",
    "MetricGroups",
    "AnywhereConfiguration",
)

NO_PROTECTION = "NoProtection"
SCRIPT_SYSTEM = "AMAZON_LINUX_2"
"""The operating system of fleets that run a script."""

SDK_5_ONLY = ("InstanceRoleCredentialsProvider", "PlayerGatewayMode")
OFF = (None, "DISABLED")
IDS_MAX = 1000
"""Fleets that can be named in one call; the API says no number."""

DELETABLE = ("ACTIVE", "ERROR")


@operation
def create_fleet(ctx: Context, params: "CreateFleetInputTypeDef") -> dict[str, Any]:
    """Create a fleet in status NEW; its creation then takes it to ACTIVE or ERROR.

    An Anywhere fleet without delays is ACTIVE at once. An EC2 fleet is given a location in this region, whether it is named
    or not. Raises: InvalidRequestException; LimitExceededException (processes, instances); TaggingFailedException;
    NotFoundException (build, script, custom location); NotReadyException (build).
    Source: GameLift API Reference, CreateFleet.
    """
    check_new_fleet(ctx, params)
    check_tags(params)
    anywhere = params.get("ComputeType") == "ANYWHERE"
    fleet = _anywhere_fleet(ctx, params) if anywhere else _ec2_fleet(ctx, params)
    names = location_names(params.get("Locations", ()))
    if not anywhere:
        names = list(dict.fromkeys([ctx.region, *names]))
        check_instance_limit(ctx, fleet, names)
    status = "ACTIVE" if anywhere and ctx.settings.gamelift.delay_scale == 0 else "NEW"
    move_fleet(ctx, fleet, status)
    tag_new(ctx, fleet["FleetArn"], params)
    warn_of_gateway(ctx, fleet)
    states = [location_state(new_location(ctx, fleet, name, status)) for name in names]
    return {"FleetAttributes": fleet, "LocationStates": states}


@operation
def describe_fleet_attributes(ctx: Context, params: "DescribeFleetAttributesInputTypeDef") -> dict[str, Any]:
    """Return the fleets of the given ids, in their order, or a page of all, container fleets not among them.

    Unknown ones are left out. Raises: InvalidRequestException (bad token).
    Source: GameLift API Reference, DescribeFleetAttributes; that no NotFoundException comes was seen with other clients.
    """
    if "FleetIds" in params:
        found = find_fleets(ctx, params["FleetIds"])
        return {"FleetAttributes": [fleet for fleet in found if not is_container(fleet)]}
    page, token = page_of(ctx, "DescribeFleetAttributes", params, FLEETS(ctx), keep=_is_plain)
    return {"FleetAttributes": page, "NextToken": token}


@operation
def list_fleets(ctx: Context, params: "ListFleetsInputTypeDef") -> dict[str, Any]:
    """Return the ids of fleets that are not yet terminated: all, or those of a build or script.

    Raises: InvalidRequestException (both filters; bad token); NotFoundException (build, script; inferred).
    """
    if "BuildId" in params and "ScriptId" in params:
        raise InvalidRequestException("BuildId and ScriptId cannot be given together.")
    where = None
    if "BuildId" in params:
        where = ("BuildId", get_build(ctx, params["BuildId"])["BuildId"])
    elif "ScriptId" in params:
        where = ("ScriptId", _get_script(ctx, params["ScriptId"])["ScriptId"])
    page, token = page_of(ctx, "ListFleets", params, FLEETS(ctx), where=where, keep=is_listed)
    return {"FleetIds": [fleet["FleetId"] for fleet in page], "NextToken": token}


@operation
def update_fleet_attributes(ctx: Context, params: "UpdateFleetAttributesInputTypeDef") -> dict[str, Any]:
    """Change the attributes that are given; protection and limit policy count for new game sessions only.

    Raises: NotFoundException; InvalidFleetStatusException (DELETING, TERMINATED); InvalidRequestException
    (AnywhereConfiguration for an EC2 fleet).
    """
    fleet = get_plain_fleet(ctx, params["FleetId"])
    refuse_ended(fleet)
    if "AnywhereConfiguration" in params and not is_anywhere(fleet):
        raise InvalidRequestException(f"Fleet {fleet['FleetId']} is not an Anywhere fleet.")
    before = fleet.get("NewGameSessionProtectionPolicy", NO_PROTECTION)
    fleet.update(_given(params, UPDATED))
    put_fleet(ctx, fleet)
    after = fleet.get("NewGameSessionProtectionPolicy", NO_PROTECTION)
    if before != after:
        text = f"Protection policy of new game sessions changed from {before} to {after}"
        add_event(ctx, fleet["FleetId"], "FLEET_NEW_GAME_SESSION_PROTECTION_POLICY_UPDATED", text)
    return ids_of(fleet)


@operation
def delete_fleet(ctx: Context, params: "DeleteFleetInputTypeDef") -> None:
    """Begin to delete a fleet: DELETING, TERMINATED when its instances are gone, and later forgotten.

    Raises: NotFoundException; InvalidRequestException unless it is ACTIVE or ERROR (the message is AWS's), or when a
    VPC that it is peered with has not authorized that.
    """
    fleet = get_plain_fleet(ctx, params["FleetId"])
    if fleet["Status"] not in DELETABLE:
        raise InvalidRequestException(f"Cannot delete fleet {fleet['FleetId']} that is in status of {fleet['Status']}")
    check_may_end(ctx, fleet)
    end_fleet(ctx, fleet)


def find_fleets(ctx: Context, texts: Sequence[str]) -> list[Doc]:
    """Return the fleets of ids or ARNs, in their order; unknown ones are left out.

    Raises: InvalidRequestException for more than 1000.
    """
    if len(texts) > IDS_MAX:
        raise InvalidRequestException(f"FleetIds can have {IDS_MAX} entries, not {len(texts)}.")
    found = (find_fleet(ctx, text) for text in texts)
    return [fleet for fleet in found if fleet is not None]


def is_listed(fleet: Doc) -> bool:
    """Return whether a fleet appears in lists: not when it has ended."""
    return bool(fleet["Status"] != "TERMINATED")


def ids_of(fleet: Doc) -> dict[str, Any]:
    """Return the id and ARN of a fleet, which is what changes of it answer."""
    return {"FleetId": fleet["FleetId"], "FleetArn": fleet["FleetArn"]}


def get_build(ctx: Context, text: str) -> Doc:
    """Return the build of an id or ARN. Raises: NotFoundException."""
    build = BUILDS(ctx).get(id_of(ctx, text, "build"))
    if build is None:
        raise NotFoundException(f"Build {text} was not found.")
    return build


def check_instance_limit(ctx: Context, fleet: Doc, names: Sequence[str]) -> None:
    """Raise LimitExceededException unless one more instance of the fleet's type is allowed in each location."""
    allowed = ctx.settings.gamelift.instances_max
    for name in names:
        if desired_in(ctx, fleet["InstanceType"], name) + 1 > allowed:
            raise LimitExceededException(
                f"No more than {allowed} instances of type {fleet['InstanceType']} are allowed in {name}."
            )


def check_custom_locations_exist(ctx: Context, names: Sequence[str]) -> None:
    """Raise NotFoundException unless all these custom locations exist."""
    for name in names:
        if not CUSTOM_LOCATIONS(ctx).has(name):
            raise NotFoundException(f"Location {name} was not found in {ctx.region}.")


def _is_plain(fleet: Doc) -> bool:
    return not is_container(fleet)


def _anywhere_fleet(ctx: Context, params: Params) -> Doc:
    check_custom_locations_exist(ctx, location_names(params["Locations"]))
    return {**_new_fleet(ctx, params), "ComputeType": "ANYWHERE"}


def _ec2_fleet(ctx: Context, params: Params) -> Doc:
    source = _build_members(ctx, params) if "BuildId" in params else _script_members(ctx, params)
    permissions = list(params.get("EC2InboundPermissions", ()))
    check_ports_of_system(permissions, source["OperatingSystem"])
    return {
        "NewGameSessionProtectionPolicy": NO_PROTECTION,
        **_new_fleet(ctx, params),
        "FleetType": "ON_DEMAND",
        **_given(params, COPIED_EC2),
        **source,
        "ComputeType": "EC2",
        "InstanceType": params["EC2InstanceType"],
        "_InboundPermissions": permissions,
        "_Hosted": ctx.settings.gamelift.run_processes,
        "_Peer": _given(params, ("PeerVpcAwsAccountId", "PeerVpcId")),
    }


def _new_fleet(ctx: Context, params: Params) -> Doc:
    fleet_id = ctx.ids.new("fleet")
    return {
        "FleetId": fleet_id,
        "FleetArn": arn_of(ctx, "fleet", fleet_id),
        "CreationTime": ctx.now,
        "MetricGroups": ["default"],
        "CertificateConfiguration": {"CertificateType": "DISABLED"},
        **_given(params, COPIED),
        "_RuntimeConfiguration": runtime_configuration(params),
    }


def _build_members(ctx: Context, params: Params) -> Doc:
    build = get_build(ctx, params["BuildId"])
    if build["Status"] != "READY":
        raise NotReadyException(f"Build {build['BuildId']} is in status {build['Status']}; it must be READY.")
    if int(build["ServerSdkVersion"].split(".")[0]) < 5:
        _refuse_sdk_5(params, f"build {build['BuildId']} has {build['ServerSdkVersion']}")
    return {name: build[name] for name in ("BuildId", "BuildArn", "OperatingSystem")}


def _script_members(ctx: Context, params: Params) -> Doc:
    script = _get_script(ctx, params["ScriptId"])
    _refuse_sdk_5(params, f"{script['ScriptId']} is a script")
    return {"ScriptId": script["ScriptId"], "ScriptArn": script["ScriptArn"], "OperatingSystem": SCRIPT_SYSTEM}


def _get_script(ctx: Context, text: str) -> Doc:
    script = SCRIPTS(ctx).get(id_of(ctx, text, "script"))
    if script is None:
        raise NotFoundException(f"Script {text} was not found.")
    return script


def _refuse_sdk_5(params: Params, reason: str) -> None:
    for name in SDK_5_ONLY:
        if params.get(name) not in OFF:
            raise InvalidRequestException(f"{name} needs a build with server SDK 5; {reason}.")


def warn_of_gateway(ctx: Context, fleet: Doc) -> None:
    """Note that there is no player gateway here, for a fleet that wants one."""
    if fleet.get("PlayerGatewayMode") not in OFF:
        text = "Player gateway is not available in this environment; players connect to the game servers"
        add_event(ctx, fleet["FleetId"], "GENERIC_EVENT", text)


def _given(params: Params, names: Sequence[str]) -> Doc:
    return {name: params[name] for name in names if name in params}
