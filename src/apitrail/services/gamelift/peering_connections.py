"""VPC peering connections of fleets: records of them, since there are no networks here; and what happens to them over time.

A fleet's VPC is made with its first connection and kept in the fleet's `_Vpc`. The steps are those of
states.PEERING. Source: GameLift API Reference, the operations on VPC peering connections; GameLift Developer Guide.
"""

from typing import TYPE_CHECKING, Any

from apitrail.services.context import Context
from apitrail.services.gamelift.collections import FLEETS, PEERING_CONNECTIONS
from apitrail.services.gamelift.errors import InvalidRequestException, NotFoundException
from apitrail.services.gamelift.fleet_events import add_event
from apitrail.services.gamelift.fleets_access import ENDED, get_plain_fleet, put_fleet
from apitrail.services.gamelift.peering_authorizations import check_names, is_authorized
from apitrail.services.gamelift.states import GONE, PEERING, delay
from apitrail.services.operation import operation, timer
from apitrail.store.resources import Doc

if TYPE_CHECKING:
    from mypy_boto3_gamelift.type_defs import (
        CreateVpcPeeringConnectionInputTypeDef,
        DeleteVpcPeeringConnectionInputTypeDef,
        DescribeVpcPeeringConnectionsInputTypeDef,
    )

STEP = "gamelift/peering-step"
CONNECTIONS_MAX = 50
"""Connections of one fleet; the quota of a VPC."""

HEX_DIGITS = 17
PENDING, ACTIVE, FAILED = "pending-acceptance", "active", "failed"

TEXT = "VPC peering connection {id} of fleet {fleet} with {vpc} of account {account} {outcome}"
OUTCOMES = {
    PENDING: "waits to be accepted",
    ACTIVE: "was established",
    FAILED: "failed: there is no valid authorization",
    GONE: "was deleted",
}


@operation
def create_vpc_peering_connection(ctx: Context, params: "CreateVpcPeeringConnectionInputTypeDef") -> dict[str, Any]:
    """Begin to connect an EC2 fleet's VPC with another one; it is active, or has failed, soon afterwards.

    Raises: InvalidRequestException (ids; not an EC2 fleet or it is deleted; no valid authorization; connected already
    or too many connections, both inferred); NotFoundException (fleet).
    """
    account, vpc_id = params["PeerVpcAwsAccountId"], params["PeerVpcId"]
    check_names(account, vpc_id)
    fleet = get_plain_fleet(ctx, params["FleetId"])
    _check_fleet(fleet)
    _require_authorization(ctx, account, vpc_id)
    _check_others(fleet, connections_of(ctx, fleet["FleetId"]), vpc_id)
    _move(ctx, _new_connection(ctx, fleet, account, vpc_id), PENDING)
    return {}


@operation
def describe_vpc_peering_connections(
    ctx: Context, params: "DescribeVpcPeeringConnectionsInputTypeDef"
) -> dict[str, Any]:
    """Return the connections of a fleet, or of all fleets, oldest first; an active one has its IpV4CidrBlock.

    One that has failed is listed until it is deleted (inferred), so that one can see why. Raises: NotFoundException (fleet).
    """
    if "FleetId" in params:
        found = connections_of(ctx, get_plain_fleet(ctx, params["FleetId"])["FleetId"])
    else:
        found = [entry.doc for entry in PEERING_CONNECTIONS(ctx).all()]
    return {"VpcPeeringConnections": found}


@operation
def delete_vpc_peering_connection(ctx: Context, params: "DeleteVpcPeeringConnectionInputTypeDef") -> dict[str, Any]:
    """Remove a connection of a fleet.

    Raises: NotFoundException (fleet; it has no such connection); InvalidRequestException (no valid authorization).
    """
    fleet = get_plain_fleet(ctx, params["FleetId"])
    connection = PEERING_CONNECTIONS(ctx).get(params["VpcPeeringConnectionId"])
    if connection is None or connection["FleetId"] != fleet["FleetId"]:
        raise NotFoundException(
            f"Fleet {fleet['FleetId']} has no VPC peering connection {params['VpcPeeringConnectionId']}."
        )
    _require_authorization(ctx, connection["_Account"], connection["PeerVpcId"])
    _move(ctx, connection, GONE)
    return {}


@timer(STEP)
def take_peering_step(ctx: Context, doc: Doc) -> None:
    """Bring a connection to its end: active, or failed when its authorization was taken back meanwhile."""
    connection = PEERING_CONNECTIONS(ctx).get(doc["Id"])
    if connection is None or connection["Status"]["Code"] != PENDING:
        return
    _move(ctx, connection, ACTIVE if is_authorized(ctx, connection["_Account"], connection["PeerVpcId"]) else FAILED)


def connections_of(ctx: Context, fleet_id: str) -> list[Doc]:
    """Return the connections of a fleet, oldest first."""
    return [entry.doc for entry in PEERING_CONNECTIONS(ctx).find("FleetId", fleet_id)]


