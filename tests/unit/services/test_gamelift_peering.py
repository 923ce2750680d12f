"""VPC peering: authorizations between accounts, connections over time, and fleets that are peered at their creation."""

from datetime import timedelta
from typing import Any

import pytest
from fleet_scenes import active_fleet, anywhere_fleet, event_codes, new_fleet, shown, status_of

from apitrail.errors import ServiceError
from apitrail.services.gamelift.collections import PEERING_AUTHORIZATIONS, PEERING_CONNECTIONS
from apitrail.testing import Stage
from apitrail.testing.stage import ACCOUNT, root

OWNER = "222233334444"
VPC = "vpc-0a1b2c3d"
ALLOWED = {"GameLiftAwsAccountId": ACCOUNT, "PeerVpcId": VPC}
PEER = {"PeerVpcAwsAccountId": OWNER, "PeerVpcId": VPC}
DAY_S = 86_400


def as_owner(stage: Stage, operation: str, **params: Any) -> dict[str, Any]:
    return stage.call_(operation, params, principal=root(OWNER))


def allow(stage: Stage) -> dict[str, Any]:
    return shown(as_owner(stage, "CreateVpcPeeringAuthorization", **ALLOWED)["VpcPeeringAuthorization"])


def authorizations(stage: Stage) -> list[dict[str, Any]]:
    return [shown(doc) for doc in stage.call("DescribeVpcPeeringAuthorizations")["VpcPeeringAuthorizations"]]


def connections(stage: Stage, **params: Any) -> list[dict[str, Any]]:
    return [shown(doc) for doc in stage.call("DescribeVpcPeeringConnections", **params)["VpcPeeringConnections"]]


def connected_fleet(stage: Stage) -> str:
    fleet_id = active_fleet(stage)
    allow(stage)
    assert stage.call("CreateVpcPeeringConnection", FleetId=fleet_id, **PEER) == {}
    stage.advance(2)
    return fleet_id


def codes(stage: Stage, fleet_id: str) -> list[str]:
    return [code for code in event_codes(stage, fleet_id) if "PEERING" in code]


def test_an_authorization_is_seen_by_both_accounts_for_a_day(stage: Stage) -> None:
    now = stage.clock.now()
    given = allow(stage)
    times = {"CreationTime": now, "ExpirationTime": now + timedelta(hours=24)}
    assert given == {**ALLOWED, "PeerVpcAwsAccountId": OWNER, **times}
    assert authorizations(stage) == [given]
    seen = as_owner(stage, "DescribeVpcPeeringAuthorizations")["VpcPeeringAuthorizations"]
    assert [shown(doc) for doc in seen] == [given]
    for place in ({"principal": root("333344445555")}, {"region": "eu-west-1"}):
        assert stage.call_("DescribeVpcPeeringAuthorizations", {}, **place)["VpcPeeringAuthorizations"] == []
    stage.advance(DAY_S - 1, step=DAY_S)
    assert authorizations(stage) == [given]
    stage.advance(1)
    assert authorizations(stage) == []
    assert stage.read(lambda ctx: PEERING_AUTHORIZATIONS(ctx).count()) == 0


def test_an_authorization_that_is_given_again_lasts_longer(stage: Stage) -> None:
    allow(stage)
    stage.advance(DAY_S / 2, step=DAY_S)
    renewed = allow(stage)
    stage.advance(DAY_S / 2 + 1, step=DAY_S)
    assert authorizations(stage) == [renewed]
    stage.advance(DAY_S / 2, step=DAY_S)
    assert authorizations(stage) == []


def test_one_account_may_be_both(stage: Stage) -> None:
    stage.call("CreateVpcPeeringAuthorization", **ALLOWED)
    assert [doc["PeerVpcAwsAccountId"] for doc in authorizations(stage)] == [ACCOUNT]


def test_an_authorization_is_taken_back_by_who_gave_it(stage: Stage) -> None:
    allow(stage)
    assert stage.error("DeleteVpcPeeringAuthorization", **ALLOWED).error_code == "NotFoundException"
    assert as_owner(stage, "DeleteVpcPeeringAuthorization", **ALLOWED) == {}
    assert authorizations(stage) == []
    with pytest.raises(ServiceError, match=VPC):
        as_owner(stage, "DeleteVpcPeeringAuthorization", **ALLOWED)


@pytest.mark.parametrize("wrong", [{"GameLiftAwsAccountId": "1234"}, {"PeerVpcId": "net-1"}, {"PeerVpcId": "vpc-"}])
def test_an_authorization_names_an_account_and_a_vpc(stage: Stage, wrong: dict[str, str]) -> None:
    error = stage.error("CreateVpcPeeringAuthorization", **ALLOWED | wrong)
    assert (error.error_code, next(iter(wrong.values())) in error.message) == ("InvalidRequestException", True)


