"""What a container fleet runs and how, resolved and calculated from the parameters of its creation or update.

These members of a ContainerFleet belong together: a change of any of them is a deployment, and a deployment that fails
takes them back. `_Manual` names those that were set by hand, which are never calculated again.
Source: API Reference, CreateContainerFleet, UpdateContainerFleet. Inferred: that a range must be large enough.
"""

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

import orjson

from apitrail.services.context import Context
from apitrail.services.gamelift.container_lookup import find_version, get_version, parse_name
from apitrail.services.gamelift.container_rules import GAME_SERVER, PER_INSTANCE
from apitrail.services.gamelift.container_sizes import (
    calculated_range,
    check_reserved,
    groups_that_fit,
    inbound_permissions,
    ports_needed,
    size_of,
)
from apitrail.services.gamelift.errors import InvalidRequestException
from apitrail.services.gamelift.fleet_rules import changed_rules, check_permissions
from apitrail.store.resources import Doc

Params = Mapping[str, Any]

DEPLOYED = (
    "GameServerContainerGroupDefinitionName",
    "GameServerContainerGroupDefinitionArn",
    "PerInstanceContainerGroupDefinitionName",
    "PerInstanceContainerGroupDefinitionArn",
    "InstanceConnectionPortRange",
    "InstanceInboundPermissions",
    "GameServerContainerGroupsPerInstance",
    "MaximumGameServerContainerGroupsPerInstance",
    "LogConfiguration",
    "_Manual",
)
"""The members that a deployment is about."""

GIVEN = ("GameServerContainerGroupsPerInstance", "InstanceConnectionPortRange", "InstanceInboundPermissions")
"""Those that are calculated unless they were set by hand."""

GROUPS = {"GameServerContainerGroupDefinition": GAME_SERVER, "PerInstanceContainerGroupDefinition": PER_INSTANCE}


def deployed_of(fleet: Doc) -> Doc:
    """Return the members of a fleet that a deployment is about."""
    return {name: fleet[name] for name in DEPLOYED if name in fleet}


def set_deployed(fleet: Doc, settings: Doc) -> None:
    """Give a fleet the members that a deployment is about, in place of those it had."""
    for name in DEPLOYED:
        fleet.pop(name, None)
    fleet |= settings


def fingerprint(fleet: Doc) -> str:
    """Return a short text that is the same for instances of a fleet that run the same."""
    return hashlib.sha256(orjson.dumps(deployed_of(fleet), option=orjson.OPT_SORT_KEYS)).hexdigest()[:16]


def check_given(params: Params) -> None:
    """Raise InvalidRequestException when port settings are wrong by themselves."""
    if "InstanceConnectionPortRange" in params:
        check_reserved(params["InstanceConnectionPortRange"], "InstanceConnectionPortRange")
    for name in ("InstanceInboundPermissions", "InstanceInboundPermissionAuthorizations"):
        check_permissions(params.get(name, ()))
        for rule in params.get(name, ()):
            check_reserved(rule, name)
    if (
        params.get("LogConfiguration", {}).get("LogDestination") == "S3"
        and "S3BucketName" not in params["LogConfiguration"]
    ):
        raise InvalidRequestException("LogConfiguration with LogDestination S3 needs S3BucketName.")


