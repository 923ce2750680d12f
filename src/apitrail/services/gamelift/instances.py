"""The instances of a fleet location: launched and stopped until there are as many as desired; DescribeInstances.

Source: service model (Instance); GameLift Developer Guide.
"""

import ipaddress
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from apitrail.services.context import Context
from apitrail.services.gamelift import processes
from apitrail.services.gamelift.collections import FLEET_LOCATIONS, FLEETS, INSTANCES, joined
from apitrail.services.gamelift.container_settings import fingerprint
from apitrail.services.gamelift.errors import InvalidRequestException, NotFoundException
from apitrail.services.gamelift.fleet_steps import LOCATION_STEP, move_location
from apitrail.services.gamelift.fleets_access import (
    get_fleet,
    get_location,
    is_anywhere,
    is_working,
    location_id,
    put_location,
)
from apitrail.services.gamelift.hosted import INSTANCE_STEP, is_hosted, running_on
from apitrail.services.gamelift.hosted_folders import begin_instance, instance_gone
from apitrail.services.gamelift.pages import page_of
from apitrail.services.gamelift.states import GONE, INSTANCE, delay
from apitrail.services.operation import operation, timer
from apitrail.store.resources import Doc

if TYPE_CHECKING:
    from mypy_boto3_gamelift.type_defs import DescribeInstancesInputTypeDef

FOLLOW = "gamelift/follow-desired"
RETRY_S = 60.0
"""How long a scale-in waits before it looks again for instances without protected sessions."""

HEX_DIGITS = 17
CONTAINER_SYSTEM = "AMAZON_LINUX_2023"
"""The operating system of container fleets' instances."""


def follow_desired(ctx: Context, fleet: Doc, location: Doc) -> None:
    """Launch or stop instances of a location until as many are pending or active as are desired.

    Instances without sessions are stopped first; those with a protected session are not stopped, but looked at
    again every minute.
    """
    running = instances_in(ctx, location, "PENDING") + instances_in(ctx, location, "ACTIVE")
    surplus = len(running) - location["_desired"]
    for _ in range(-surplus):
        launch(ctx, fleet, location)
    stoppable = _stoppable(ctx, fleet, running)[:surplus] if surplus > 0 else []
    for instance in stoppable:
        stop(ctx, fleet, instance)
    if len(stoppable) < surplus and not location.get("_retrying"):
        location["_retrying"] = True
        put_location(ctx, location)
        ctx.schedule(FOLLOW, {"FleetId": fleet["FleetId"], "Location": location["Location"]}, RETRY_S)


def instances_in(ctx: Context, location: Doc, status: str) -> list[Doc]:
    """Return the instances of a location in a state, oldest first."""
    value = joined(location["FleetId"], location["Location"], status)
    return [entry.doc for entry in INSTANCES(ctx).find("FleetId+Location+Status", value)]


def count_instances(ctx: Context, location: Doc, status: str) -> int:
    """Return how many instances of a location are in a state."""
    value = joined(location["FleetId"], location["Location"], status)
    return INSTANCES(ctx).count("FleetId+Location+Status", value)


def launch(ctx: Context, fleet: Doc, location: Doc) -> None:
    """Start an instance in a location."""
    ip_address, dns_name = _address(ctx, fleet)
    instance = {
        "FleetId": fleet["FleetId"],
        "FleetArn": fleet["FleetArn"],
        "InstanceId": f"i-{ctx.ids.hex(HEX_DIGITS)}",
        "IpAddress": ip_address,
        "DnsName": dns_name,
        "OperatingSystem": fleet.get("OperatingSystem", CONTAINER_SYSTEM),
        "Type": fleet["InstanceType"],
        "CreationTime": ctx.now,
        "Location": location["Location"],
        "_Settings": fingerprint(fleet),
    }
    _move(ctx, instance, "PENDING")


def stop(ctx: Context, fleet: Doc, instance: Doc) -> None:
    """Begin to stop an instance; its sessions end."""
    was_active = instance["Status"] == "ACTIVE"
    _move(ctx, instance, "TERMINATING")
    if was_active or is_hosted(ctx, fleet):
        processes.instance_stopped(ctx, fleet, instance["Location"], instance)


def stop_all(ctx: Context, fleet: Doc, location: Doc) -> None:
    """Begin to stop every instance of a location."""
    for status in ("PENDING", "ACTIVE"):
        for instance in instances_in(ctx, location, status):
            stop(ctx, fleet, instance)


@timer(INSTANCE_STEP)
def take_instance_step(ctx: Context, doc: Doc) -> None:
    """Take the step that an instance makes by itself: it gets ready, or it is gone, when real processes have ended as well."""
    instance = INSTANCES(ctx).get(doc["InstanceId"])
    if instance is None or instance["Status"] != doc["Status"]:
        return
    fleet = FLEETS(ctx).get(instance["FleetId"])
    if instance["Status"] == "TERMINATING":
        _remove(ctx, fleet, instance)
        return
    assert fleet is not None, "a fleet outlives its running instances"
    if is_hosted(ctx, fleet):
        begin_instance(ctx, fleet, instance)
        return
    instance["_Settings"] = fingerprint(fleet)  # it runs what the fleet says now, not when it was launched
    _move(ctx, instance, "ACTIVE")
    processes.instance_started(ctx, fleet, instance["Location"], instance)
    _activate_location(ctx, instance)


