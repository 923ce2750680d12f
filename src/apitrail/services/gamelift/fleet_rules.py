"""The rules that a new fleet's parameters must keep among themselves, and those for ports and launch entries.

They look at nothing but the parameters. Source: API Reference, CreateFleet, IpPermission, RuntimeConfiguration;
GameLift Developer Guide.
"""

import ipaddress
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from apitrail.errors import ServiceError
from apitrail.services.context import Context
from apitrail.services.gamelift.arns import aws_locations, is_custom
from apitrail.services.gamelift.errors import InvalidRequestException, LimitExceededException
from apitrail.services.gamelift.peering_authorizations import check_names
from apitrail.store.resources import Doc

Params = Mapping[str, Any]

PROCESSES_MAX = 50
"""Server processes per instance or compute."""

PORT_MIN = 1026
SSH_PORT = 22
"""May be opened on Linux, in a rule of its own."""

PERMISSIONS_MAX = 50
SESSION_ACTIVATIONS_MAX = 2_147_483_647
ACTIVATION_TIMEOUT_S = 300

EC2_ONLY = (
    "BuildId",
    "ScriptId",
    "ServerLaunchPath",
    "ServerLaunchParameters",
    "EC2InstanceType",
    "EC2InboundPermissions",
    "InstanceRoleArn",
    "InstanceRoleCredentialsProvider",
    "PeerVpcAwsAccountId",
    "PeerVpcId",
)
"""What an Anywhere fleet cannot have. Inferred."""


def check_new_fleet(ctx: Context, params: Params) -> None:
    """Raise InvalidRequestException or LimitExceededException when CreateFleet's parameters do not fit together."""
    names = location_names(params.get("Locations", ()))
    if params.get("ComputeType") == "ANYWHERE":
        _check_anywhere(params, names)
    else:
        _check_ec2(ctx, params, names)
    check_process_count(params.get("RuntimeConfiguration", {}))
    if len({"PeerVpcAwsAccountId", "PeerVpcId"} & params.keys()) == 1:
        raise InvalidRequestException("PeerVpcAwsAccountId and PeerVpcId must be given together.")
    if "PeerVpcId" in params:
        check_names(params["PeerVpcAwsAccountId"], params["PeerVpcId"])


def location_names(locations: Iterable[Any]) -> list[str]:
    """Return the names in a list of LocationConfigurations. Raises: InvalidRequestException for a name given twice."""
    names = [location["Location"] for location in locations]
    check_distinct(names)
    return names


def check_distinct(names: Sequence[str]) -> None:
    """Raise InvalidRequestException when a location is named twice."""
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise InvalidRequestException(f"Location {twice[0]} is given more than once.")


def check_aws_locations(ctx: Context, names: Iterable[str]) -> None:
    """Raise InvalidRequestException unless an EC2 fleet of this region can have instances in all these locations."""
    known = aws_locations(ctx.region)
    for name in names:
        if name not in known:
            raise InvalidRequestException(f"Location {name} is not available for fleets in {ctx.region}.")


def check_custom_locations(names: Iterable[str]) -> None:
    """Raise InvalidRequestException unless all are names of custom locations."""
    for name in names:
        if not is_custom(name):
            raise InvalidRequestException(f"Location {name} is not a custom location, as an Anywhere fleet needs.")


def check_permissions(permissions: Sequence[Doc]) -> None:
    """Raise InvalidRequestException for a port rule that is wrong by itself or given twice."""
    for index, permission in enumerate(permissions):
        _check_permission(permission)
        if permission in permissions[:index]:
            raise InvalidRequestException(f"The port rule {port_text(permission)} is given more than once.")


def check_ports_of_system(permissions: Iterable[Doc], operating_system: str) -> None:
    """Raise InvalidRequestException for the remote shell's port on Windows."""
    if operating_system.startswith("WINDOWS") and any(rule["FromPort"] == SSH_PORT for rule in permissions):
        raise InvalidRequestException(f"Port {SSH_PORT} can only be opened on Linux; this is {operating_system}.")


def port_text(permission: Doc) -> str:
    """Return a port rule for a message."""
    return "{Protocol} {FromPort}-{ToPort} from {IpRange}".format(**permission)


def check_process_count(runtime: Params) -> None:
    """Raise LimitExceededException when a runtime configuration starts too many processes on each instance."""
    count = sum(entry["ConcurrentExecutions"] for entry in runtime.get("ServerProcesses", ()))
    if count > PROCESSES_MAX:
        raise LimitExceededException(
            f"The runtime configuration starts {count} server processes per instance; {PROCESSES_MAX} are allowed."
        )