def settings_of(ctx: Context, instance_type: str, params: Params, before: Doc) -> Doc:
    """Return the members that a deployment is about as they will be. before: as they are; empty for a new fleet.

    Raises: InvalidRequestException (a definition that is unknown, not READY or of the other type; groups that do not
    fit on an instance; ports that do not suffice; port rules that are not there or there twice); LimitExceededException
    (more than 50 port rules).
    """
    settings = {**before, **_definitions(ctx, params)}
    if "PER_INSTANCE_CONTAINER_GROUP_DEFINITION" in params.get("RemoveAttributes", ()):
        for name in ("PerInstanceContainerGroupDefinitionName", "PerInstanceContainerGroupDefinitionArn"):
            settings.pop(name, None)
    settings |= {name: params[name] for name in (*GIVEN, "LogConfiguration") if name in params}
    manual = {*before.get("_Manual", ()), *(name for name in GIVEN if name in params)}
    if {"InstanceInboundPermissionAuthorizations", "InstanceInboundPermissionRevocations"} & params.keys():
        settings["InstanceInboundPermissions"] = _changed(settings.get("InstanceInboundPermissions", []), params)
        manual.add("InstanceInboundPermissions")
    settings["_Manual"] = sorted(manual)
    return calculated(ctx, instance_type, settings)


def calculated(ctx: Context, instance_type: str, settings: Doc) -> Doc:
    """Return settings with what follows from the container groups, where it was not set by hand."""
    size_of(instance_type)
    settings = {**settings}
    game_server = version_in(ctx, settings, "GameServerContainerGroupDefinitionArn")
    per_instance = version_in(ctx, settings, "PerInstanceContainerGroupDefinitionArn")
    if game_server is None:
        return settings
    fits = groups_that_fit(instance_type, game_server, per_instance)
    settings["MaximumGameServerContainerGroupsPerInstance"] = fits
    if "GameServerContainerGroupsPerInstance" not in settings["_Manual"]:
        settings["GameServerContainerGroupsPerInstance"] = fits
    groups = settings["GameServerContainerGroupsPerInstance"]
    if groups > fits:
        raise InvalidRequestException(
            f"GameServerContainerGroupsPerInstance {groups} must not be greater than {fits}, which fit on {instance_type}."
        )
    needed = ports_needed(groups, game_server, per_instance)
    if "InstanceConnectionPortRange" not in settings["_Manual"]:
        settings["InstanceConnectionPortRange"] = calculated_range(needed)
    _check_enough(settings["InstanceConnectionPortRange"], needed)
    if "InstanceInboundPermissions" not in settings["_Manual"]:
        settings["InstanceInboundPermissions"] = inbound_permissions(settings["InstanceConnectionPortRange"])
    return settings


def version_in(ctx: Context, settings: Params, name: str) -> Doc | None:
    """Return the definition of a member of the settings, or None without one."""
    return get_version(ctx, settings[name]) if name in settings else None


def _definitions(ctx: Context, params: Params) -> Doc:
    """Return names and ARNs of the container group definitions that a call names."""
    found: Doc = {}
    for member, type_ in GROUPS.items():
        if f"{member}Name" in params:
            version = _usable(ctx, params[f"{member}Name"], type_)
            found[f"{member}Name"] = version["Name"]
            found[f"{member}Arn"] = version["ContainerGroupDefinitionArn"]
    return found


def _usable(ctx: Context, text: str, type_: str) -> Doc:
    named = parse_name(ctx, text)
    version = None if named is None else find_version(ctx, named)
    if version is None:
        raise InvalidRequestException(f"Container group definition {text} was not found.")
    if version["ContainerGroupType"] != type_:
        raise InvalidRequestException(f"Container group definition {text} is of type {version['ContainerGroupType']}.")
    if version["Status"] != "READY":
        raise InvalidRequestException(f"Container group definition {text} is in status {version['Status']}, not READY.")
    return version


def _check_enough(ports: Params, needed: int) -> None:
    count = ports["ToPort"] - ports["FromPort"] + 1
    if count < needed:
        raise InvalidRequestException(
            f"InstanceConnectionPortRange has {count} ports; the container groups need {needed}."
        )


def _changed(rules: Sequence[Doc], params: Params) -> list[Doc]:
    """Return port rules without those revoked and with those authorized."""
    added = params.get("InstanceInboundPermissionAuthorizations", ())
    removed = params.get("InstanceInboundPermissionRevocations", ())
    return changed_rules(rules, added, removed, InvalidRequestException)