def become_active(ctx: Context, instance: Doc) -> None:
    """Take a hosted instance to ACTIVE, and with it a location that waits for its first one."""
    _move(ctx, instance, "ACTIVE")
    _activate_location(ctx, instance)


def _activate_location(ctx: Context, instance: Doc) -> None:
    fleet = FLEETS(ctx).get(instance["FleetId"])
    location = FLEET_LOCATIONS(ctx).get(location_id(instance["FleetId"], instance["Location"]))
    assert fleet is not None and location is not None, "a fleet outlives its instances"
    if location["Status"] == "ACTIVATING":
        move_location(ctx, fleet, location, "ACTIVE")


def has_instances(ctx: Context, fleet: Doc, location: Doc) -> bool:
    """Return whether a location of a hosted fleet still has instances, which it must outlive."""
    place = joined(location["FleetId"], location["Location"])
    return is_hosted(ctx, fleet) and INSTANCES(ctx).count("FleetId+Location", place) > 0


def _remove(ctx: Context, fleet: Doc | None, instance: Doc) -> None:
    """Remove an instance on which nothing runs any more; a location that is deleted goes on with its last one."""
    hosted = fleet is not None and is_hosted(ctx, fleet)
    if hosted and running_on(ctx, instance["InstanceId"]):
        return
    INSTANCES(ctx).delete(instance["InstanceId"])
    if fleet is None or not hosted:
        return
    instance_gone(ctx, instance)
    location = FLEET_LOCATIONS(ctx).get(location_id(instance["FleetId"], instance["Location"]))
    if location is not None and location["Status"] == "DELETING" and not has_instances(ctx, fleet, location):
        step = {"FleetId": location["FleetId"], "Location": location["Location"], "Status": "DELETING"}
        ctx.schedule(LOCATION_STEP, {**step, "At": location["_entered"]}, 0)


@timer(FOLLOW)
def follow_again(ctx: Context, doc: Doc) -> None:
    """Go on with a scale-in that protected sessions held up."""
    fleet = FLEETS(ctx).get(doc["FleetId"])
    location = FLEET_LOCATIONS(ctx).get(location_id(doc["FleetId"], doc["Location"]))
    if fleet is None or location is None or not is_working(location):
        return
    location["_retrying"] = False
    put_location(ctx, location)
    follow_desired(ctx, fleet, location)


@operation
def describe_instances(ctx: Context, params: "DescribeInstancesInputTypeDef") -> dict[str, Any]:
    """Return the instances of an EC2 fleet in a location, by default the home location, or one of them.

    Raises: InvalidRequestException (Anywhere fleet; bad token); NotFoundException (fleet, location, instance).
    Source: GameLift API Reference, DescribeInstances. Inferred: an unknown instance is not found.
    """
    fleet = get_fleet(ctx, params["FleetId"])
    if is_anywhere(fleet):
        raise InvalidRequestException(f"Fleet {fleet['FleetId']} is an Anywhere fleet; it has no instances.")
    location = get_location(ctx, fleet, params.get("Location", ctx.region))
    if "InstanceId" in params:
        return {"Instances": [_instance_of(ctx, location, params["InstanceId"])]}
    where = ("FleetId+Location", joined(location["FleetId"], location["Location"]))
    page, token = page_of(ctx, "DescribeInstances", params, INSTANCES(ctx), where=where)
    return {"Instances": page, "NextToken": token}


def _instance_of(ctx: Context, location: Doc, instance_id: str) -> Doc:
    instance = INSTANCES(ctx).get(instance_id)
    place = (location["FleetId"], location["Location"])
    if instance is None or (instance["FleetId"], instance["Location"]) != place:
        raise NotFoundException(f"Fleet {place[0]} has no instance {instance_id} in {place[1]}.")
    return instance


def _stoppable(ctx: Context, fleet: Doc, instances: Sequence[Doc]) -> list[Doc]:
    """Return the instances that may be stopped, those without sessions first, then those with fewest."""
    loads = [(processes.load_of(ctx, fleet["FleetId"], instance["InstanceId"]), instance) for instance in instances]
    free = [(load.session_count, instance) for load, instance in loads if not load.protected]
    return [instance for _, instance in sorted(free, key=lambda item: item[0])]


def _address(ctx: Context, fleet: Doc) -> tuple[str, str]:
    """Return the IP address and DNS name of a new instance, all on the advertised host.

    Inferred: `localhost` for a loopback address, so that clients that prefer names connect; a host advertised
    by name keeps the name, and a loopback address.
    """
    host = ctx.settings.server.advertised_host
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return "127.0.0.1", host
    if address.is_loopback:
        return host, "localhost"
    if fleet.get("CertificateConfiguration", {}).get("CertificateType") == "GENERATED":
        return host, f"{ctx.ids.hex(HEX_DIGITS)}.{ctx.region}.amazongamelift.com"
    return host, f"ec2-{host.replace('.', '-').replace(':', '-')}.compute.amazonaws.com"


def _move(ctx: Context, instance: Doc, target: str) -> None:
    INSTANCE.step(instance.get("Status", GONE), target)
    instance["Status"] = target
    INSTANCES(ctx).put(instance["InstanceId"], instance)
    step = INSTANCE.timed(target)
    if step is not None and step.delay_s is not None:
        ctx.schedule(INSTANCE_STEP, {"InstanceId": instance["InstanceId"], "Status": target}, delay(ctx, step.delay_s))
