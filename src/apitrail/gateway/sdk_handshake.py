"""The door for game servers and agents: reads the URL of a WebSocket, finds out who asks, and lets it in or says why not.

The query string holds a token or a signature; it is never logged and never part of a message.
Source: server SDK 5 and GameLift's Agent. Inferred: who signs needs the right to call
GetComputeAuthToken for the fleet, as its signature stands for the token; an agent signs its own parameters in the same way.
"""

import re
from datetime import datetime
from typing import NamedTuple, Protocol
from urllib.parse import parse_qsl

from apitrail.errors import ServiceError
from apitrail.gateway.sdk_kinds import Kind
from apitrail.identity.credentials import Credentials
from apitrail.identity.principal import Principal
from apitrail.identity.refusals import AuthenticationError
from apitrail.identity.sdk_signature import authenticate_process
from apitrail.services.context import Context
from apitrail.services.gamelift.collections import FLEETS
from apitrail.services.gamelift.compute_tokens import find_bearer
from apitrail.services.gamelift.sdk_actions import Caller
from apitrail.services.gamelift.sdk_admission import compute_name_of, fleet_id_of
from apitrail.services.links import PeerKey
from apitrail.services.runtime import Runtime
from apitrail.wire.call import Call
from apitrail.wire.models import service_model

PARAMETERS_MAX = 32
QUERY_BYTES_MAX = 8192
PROCESS_ID = re.compile(r"[!-~]{1,128}", re.ASCII)
SIGNED = "SigV4"
AUTHORIZATION = "Authorization"
FORBIDDEN, BAD_REQUEST = 403, 400


class Refusal(ServiceError):
    """A peer that is not let in. reason: stable word for metrics and the security log."""

    code = "Forbidden"
    status = FORBIDDEN

    def __init__(self, reason: str, message: str, status: int = FORBIDDEN) -> None:
        super().__init__(message, status=status)
        self.reason = reason


class Claim(NamedTuple):
    """What a URL says. process_id: empty for an agent's. query: all its parameters, decoded."""

    kind: Kind
    process_id: str
    fleet: str
    compute: str
    authorization: str
    query: dict[str, str]


class Entrant(NamedTuple):
    """A peer whose token or signature is right. token_ends_at: None for one that signs."""

    kind: Kind
    key: PeerKey
    caller: Caller
    token_ends_at: datetime | None


class House(Runtime, Protocol):
    """What the door asks of the server."""

    @property
    def credentials(self) -> Credentials: ...

    def authorise(self, call: Call, principal: Principal) -> None:
        """Raise the service's denial unless the principal may make the call."""
        ...


def read_claim(kind: Kind, raw_query: bytes) -> Claim:
    """Return what the query string says. Raises: Refusal."""
    try:
        text = raw_query.decode("ascii")
        pairs = parse_qsl(text, keep_blank_values=True, max_num_fields=PARAMETERS_MAX) if text else []
    except ValueError as error:
        raise Refusal("malformed", "The URL's parameters cannot be read.", BAD_REQUEST) from error
    query = dict(pairs)
    if len(raw_query) > QUERY_BYTES_MAX or len(query) < len(pairs):
        raise Refusal("malformed", "The URL's parameters are too long or repeat themselves.", BAD_REQUEST)
    missing = [name for name in (*kind.names, AUTHORIZATION) if name and not query.get(name)]
    if missing:
        raise Refusal("malformed", f"The URL lacks {', '.join(missing)}.", BAD_REQUEST)
    process_id, fleet, compute = (query[name] if name else "" for name in kind.names)
    if kind.names[0] and not PROCESS_ID.fullmatch(process_id):
        raise Refusal("malformed", "pID must have 1 to 128 characters, printable and without blanks.", BAD_REQUEST)
    return Claim(kind, process_id, fleet, compute, query[AUTHORIZATION], query)


async def identify(house: House, claim: Claim, source_ip: str) -> Entrant:
    """Return who asks, proved by its token or signature. Raises: Refusal."""
    if claim.authorization == SIGNED:
        return _signed(house, claim, source_ip)
    bearer = await house.database.read(lambda tx: find_bearer(tx, claim.authorization))
    if bearer is None:
        raise Refusal("token-unknown", "The auth token is not known, or void since its compute was deregistered.")
    if house.clock.now() >= bearer.expires_at:
        raise Refusal("token-expired", f"The auth token expired at {bearer.expires_at.isoformat(timespec='seconds')}.")
    if fleet_id_of(bearer.account, bearer.region, claim.fleet) != bearer.fleet_id:
        raise Refusal("token-of-another-fleet", f"The auth token was not issued for fleet {claim.fleet[:128]}.")
    if compute_name_of(claim.compute) != bearer.compute_name:
        raise Refusal("token-of-another-compute", f"The auth token was not issued for compute {claim.compute[:128]}.")
    caller = Caller(bearer.fleet_id, bearer.compute_name, claim.process_id)
    return Entrant(claim.kind, claim.kind.key(bearer.account, bearer.region, caller), caller, bearer.expires_at)


async def let_in(house: House, entrant: Entrant) -> list[str]:
    """Note the connection, and return the messages that wait for the peer. Raises: Refusal; the fleet's log has it too."""
    (account, region, _), kind = entrant.key, entrant.kind
    try:
        return await house.write(account, region, lambda ctx: kind.admit(ctx, entrant.caller, entrant.token_ends_at))
    except ServiceError as error:
        message = error.message
        await house.write(account, region, lambda ctx: _note_refusal(ctx, entrant, message))
        raise Refusal(f"refused-{error.error_code}", message) from error


def _note_refusal(ctx: Context, entrant: Entrant, reason: str) -> None:
    """Add an event to the fleet's log that says why a peer, whose token or signature is right, was not let in."""
    if FLEETS(ctx).has(entrant.caller.fleet_id):
        entrant.kind.refused(ctx, entrant.caller, reason)


def _signed(house: House, claim: Claim, source_ip: str) -> Entrant:
    permissive = house.settings.auth.mode == "permissive"
    names = sorted(name for name in claim.kind.names if name)
    try:
        principal, region = authenticate_process(
            claim.query, names, house.credentials, house.clock.now(), permissive=permissive
        )
        fleet_id, compute = fleet_id_of(principal.account, region, claim.fleet), compute_name_of(claim.compute)
        house.authorise(_stand_in(house, region, fleet_id, compute, source_ip), principal)
    except AuthenticationError as error:
        raise Refusal(error.reason, error.message) from error
    except ServiceError as error:
        raise Refusal("denied", error.message) from error
    caller = Caller(fleet_id, compute, claim.process_id)
    return Entrant(claim.kind, claim.kind.key(principal.account, region, caller), caller, None)


def _stand_in(house: House, region: str, fleet_id: str, compute: str, source_ip: str) -> Call:
    """Return the call that a signature stands for."""
    return Call(
        service="gamelift",
        operation=service_model("gamelift").operation_model("GetComputeAuthToken"),
        params={"FleetId": fleet_id, "ComputeName": compute},
        region=region,
        request_id=house.ids.uuid(),
        source_ip=source_ip,
        user_agent="",
    )
