"""Game session placements: asked for, seen and stopped.

What happens to them over time is in placement_steps.py. Source: GameLift API Reference, the operations on placements.
"""

from typing import TYPE_CHECKING, Any

from apitrail.services.context import Context
from apitrail.services.gamelift import placement_steps
from apitrail.services.gamelift.collections import PLACEMENTS
from apitrail.services.gamelift.errors import InvalidRequestException, NotFoundException
from apitrail.services.gamelift.placement_rules import check_override, check_request
from apitrail.services.gamelift.queues_access import get_queue
from apitrail.services.operation import operation
from apitrail.store.resources import Doc

if TYPE_CHECKING:
    from mypy_boto3_gamelift.type_defs import (
        DescribeGameSessionPlacementInputTypeDef,
        StartGameSessionPlacementInputTypeDef,
        StopGameSessionPlacementInputTypeDef,
    )

COPIED = (
    "GameProperties",
    "MaximumPlayerSessionCount",
    "GameSessionName",
    "PlayerLatencies",
    "GameSessionData",
    "PriorityConfigurationOverride",
)


@operation
def start_game_session_placement(ctx: Context, params: "StartGameSessionPlacementInputTypeDef") -> dict[str, Any]:
    """Ask for a game session in the best place of a queue and return the placement, PENDING.

    Raises: InvalidRequestException (also for a PlacementId that was used before; and for an override on a queue that does
    not put locations first); NotFoundException.
    """
    check_request(params)
    queue = get_queue(ctx, params["GameSessionQueueName"])
    check_override(queue, params)
    placement_id = params["PlacementId"]
    if PLACEMENTS(ctx).has(placement_id):
        raise InvalidRequestException(
            f"There is a placement {placement_id} already; every request needs a new PlacementId."
        )
    members = {name: value for name, value in params.items() if name in COPIED}
    desired = params.get("DesiredPlayerSessions", ())
    return {"GameSessionPlacement": placement_steps.begin(ctx, queue, placement_id, members, desired)}


@operation
def describe_game_session_placement(ctx: Context, params: "DescribeGameSessionPlacementInputTypeDef") -> dict[str, Any]:
    """Return a placement as it is now; it is kept for 30 days after its end. Raises: NotFoundException."""
    return {"GameSessionPlacement": placement_steps.complete(ctx, _get(ctx, params["PlacementId"]))}


@operation
def stop_game_session_placement(ctx: Context, params: "StopGameSessionPlacementInputTypeDef") -> dict[str, Any]:
    """Cancel a placement that has no game session yet, and return it.

    Raises: NotFoundException; InvalidRequestException (it has ended, or a game session is being started for it).
    """
    placement = _get(ctx, params["PlacementId"])
    if placement["Status"] != "PENDING":
        raise InvalidRequestException(f"Placement {placement['PlacementId']} has ended already: {placement['Status']}.")
    if "GameSessionId" in placement:
        raise InvalidRequestException(
            f"Game session {placement['GameSessionId']} was created for placement {placement['PlacementId']}; end it with "
            "TerminateGameSession if it is not needed."
        )
    placement_steps.cancel(ctx, placement)
    return {"GameSessionPlacement": placement_steps.complete(ctx, placement)}


def _get(ctx: Context, placement_id: str) -> Doc:
    placement = PLACEMENTS(ctx).get(placement_id)
    if placement is None:
        raise NotFoundException(f"Placement {placement_id} was not found in {ctx.region}.")
    return placement
