"""Tokens by which a compute's processes authenticate to the server SDK's endpoint: GetComputeAuthToken.

Only the hash of a token is kept. Several may be valid at a time; one ends after three hours, or with its compute.
Source: service model; server SDK 5. Inferred: the three hours.
"""

from datetime import datetime, timedelta
from hashlib import sha256
from typing import TYPE_CHECKING, Any, NamedTuple

from apitrail.services.context import Context
from apitrail.services.gamelift.collections import COMPUTE_TOKENS
from apitrail.services.gamelift.computes_access import get_compute
from apitrail.services.gamelift.errors import InvalidRequestException
from apitrail.services.gamelift.fleets_access import get_fleet, is_container
from apitrail.services.gamelift.process_facts import host_id_of
from apitrail.services.operation import operation, timer
from apitrail.store.database import Tx
from apitrail.store.resources import Doc

if TYPE_CHECKING:
    from mypy_boto3_gamelift.type_defs import GetComputeAuthTokenInputTypeDef

EXPIRED = "gamelift/compute-token-expired"
LIFETIME = timedelta(hours=3)
TOKENS_MAX = 100
"""Valid tokens of one compute; a new one takes the place of the oldest."""


class Bearer(NamedTuple):
    """Whom a token was issued for."""

    account: str
    region: str
    fleet_id: str
    compute_name: str
    expires_at: datetime


@operation
def get_compute_auth_token(ctx: Context, params: "GetComputeAuthTokenInputTypeDef") -> dict[str, Any]:
    """Return a token for the processes of an Anywhere compute or an instance, and when it ends.

    Raises: NotFoundException (fleet, compute); InvalidRequestException (a container group).
    Source: GameLift API Reference, GetComputeAuthToken.
    """
    fleet = get_fleet(ctx, params["FleetId"])
    compute = get_compute(ctx, fleet, params["ComputeName"])
    if is_container(fleet):
        raise InvalidRequestException(f"Compute {compute['ComputeName']} runs containers, which sign with their role.")
    token, expires_at = issue_token(ctx, fleet["FleetId"], compute["ComputeName"])
    named: Doc = {
        name: compute[name] for name in ("FleetId", "FleetArn", "ComputeName", "ComputeArn") if name in compute
    }
    return {**named, "AuthToken": token, "ExpirationTimestamp": expires_at}


def issue_token(ctx: Context, fleet_id: str, compute_name: str) -> tuple[str, datetime]:
    """Return a new token of a compute and when it ends."""
    token, expires_at = ctx.ids.uuid(), ctx.now + LIFETIME
    owner = _owner(ctx.account, ctx.region, fleet_id, compute_name)
    tokens = COMPUTE_TOKENS(ctx)
    for entry in tokens.find("Owner", owner, TOKENS_MAX, newest_first=True)[TOKENS_MAX - 1 :]:
        tokens.delete(entry.id)
    bearer = Bearer(ctx.account, ctx.region, fleet_id, compute_name, expires_at)
    tokens.put(_hash(token), {"Owner": owner, **bearer._asdict()})
    ctx.schedule(EXPIRED, {"Hash": _hash(token)}, LIFETIME.total_seconds())
    return token, expires_at


def find_bearer(tx: Tx, token: str) -> Bearer | None:
    """Return whom a token was issued for, also one that has just expired; None for any other text."""
    doc = COMPUTE_TOKENS.at(tx).get(_hash(token))
    return None if doc is None else Bearer(*(doc[name] for name in Bearer._fields))


def void_tokens(ctx: Context, fleet_id: str, compute_name: str) -> None:
    """Let no token of a compute be valid any more."""
    for entry in COMPUTE_TOKENS(ctx).find("Owner", _owner(ctx.account, ctx.region, fleet_id, compute_name)):
        COMPUTE_TOKENS(ctx).delete(entry.id)


@timer(EXPIRED)
def token_expired(ctx: Context, doc: Doc) -> None:
    """Forget a token whose time is over."""
    COMPUTE_TOKENS(ctx).delete(doc["Hash"])


def _owner(account: str, region: str, fleet_id: str, compute_name: str) -> str:
    return f"{account}|{region}|{host_id_of(fleet_id, compute_name)}"


def _hash(token: str) -> str:
    return sha256(token.encode("utf-8", "surrogatepass")).hexdigest()
