"""GetFleetRoleCredentials: credentials of a fleet's role for a game server or an agent, taken from STS on the account's behalf.

The call of STS is recorded like any other that GameLift makes for a user. Source: server SDK 5,
GameLift's Agent (6.7). Inferred: an agent of a fleet without a role gets an error, as it would take empty keys for keys.
"""

from typing import Any

from apitrail.identity.principal import Principal
from apitrail.services.gamelift.collections import FLEETS
from apitrail.services.gamelift.errors import InvalidRequestException, NotFoundException
from apitrail.services.gamelift.sdk_actions import Caller
from apitrail.services.gamelift.session_facts import millis
from apitrail.services.links import PeerKey
from apitrail.services.runtime import Runtime

SERVICE = "gamelift.amazonaws.com"
NAME_MAX = 64
NOT_MANAGED = {
    "AssumedRoleUserArn": "",
    "AssumedRoleId": "",
    "AccessKeyId": "",
    "SecretAccessKey": "",
    "SessionToken": "",
    "Expiration": 0,
}
"""The answer for a fleet without a role of its own: SDKs take an empty key for `not a managed fleet`."""


async def role_credentials(
    runtime: Runtime, key: PeerKey, caller: Caller, name: str | None, asked: str | None = None
) -> dict[str, Any]:
    """Return the credentials. asked: ARN of the role, None for the fleet's, whichever that is.

    Raises: InvalidRequestException (another role than the fleet's); what STS answers.
    """
    fleet = await runtime.database.read(lambda tx: FLEETS.at(tx, key.account, key.region).get(caller.fleet_id))
    role = (fleet or {}).get("InstanceRoleArn")
    if role is None:
        return NOT_MANAGED
    if asked not in (None, role):
        raise InvalidRequestException(f"RoleArn must be the role of fleet {caller.fleet_id}, {role}.")
    name = name or f"{caller.fleet_id}-{caller.compute_name}"[:NAME_MAX]
    principal = Principal("AWSService", key.account, "", SERVICE, invoked_by=SERVICE)
    params = {"RoleArn": role, "RoleSessionName": name}
    answer = await runtime.call(principal, key.region, "sts", "AssumeRole", params, SERVICE)
    user, credentials = answer["AssumedRoleUser"], answer["Credentials"]
    return {
        "AssumedRoleUserArn": user["Arn"],
        "AssumedRoleId": user["AssumedRoleId"],
        **{part: credentials[part] for part in ("AccessKeyId", "SecretAccessKey", "SessionToken")},
        "Expiration": millis(credentials["Expiration"]),
    }


async def agent_credentials(runtime: Runtime, key: PeerKey, caller: Caller, name: str | None) -> dict[str, Any]:
    """Return the credentials of the fleet's role for an agent. Raises: NotFoundException (no role); what STS answers."""
    found = await role_credentials(runtime, key, caller, name)
    if found is NOT_MANAGED:
        raise NotFoundException(f"Fleet {caller.fleet_id} has no role.")
    return found