def test_an_account_has_a_bounded_number_of_authorizations(stage: Stage) -> None:
    for number in range(1000):
        stage.call("CreateVpcPeeringAuthorization", **ALLOWED | {"PeerVpcId": f"vpc-{number}"})
    assert stage.error("CreateVpcPeeringAuthorization", **ALLOWED).error_code == "InvalidRequestException"
    stage.call("CreateVpcPeeringAuthorization", **ALLOWED | {"PeerVpcId": "vpc-7"})


def test_a_connection_is_accepted_after_a_while(stage: Stage) -> None:
    fleet_id = active_fleet(stage)
    allow(stage)
    stage.call("CreateVpcPeeringConnection", FleetId=fleet_id, **PEER)
    (pending,) = connections(stage)
    assert (pending["Status"]["Code"], "IpV4CidrBlock" in pending) == ("pending-acceptance", False)
    stage.advance(2)
    (active,) = connections(stage, FleetId=fleet_id)
    assert active["Status"]["Code"] == "active"
    assert active["VpcPeeringConnectionId"] == pending["VpcPeeringConnectionId"]
    assert active["VpcPeeringConnectionId"].startswith("pcx-") and len(active["VpcPeeringConnectionId"]) == 21
    assert active["IpV4CidrBlock"].startswith("10.") and active["GameLiftVpcId"].startswith("vpc-")
    assert (active["FleetId"], active["PeerVpcId"]) == (fleet_id, VPC)
    assert codes(stage, fleet_id) == ["FLEET_VPC_PEERING_SUCCEEDED"]


def test_a_connection_fails_when_its_authorization_is_taken_back_meanwhile(stage: Stage) -> None:
    fleet_id = active_fleet(stage)
    allow(stage)
    stage.call("CreateVpcPeeringConnection", FleetId=fleet_id, **PEER)
    as_owner(stage, "DeleteVpcPeeringAuthorization", **ALLOWED)
    stage.advance(2)
    (failed,) = connections(stage, FleetId=fleet_id)
    assert (failed["Status"]["Code"], "authorization" in failed["Status"]["Message"]) == ("failed", True)
    assert codes(stage, fleet_id) == ["FLEET_VPC_PEERING_FAILED"]
    allow(stage)
    stage.call("CreateVpcPeeringConnection", FleetId=fleet_id, **PEER)
    stage.advance(2)
    assert [doc["Status"]["Code"] for doc in connections(stage)] == ["failed", "active"]
    for doc in connections(stage):
        name = doc["VpcPeeringConnectionId"]
        stage.call("DeleteVpcPeeringConnection", FleetId=fleet_id, VpcPeeringConnectionId=name)
    assert connections(stage) == []


def test_all_connections_of_a_fleet_belong_to_one_vpc(stage: Stage) -> None:
    fleet_id = connected_fleet(stage)
    as_owner(stage, "CreateVpcPeeringAuthorization", GameLiftAwsAccountId=ACCOUNT, PeerVpcId="vpc-2")
    stage.call("CreateVpcPeeringConnection", FleetId=fleet_id, **PEER | {"PeerVpcId": "vpc-2"})
    stage.advance(2)
    assert len({(doc["GameLiftVpcId"], doc["IpV4CidrBlock"]) for doc in connections(stage, FleetId=fleet_id)}) == 1
    error = stage.error("CreateVpcPeeringConnection", FleetId=fleet_id, **PEER)
    assert (error.error_code, "already" in error.message) == ("InvalidRequestException", True)


def test_a_connection_needs_a_fleet_with_a_vpc_and_an_authorization(stage: Stage) -> None:
    fleet_id, going, anywhere = active_fleet(stage), active_fleet(stage), anywhere_fleet(stage)
    stage.call("DeleteFleet", FleetId=going)
    create = "CreateVpcPeeringConnection"
    assert "authorization" in stage.error(create, FleetId=fleet_id, **PEER).message
    allow(stage)
    assert stage.error(create, FleetId="fleet-none", **PEER).error_code == "NotFoundException"
    for name, wrong in (
        (going, {}),
        (anywhere, {}),
        (fleet_id, {"PeerVpcAwsAccountId": "me"}),
        (fleet_id, {"PeerVpcId": "x"}),
    ):
        assert stage.error(create, FleetId=name, **PEER | wrong).error_code == "InvalidRequestException"
    assert stage.error("DescribeVpcPeeringConnections", FleetId="fleet-none").error_code == "NotFoundException"
    assert connections(stage) == []


def test_a_fleet_has_a_bounded_number_of_connections(stage: Stage) -> None:
    fleet_id = active_fleet(stage)
    for number in range(51):
        stage.call("CreateVpcPeeringAuthorization", GameLiftAwsAccountId=ACCOUNT, PeerVpcId=f"vpc-{number}")
    params = {"FleetId": fleet_id, "PeerVpcAwsAccountId": ACCOUNT}
    for number in range(50):
        stage.call("CreateVpcPeeringConnection", **params, PeerVpcId=f"vpc-{number}")
    error = stage.error("CreateVpcPeeringConnection", **params, PeerVpcId="vpc-50")
    assert (error.error_code, "50" in error.message) == ("InvalidRequestException", True)


