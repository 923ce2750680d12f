"""SearchGameSessions: searches that the index answers in one piece, and the others in pieces between which calls go on.

How sessions are found is in search.py. Source: GameLift API Reference, SearchGameSessions.
"""

from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

from apitrail.errors import JournalUnavailable
from apitrail.identity.principal import Principal
from apitrail.services.common import make_token
from apitrail.services.context import Context
from apitrail.services.gamelift import sessions
from apitrail.services.gamelift.expressions import read_filter, read_sort
from apitrail.services.gamelift.fleets_access import resolve_fleet
from apitrail.services.gamelift.pages import bound_to, page_limit, position_of
from apitrail.services.gamelift.search import EXAMINED_AT_ONCE, EXAMINED_MAX, Position, Search, find_sessions
from apitrail.services.operation import operation
from apitrail.services.runtime import Runtime
from apitrail.store.resources import Doc
from apitrail.wire.call import Call

if TYPE_CHECKING:
    from mypy_boto3_gamelift.type_defs import SearchGameSessionsInputTypeDef

OPERATION = "SearchGameSessions"
COUNT = 20
"""Game sessions per page, whatever the Limit."""

Params = Mapping[str, Any]


class Found(NamedTuple):
    """How far a search has come. position: where it goes on, None at the end."""

    sessions: list[Doc]
    position: Position | None


async def search_in_pieces(runtime: Runtime, call: Call, principal: Principal) -> Found | None:
    """Return what a search finds for which many sessions have to be looked at; None for one that the index leads to its page.

    Raises: as SearchGameSessions. While the store cannot be written nothing is done here: the body does it all, if it runs.
    """
    params = call.params
    if _read(params, "").is_direct:
        return None
    found: Found | None = None
    try:
        for _ in range(EXAMINED_MAX // EXAMINED_AT_ONCE):
            work = partial(_go_on, params=params, before=found, examined_max=EXAMINED_AT_ONCE)
            found = await runtime.write(principal.account, call.region, work)
            if found.position is None or len(found.sessions) == page_limit(params, COUNT, COUNT):
                break
    except JournalUnavailable:
        return None
    return found


@operation(prepare=search_in_pieces)
def search_game_sessions(ctx: Context, params: "SearchGameSessionsInputTypeDef") -> dict[str, Any]:
    """Return active game sessions of a fleet that match a filter, sorted; at most 20, in all locations or one.

    A page may be short, even empty, and have a token all the same, since a call looks at a bounded number of sessions.
    Raises: InvalidRequestException naming the position; NotFoundException; TerminalRoutingStrategyException.
    Inferred: without a SortExpression the order is that of creation.
    """
    found: Found = ctx.prepared or _go_on(ctx, params, None, EXAMINED_MAX)
    bound = bound_to(OPERATION, params)
    token = None if found.position is None else make_token(ctx, bound, found.position)
    return {"GameSessions": [sessions.complete(ctx, session) for session in found.sessions], "NextToken": token}


def _read(params: Params, fleet_id: str) -> Search:
    """Return a search as it is understood. Raises: InvalidRequestException."""
    matching = read_filter(params["FilterExpression"]) if "FilterExpression" in params else None
    order = read_sort(params["SortExpression"]) if "SortExpression" in params else None
    return Search(fleet_id, params.get("Location"), matching, order)


def _go_on(ctx: Context, params: Params, before: Found | None, examined_max: int) -> Found:
    """Return what was found before, if anything, with what further sessions add, up to a page."""
    search = _read(params, resolve_fleet(ctx, params)["FleetId"])
    limit = page_limit(params, COUNT, COUNT)
    if before is None:
        return Found(
            *find_sessions(ctx, search, limit, position_of(ctx, bound_to(OPERATION, params), params), examined_max)
        )
    more, position = find_sessions(ctx, search, limit - len(before.sessions), before.position, examined_max)
    return Found([*before.sessions, *more], position)
