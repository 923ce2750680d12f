"""Finding computes: what the user has registered in an Anywhere fleet, instances of an EC2 fleet, groups of a container fleet.

Source: service model (Compute); GameLift API Reference; GameLift Developer Guide.
"""

from apitrail.services.context import Context
from apitrail.services.gamelift.arns import find_id
from apitrail.services.gamelift.collections import COMPUTES, GROUP_COMPUTES, INSTANCES
from apitrail.services.gamelift.errors import NotFoundException
from apitrail.services.gamelift.fleets_access import is_anywhere, is_container
from apitrail.services.gamelift.process_facts import host_id_of
from apitrail.services.gamelift.sdk_endpoint import agent_endpoint, sdk_endpoint
from apitrail.store.resources import Doc, Documents

OF_INSTANCE = (
    "FleetId",
    "FleetArn",
    "IpAddress",
    "DnsName",
    "Location",
    "CreationTime",
    "OperatingSystem",
    "Type",
    "InstanceId",
)


def get_compute(ctx: Context, fleet: Doc, text: str) -> Doc:
    """Return a compute of a fleet by its name or ARN, as the API describes it. Raises: NotFoundException."""
    name = find_id(ctx, text, "compute")
    found = None if name is None else find_compute(ctx, fleet, name)
    if found is None:
        raise NotFoundException(f"Fleet {fleet['FleetId']} has no compute {text}.")
    return found


def find_compute(ctx: Context, fleet: Doc, name: str) -> Doc | None:
    """Return a compute of a fleet by its name, as the API describes it, or None."""
    key = name if are_instances(fleet) else host_id_of(fleet["FleetId"], name)
    found = computes_of(ctx, fleet).get(key)
    return None if found is None or found["FleetId"] != fleet["FleetId"] else described(ctx, fleet, found)


def are_instances(fleet: Doc) -> bool:
    """Return whether the computes of a fleet are its instances."""
    return not is_anywhere(fleet) and not is_container(fleet)


def computes_of(ctx: Context, fleet: Doc) -> Documents:
    """Return the documents among which a fleet's computes are, each with its FleetId."""
    if is_anywhere(fleet):
        return COMPUTES(ctx)
    return GROUP_COMPUTES(ctx) if is_container(fleet) else INSTANCES(ctx)


def described(ctx: Context, fleet: Doc, found: Doc) -> Doc:
    """Return a document of computes_of as the API describes a compute.

    A registered one has the endpoints that its processes and its agent connect to. An instance's name is its id; it has no ARN.
    """
    if are_instances(fleet):
        known = {name: found[name] for name in OF_INSTANCE if name in found}
        return {**known, "ComputeName": found["InstanceId"], "ComputeStatus": found["Status"]}
    if is_container(fleet):
        return found
    return found | {
        "GameLiftServiceSdkEndpoint": sdk_endpoint(ctx.settings),
        "GameLiftAgentEndpoint": agent_endpoint(ctx.settings),
    }