def test_a_connection_is_deleted_by_its_fleet_and_with_an_authorization(stage: Stage) -> None:
    fleet_id, other = connected_fleet(stage), active_fleet(stage)
    name = {"VpcPeeringConnectionId": connections(stage)[0]["VpcPeeringConnectionId"]}
    delete = "DeleteVpcPeeringConnection"
    for wrong in ({"FleetId": "fleet-none", **name}, {"FleetId": other, **name}):
        assert stage.error(delete, **wrong).error_code == "NotFoundException"
    error = stage.error(delete, FleetId=fleet_id, VpcPeeringConnectionId="pcx-none")
    assert error.error_code == "NotFoundException"
    as_owner(stage, "DeleteVpcPeeringAuthorization", **ALLOWED)
    assert stage.error(delete, FleetId=fleet_id, **name).error_code == "InvalidRequestException"
    allow(stage)
    assert stage.call(delete, FleetId=fleet_id, **name) == {}
    assert connections(stage) == []
    assert codes(stage, fleet_id) == ["FLEET_VPC_PEERING_SUCCEEDED", "FLEET_VPC_PEERING_DELETED"]


def test_a_pending_connection_that_is_deleted_stays_away(stage: Stage) -> None:
    fleet_id = active_fleet(stage)
    allow(stage)
    stage.call("CreateVpcPeeringConnection", FleetId=fleet_id, **PEER)
    name = connections(stage)[0]["VpcPeeringConnectionId"]
    stage.call("DeleteVpcPeeringConnection", FleetId=fleet_id, VpcPeeringConnectionId=name)
    stage.advance(3)
    assert (connections(stage), codes(stage, fleet_id)) == ([], [])


def test_a_peered_fleet_is_deleted_with_an_authorization_only(stage: Stage) -> None:
    fleet_id = connected_fleet(stage)
    stage.advance(DAY_S, step=DAY_S)
    error = stage.error("DeleteFleet", FleetId=fleet_id)
    assert (error.error_code, VPC in error.message) == ("InvalidRequestException", True)
    assert status_of(stage, fleet_id) == "ACTIVE"
    allow(stage)
    stage.call("DeleteFleet", FleetId=fleet_id)
    assert codes(stage, fleet_id) == ["FLEET_VPC_PEERING_SUCCEEDED", "FLEET_VPC_PEERING_DELETED"]
    assert stage.read(lambda ctx: PEERING_CONNECTIONS(ctx).count()) == 0


def test_a_fleet_is_peered_while_it_is_created(stage: Stage) -> None:
    allow(stage)
    fleet_id = active_fleet(stage, Locations=[{"Location": "eu-west-1"}], **PEER)
    (active,) = connections(stage, FleetId=fleet_id)
    assert (active["Status"]["Code"], "IpV4CidrBlock" in active) == ("active", True)
    assert codes(stage, fleet_id) == ["FLEET_VPC_PEERING_SUCCEEDED"]
    name = active["VpcPeeringConnectionId"]
    stage.call("DeleteVpcPeeringConnection", FleetId=fleet_id, VpcPeeringConnectionId=name)
    stage.call("CreateFleetLocations", FleetId=fleet_id, Locations=[{"Location": "us-east-1"}])
    stage.advance(7)
    assert connections(stage, FleetId=fleet_id) == []
    states = stage.call("DescribeFleetLocationAttributes", FleetId=fleet_id)["LocationAttributes"]
    assert {state["LocationState"]["Status"] for state in states} == {"ACTIVE"}


def test_a_fleet_whose_peering_is_not_authorized_fails(stage: Stage) -> None:
    fleet_id = new_fleet(stage, **PEER)
    stage.advance(10)
    assert status_of(stage, fleet_id) == "ERROR"
    assert event_codes(stage, fleet_id)[-2:] == ["FLEET_VPC_PEERING_FAILED", "FLEET_STATE_ERROR"]
    assert connections(stage) == []
    stage.call("DeleteFleet", FleetId=fleet_id)


@pytest.mark.parametrize(
    "peer",
    [
        {"PeerVpcId": VPC},
        {"PeerVpcAwsAccountId": OWNER},
        {"PeerVpcAwsAccountId": "me", "PeerVpcId": VPC},
        {"PeerVpcAwsAccountId": OWNER, "PeerVpcId": "x"},
    ],
)
def test_a_new_fleet_names_both_parts_of_its_peer_or_none(stage: Stage, peer: dict[str, str]) -> None:
    with pytest.raises(ServiceError) as caught:
        new_fleet(stage, **peer)
    assert caught.value.error_code == "InvalidRequestException"


def test_records_name_the_fleet_and_the_connection(stage: Stage) -> None:
    fleet_id = connected_fleet(stage)
    record = next(record for record in stage.events() if record["eventName"] == "CreateVpcPeeringConnection")
    assert record["requestParameters"] == {"fleetId": fleet_id, "peerVpcAwsAccountId": OWNER, "peerVpcId": VPC}
    assert [resource["type"] for resource in record["resources"]] == ["AWS::GameLift::Fleet"]
    assert record["responseElements"] is None
