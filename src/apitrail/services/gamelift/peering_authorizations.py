"""VPC peering authorizations: an account allows another one to peer its fleets with a VPC, for 24 hours.

The VPC owner makes them, the owner of the fleets uses them, also to end a connection; both see them. They are kept for all
accounts together. Source: GameLift API Reference, the operations on VPC peering authorizations.
"""

import re
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from apitrail.services.context import Context
from apitrail.services.gamelift.collections import PEERING_AUTHORIZATIONS, joined
from apitrail.services.gamelift.errors import InvalidRequestException, NotFoundException
from apitrail.services.operation import operation, timer
from apitrail.store.resources import Doc

if TYPE_CHECKING:
    from mypy_boto3_gamelift.type_defs import (
        CreateVpcPeeringAuthorizationInputTypeDef,
        DeleteVpcPeeringAuthorizationInputTypeDef,
    )

VALID_FOR = timedelta(hours=24)
OVER = "gamelift/peering-authorization-over"
AUTHORIZATIONS_MAX = 1000
"""Authorizations that an account sees in a region, since they are listed without pages. Inferred."""

ACCOUNT = re.compile(r"[0-9]{12}")
VPC = re.compile(r"vpc-[A-Za-z0-9-]{1,60}")


@operation
def create_vpc_peering_authorization(
    ctx: Context, params: "CreateVpcPeeringAuthorizationInputTypeDef"
) -> dict[str, Any]:
    """Allow an account to peer its fleets of this region with a VPC of the caller's, and return the authorization.

    One that is there already is renewed (inferred). Raises: InvalidRequestException (not an account or VPC id; too many).
    Inferred: neither account nor VPC need be known here.
    """
    check_names(params["GameLiftAwsAccountId"], params["PeerVpcId"])
    authorization = {
        "GameLiftAwsAccountId": params["GameLiftAwsAccountId"],
        "PeerVpcAwsAccountId": ctx.account,
        "PeerVpcId": params["PeerVpcId"],
        "CreationTime": ctx.now,
        "ExpirationTime": ctx.now + VALID_FOR,
        "_Region": ctx.region,
    }
    id = _id(ctx, params["GameLiftAwsAccountId"], ctx.account, params["PeerVpcId"])
    known = PEERING_AUTHORIZATIONS(ctx)
    if not known.has(id) and known.count("party", joined(ctx.region, ctx.account)) >= AUTHORIZATIONS_MAX:
        raise InvalidRequestException(f"Account {ctx.account} has {AUTHORIZATIONS_MAX} VPC peering authorizations.")
    known.put(id, authorization)
    ctx.schedule(OVER, {"Id": id}, VALID_FOR.total_seconds())
    return {"VpcPeeringAuthorization": authorization}


@operation
def describe_vpc_peering_authorizations(ctx: Context, params: dict[str, Any]) -> dict[str, Any]:
    """Return the valid authorizations that the account has given or received in this region, oldest first."""
    found = PEERING_AUTHORIZATIONS(ctx).find("party", joined(ctx.region, ctx.account))
    return {"VpcPeeringAuthorizations": [entry.doc for entry in found if _is_valid(ctx, entry.doc)]}


@operation
def delete_vpc_peering_authorization(
    ctx: Context, params: "DeleteVpcPeeringAuthorizationInputTypeDef"
) -> dict[str, Any]:
    """Take an authorization back that the caller has given; connections made with it go on.

    Raises: NotFoundException.
    """
    id = _id(ctx, params["GameLiftAwsAccountId"], ctx.account, params["PeerVpcId"])
    authorization = PEERING_AUTHORIZATIONS(ctx).get(id)
    if authorization is None or not _is_valid(ctx, authorization):
        raise NotFoundException(
            f"Account {params['GameLiftAwsAccountId']} has no VPC peering authorization for {params['PeerVpcId']}."
        )
    PEERING_AUTHORIZATIONS(ctx).delete(id)
    return {}


@timer(OVER)
def authorization_over(ctx: Context, doc: Doc) -> None:
    """Remove an authorization whose time is over, unless it was renewed."""
    authorization = PEERING_AUTHORIZATIONS(ctx).get(doc["Id"])
    if authorization is not None and not _is_valid(ctx, authorization):
        PEERING_AUTHORIZATIONS(ctx).delete(doc["Id"])


def check_names(account: str, vpc_id: str) -> None:
    """Raise InvalidRequestException for what cannot be the id of an account or a VPC. Inferred: the forms."""
    if not ACCOUNT.fullmatch(account):
        raise InvalidRequestException(f"{account} is not the id of an account; that has 12 digits.")
    if not VPC.fullmatch(vpc_id):
        raise InvalidRequestException(f"{vpc_id} is not the id of a VPC; that begins with vpc-.")


def is_authorized(ctx: Context, peer_account: str, vpc_id: str) -> bool:
    """Return whether this account may begin and end connections of its fleets with a VPC now."""
    authorization = PEERING_AUTHORIZATIONS(ctx).get(_id(ctx, ctx.account, peer_account, vpc_id))
    return authorization is not None and _is_valid(ctx, authorization)


def _id(ctx: Context, gamelift_account: str, peer_account: str, vpc_id: str) -> str:
    return joined(ctx.region, gamelift_account, peer_account, vpc_id)


def _is_valid(ctx: Context, authorization: Doc) -> bool:
    return bool(ctx.now < authorization["ExpirationTime"])
