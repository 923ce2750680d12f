"""Finding game session queues."""

from apitrail.services.context import Context
from apitrail.services.gamelift.arns import find_id
from apitrail.services.gamelift.collections import QUEUES
from apitrail.services.gamelift.errors import NotFoundException
from apitrail.store.resources import Doc


def find_queue(ctx: Context, text: str) -> Doc | None:
    """Return the queue of a name or ARN of this region, or None."""
    name = find_id(ctx, text, "gamesessionqueue")
    return None if name is None else QUEUES(ctx).get(name)


def get_queue(ctx: Context, text: str) -> Doc:
    """Return the queue of a name or ARN. Raises: NotFoundException."""
    queue = find_queue(ctx, text)
    if queue is None:
        raise NotFoundException(f"Game session queue {text} was not found in {ctx.region}.")
    return queue