def connect_new_fleet(ctx: Context, fleet: Doc) -> tuple[str, str] | None:
    """Connect a fleet with the VPC that was named at its creation, if there was one.

    Returns the event that says why that cannot be, or None.
    """
    peer = fleet.get("_Peer")
    if not peer:
        return None
    account, vpc_id = peer["PeerVpcAwsAccountId"], peer["PeerVpcId"]
    if not is_authorized(ctx, account, vpc_id):
        text = f"Fleet {fleet['FleetId']} cannot be peered with {vpc_id} of account {account}: no valid authorization"
        return "FLEET_VPC_PEERING_FAILED", text
    fleet["_Peer"] = {}
    _move(ctx, _new_connection(ctx, fleet, account, vpc_id), ACTIVE)
    return None


def check_may_end(ctx: Context, fleet: Doc) -> None:
    """Raise InvalidRequestException unless all connections of a fleet that is to be deleted may be ended."""
    for connection in connections_of(ctx, fleet["FleetId"]):
        if connection["Status"]["Code"] != FAILED:
            _require_authorization(ctx, connection["_Account"], connection["PeerVpcId"])


def drop_connections(ctx: Context, fleet_id: str) -> None:
    """Remove the connections of a fleet that is deleted."""
    for connection in connections_of(ctx, fleet_id):
        _move(ctx, connection, GONE)


def _check_fleet(fleet: Doc) -> None:
    if fleet["ComputeType"] != "EC2":
        raise InvalidRequestException(f"Fleet {fleet['FleetId']} is not an EC2 fleet; it has no VPC.")
    if fleet["Status"] in ENDED:
        raise InvalidRequestException(f"Fleet {fleet['FleetId']} is in status {fleet['Status']}.")


def _require_authorization(ctx: Context, account: str, vpc_id: str) -> None:
    if not is_authorized(ctx, account, vpc_id):
        raise InvalidRequestException(
            f"There is no valid VPC peering authorization for {vpc_id}; account {account} can give one with "
            "CreateVpcPeeringAuthorization."
        )


def _check_others(fleet: Doc, others: list[Doc], vpc_id: str) -> None:
    alive = [other for other in others if other["Status"]["Code"] != FAILED]
    if any(other["PeerVpcId"] == vpc_id for other in alive):
        raise InvalidRequestException(f"Fleet {fleet['FleetId']} is connected with {vpc_id} already.")
    if len(others) >= CONNECTIONS_MAX:
        raise InvalidRequestException(f"Fleet {fleet['FleetId']} has {CONNECTIONS_MAX} VPC peering connections.")


def _new_connection(ctx: Context, fleet: Doc, account: str, vpc_id: str) -> Doc:
    if "_Vpc" not in fleet:
        fleet["_Vpc"] = {"Id": f"vpc-{ctx.ids.hex(HEX_DIGITS)}", "Cidr": f"10.{ctx.ids.raw(1)[0]}.0.0/16"}
    put_fleet(ctx, fleet)
    return {
        "FleetId": fleet["FleetId"],
        "FleetArn": fleet["FleetArn"],
        "VpcPeeringConnectionId": f"pcx-{ctx.ids.hex(HEX_DIGITS)}",
        "PeerVpcId": vpc_id,
        "GameLiftVpcId": fleet["_Vpc"]["Id"],
        "_Account": account,
    }


def _move(ctx: Context, connection: Doc, target: str) -> None:
    """Take a connection to another state, store it, tell the fleet's log, and plan the step that follows, if any."""
    step = PEERING.step(connection.get("Status", {"Code": GONE})["Code"], target)
    text = TEXT.format(
        id=connection["VpcPeeringConnectionId"],
        fleet=connection["FleetId"],
        vpc=connection["PeerVpcId"],
        account=connection["_Account"],
        outcome=OUTCOMES[target],
    )
    connection["Status"] = {"Code": target, "Message": text}
    if target == ACTIVE:
        connection["IpV4CidrBlock"] = _cidr(ctx, connection["FleetId"])
    if target == GONE:
        PEERING_CONNECTIONS(ctx).delete(connection["VpcPeeringConnectionId"])
    else:
        PEERING_CONNECTIONS(ctx).put(connection["VpcPeeringConnectionId"], connection)
    for code in step.events:
        add_event(ctx, connection["FleetId"], code, text)
    timed = PEERING.timed(target)
    if timed is not None and timed.delay_s is not None:
        ctx.schedule(STEP, {"Id": connection["VpcPeeringConnectionId"]}, delay(ctx, timed.delay_s))


def _cidr(ctx: Context, fleet_id: str) -> str:
    fleet = FLEETS(ctx).get(fleet_id)
    assert fleet is not None, "a fleet outlives its connections"
    return str(fleet["_Vpc"]["Cidr"])
