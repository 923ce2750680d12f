"""What StartGameSessionPlacement may ask for. Source: service model; GameLift API Reference."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from apitrail.services.gamelift.errors import InvalidRequestException

PLAYERS_MAX = 200
LATENCIES_MAX = 10_000
LATENCY_MEMBERS = ("PlayerId", "RegionIdentifier", "LatencyInMilliseconds")

Params = Mapping[str, Any]


def check_request(params: Params) -> None:
    """Check the members of a placement by themselves and against each other. Raises: InvalidRequestException.

    Inferred: everybody in DesiredPlayerSessions has a PlayerId and a slot; each latency has all its members.
    """
    slots = params["MaximumPlayerSessionCount"]
    if slots > PLAYERS_MAX:
        raise InvalidRequestException(f"MaximumPlayerSessionCount must not be greater than {PLAYERS_MAX}.")
    _check_unique(
        [item["Key"] for item in params.get("GameProperties", ())], "GameProperties must not have a key twice."
    )
    if params.get("PlayerLatencies") and "PriorityConfigurationOverride" in params:
        raise InvalidRequestException("PlayerLatencies and PriorityConfigurationOverride cannot be given together.")
    _check_latencies(params.get("PlayerLatencies", ()))
    order = params.get("PriorityConfigurationOverride", {}).get("LocationOrder", ())
    _check_unique(order, "PriorityConfigurationOverride.LocationOrder must not name a location twice.")
    _check_desired(params.get("DesiredPlayerSessions", ()), slots)


def check_override(queue: Mapping[str, Any], params: Params) -> None:
    """Raise InvalidRequestException for an override on a queue that does not put locations first."""
    order = queue.get("PriorityConfiguration", {}).get("PriorityOrder", ())
    if "PriorityConfigurationOverride" in params and (not order or order[0] != "LOCATION"):
        raise InvalidRequestException(
            f"Game session queue {queue['Name']} does not put LOCATION first in its PriorityOrder, so "
            "PriorityConfigurationOverride cannot be used with it."
        )


def _check_latencies(latencies: Sequence[Any]) -> None:
    if len(latencies) > LATENCIES_MAX:
        raise InvalidRequestException(f"PlayerLatencies must have at most {LATENCIES_MAX} items.")
    for item in latencies:
        if any(name not in item for name in LATENCY_MEMBERS):
            raise InvalidRequestException(f"Every item of PlayerLatencies needs {', '.join(LATENCY_MEMBERS)}.")
        if not 0 <= item["LatencyInMilliseconds"] < math.inf:
            raise InvalidRequestException("LatencyInMilliseconds must be a number from 0 on.")


def _check_desired(desired: Sequence[Any], slots: int) -> None:
    if len(desired) > slots:
        raise InvalidRequestException(
            f"DesiredPlayerSessions has {len(desired)} players, MaximumPlayerSessionCount allows {slots}."
        )
    if any("PlayerId" not in item for item in desired):
        raise InvalidRequestException("Every item of DesiredPlayerSessions needs a PlayerId.")
    _check_unique([item["PlayerId"] for item in desired], "DesiredPlayerSessions must not name a player twice.")


def _check_unique(values: Sequence[str], message: str) -> None:
    if len(set(values)) < len(values):
        raise InvalidRequestException(message)
