"""How much waits for a fleet: game session placements whose first choice it is. What scaling policies ask for."""

from typing import NamedTuple

from apitrail.services.context import Context
from apitrail.services.gamelift.room_waits import depth


class Waiting(NamedTuple):
    """pending: how many placements. oldest_s: how long the oldest one has waited, seconds."""

    pending: int
    oldest_s: float


def waiting_for(ctx: Context, fleet_id: str, location: str) -> Waiting:
    """Return what waits for a location of a fleet."""
    return Waiting(*depth(ctx, fleet_id, location))