def runtime_configuration(params: Params) -> Doc:
    """Return the RuntimeConfiguration of a new fleet with its defaults, also from the older launch parameters."""
    if "ServerLaunchPath" not in params:
        return with_defaults(params.get("RuntimeConfiguration", {}))
    entry = {"LaunchPath": params["ServerLaunchPath"], "ConcurrentExecutions": 1}
    if "ServerLaunchParameters" in params:
        entry["Parameters"] = params["ServerLaunchParameters"]
    return with_defaults({"ServerProcesses": [entry]})


def with_defaults(runtime: Params) -> Doc:
    """Return a RuntimeConfiguration with what it leaves open."""
    return {
        "MaxConcurrentGameSessionActivations": SESSION_ACTIVATIONS_MAX,
        "GameSessionActivationTimeoutSeconds": ACTIVATION_TIMEOUT_S,
        **runtime,
    }


def _check_anywhere(params: Params, names: Sequence[str]) -> None:
    for name in EC2_ONLY:
        if name in params:
            raise InvalidRequestException(f"{name} cannot be given for a fleet with compute type ANYWHERE.")
    if not names:
        raise InvalidRequestException("A fleet with compute type ANYWHERE needs Locations with a custom location.")
    check_custom_locations(names)


def _check_ec2(ctx: Context, params: Params, names: Sequence[str]) -> None:
    if ("BuildId" in params) == ("ScriptId" in params):
        raise InvalidRequestException("Exactly one of BuildId and ScriptId must be given.")
    if "EC2InstanceType" not in params:
        raise InvalidRequestException("EC2InstanceType must be given for a fleet with compute type EC2.")
    if "AnywhereConfiguration" in params:
        raise InvalidRequestException("AnywhereConfiguration needs compute type ANYWHERE.")
    if "InstanceRoleCredentialsProvider" in params and "InstanceRoleArn" not in params:
        raise InvalidRequestException("InstanceRoleCredentialsProvider needs InstanceRoleArn.")
    _check_launch(params)
    check_permissions(params.get("EC2InboundPermissions", ()))
    check_aws_locations(ctx, names)


def _check_launch(params: Params) -> None:
    """Inferred: the older launch parameters and a RuntimeConfiguration exclude each other (the text says `instead`)."""
    if "RuntimeConfiguration" in params and "ServerLaunchPath" in params:
        raise InvalidRequestException("ServerLaunchPath cannot be given together with RuntimeConfiguration.")
    if "ServerLaunchParameters" in params and "ServerLaunchPath" not in params:
        raise InvalidRequestException("ServerLaunchParameters needs ServerLaunchPath.")
    if "ServerLaunchPath" not in params and not params.get("RuntimeConfiguration", {}).get("ServerProcesses"):
        raise InvalidRequestException("RuntimeConfiguration with at least one entry of ServerProcesses must be given.")


def _check_permission(permission: Doc) -> None:
    first, last = permission["FromPort"], permission["ToPort"]
    if first > last:
        raise InvalidRequestException(f"FromPort {first} must not be greater than ToPort {last}.")
    if first < PORT_MIN and (first, last) != (SSH_PORT, SSH_PORT):
        raise InvalidRequestException(f"Ports {first}-{last} cannot be opened; {PORT_MIN}-60000 can, on Linux also 22.")
    address, slash, _ = permission["IpRange"].partition("/")
    try:
        ipaddress.IPv4Network(permission["IpRange"], strict=False)
    except ValueError:
        slash = ""
    if not slash or not address:
        raise InvalidRequestException(f"IpRange {permission['IpRange']} is not a range of IPv4 addresses (CIDR).")


def changed_rules(
    rules: Sequence[Doc], added: Sequence[Doc], removed: Sequence[Doc], exists: type[ServiceError]
) -> list[Doc]:
    """Return port rules without those removed and with those added.

    exists: the error for a rule that is there already. Raises: it; InvalidRequestException (no such rule to remove);
    LimitExceededException.
    """
    for rule in removed:
        if rule not in rules:
            raise InvalidRequestException(f"The fleet has no port rule {port_text(rule)} to revoke.")
    kept = [rule for rule in rules if rule not in removed]
    for rule in added:
        if rule in kept:
            raise exists(f"The fleet already has the port rule {port_text(rule)}.")
    if len(kept) + len(added) > PERMISSIONS_MAX:
        raise LimitExceededException(f"A fleet can have {PERMISSIONS_MAX} port rules.")
    return [*kept, *added]
