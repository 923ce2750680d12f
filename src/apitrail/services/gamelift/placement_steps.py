"""What happens to placements: they look for room, wait for it, get a game session, and end.

The steps are those of states.PLACEMENT. Nothing is tried again on a clock: a placement that waits is woken by room in one of its
places, by a change of its queue, the queue's aliases or fleets, and when a latency policy ends (room_waits.py). Its
deadline is never scaled. Source: API Reference, GameSessionPlacement; GameLift Developer Guide; a session's id ends in the
placement's, from the second attempt on with a number.
"""

from collections.abc import Sequence
from typing import Any

from apitrail.services.context import Context
from apitrail.services.gamelift import players, pool, sessions
from apitrail.services.gamelift.arns import KNOWN_REGIONS
from apitrail.services.gamelift.capacity import scale_from_zero
from apitrail.services.gamelift.collections import FLEETS, GAME_SESSIONS, PLACEMENT_TEXTS, PLACEMENTS, QUEUES
from apitrail.services.gamelift.moments import PLACEMENT_ENDED, SESSION_ACTIVE, SESSION_ENDED
from apitrail.services.gamelift.placement_events import announce_end
from apitrail.services.gamelift.placement_order import Candidate
from apitrail.services.gamelift.placement_places import Survey, is_open, survey
from apitrail.services.gamelift.process_facts import place_of
from apitrail.services.gamelift.room_waits import (
    ROOM_CAME,
    THING_CHANGED,
    WOKEN_MAX,
    call_taken,
    leave,
    room_came,
    wait,
    waiting_for,
)
from apitrail.services.gamelift.states import GONE, PLACEMENT
from apitrail.services.gamelift.texts import put_aside, together
from apitrail.services.operation import timer
from apitrail.store.resources import Doc

LOOK = "gamelift/placement-look"
TIMEOUT = "gamelift/placement-timeout"
FAIL_ALL = "gamelift/fail-placements"
FORGET = "gamelift/forget-placement"

KEPT_S = 30 * 86_400.0
"""How long a placement is kept after its end. Inferred."""

AGAIN_S = 86_400.0
FAIL_COUNT = 50
SESSION_MEMBERS = {
    "MaximumPlayerSessionCount": "MaximumPlayerSessionCount",
    "GameSessionName": "Name",
    "GameProperties": "GameProperties",
    "GameSessionData": "GameSessionData",
    "MatchmakerData": "MatchmakerData",
    "_Matchmaking": "_Matchmaking",
}
"""What a session takes over from its placement, by the placement's names."""

PROVISIONAL = (
    "GameSessionId",
    "GameSessionArn",
    "GameSessionRegion",
    "IpAddress",
    "DnsName",
    "Port",
    "PlayerGatewayStatus",
)
"""What a placement says of its session, and takes back when the attempt fails."""


def begin(ctx: Context, queue: Doc, placement_id: str, members: Doc, desired: Sequence[Any]) -> Doc:
    """Store a new placement, PENDING, and return it; it looks for room in a transaction of its own that is due at once.

    members: further members of the document. desired: DesiredPlayerSessions.
    """
    started = ctx.now.replace(microsecond=ctx.now.microsecond // 1000 * 1000)
    placement = {
        "PlacementId": placement_id,
        "GameSessionQueueName": queue["Name"],
        "Status": PLACEMENT.step(GONE, "PENDING").target,
        "StartTime": started,
        **members,
        "_QueueId": queue["_Id"],
        "_TimeoutS": queue["TimeoutInSeconds"],
        "_Told": {
            "QueueArn": queue["GameSessionQueueArn"],
            "CustomEventData": queue.get("CustomEventData", ""),
            "NotificationTarget": queue.get("NotificationTarget", ""),
        },
        "_Desired": list(desired),
        "_Attempts": 0,
    }
    put_aside(PLACEMENT_TEXTS(ctx), placement_id, placement)
    _put(ctx, placement)
    ctx.schedule(LOOK, {"PlacementId": placement_id, "First": True}, 0)
    return complete(ctx, placement)


def complete(ctx: Context, placement: Doc) -> Doc:
    """Return a placement with the texts that are kept beside it."""
    return together(PLACEMENT_TEXTS(ctx), placement["PlacementId"], placement)


def cancel(ctx: Context, placement: Doc) -> None:
    """End a placement that has no session yet, because its caller wants so."""
    _end(ctx, placement, "CANCELLED")


def fail_all(ctx: Context, queue_id: str) -> None:
    """Let every pending placement of a queue that is gone fail, in transactions of their own that are due at once."""
    ctx.schedule(FAIL_ALL, {"QueueId": queue_id}, 0)


@timer(LOOK)
def look(ctx: Context, doc: Doc) -> None:
    """Look for room, the first time or when a latency policy has ended or an attempt has failed."""
    placement = _unplaced(ctx, doc["PlacementId"])
    if placement is None:
        return
    _find_room(ctx, placement)
    if doc.get("First") and placement["Status"] == "PENDING":
        elapsed = (ctx.now - placement["StartTime"]).total_seconds()
        ctx.schedule(TIMEOUT, {"PlacementId": placement["PlacementId"]}, max(0.0, placement["_TimeoutS"] - elapsed))


@timer(TIMEOUT)
def time_out(ctx: Context, doc: Doc) -> None:
    """End a placement whose time is over. Inferred: a session that was being started for it ends as well."""
    placement = PLACEMENTS(ctx).get(doc["PlacementId"])
    if placement is not None and placement["Status"] == "PENDING":
        _give_up(ctx, placement, "TIMED_OUT")


@timer(FAIL_ALL)
def fail_some(ctx: Context, doc: Doc) -> None:
    """Let the next pending placements of a queue that is gone fail."""
    found = PLACEMENTS(ctx).find("pending", doc["QueueId"], FAIL_COUNT)
    for entry in found:
        _give_up(ctx, entry.doc, "FAILED")
    if len(found) == FAIL_COUNT:
        fail_all(ctx, doc["QueueId"])


@timer(ROOM_CAME)
def fill_room(ctx: Context, doc: Doc) -> None:
    """Give room in a place to those who wait for it, oldest first, while there is any."""
    fleet_id, location = doc["FleetId"], doc["Location"]
    place = call_taken(ctx, fleet_id, location)
    if not is_open(ctx, fleet_id, location):
        return
    placed = 0
    for entry in waiting_for(ctx, place):
        if not pool.has_room(ctx, fleet_id, location):
            return
        placed += _look_again(ctx.in_region(entry.doc["Region"]), entry.doc["PlacementId"])
    if placed == WOKEN_MAX:
        room_came(ctx, fleet_id, location)


@timer(THING_CHANGED)
def look_all_again(ctx: Context, doc: Doc) -> None:
    """Let those who wait under a name look again, some now and the rest in another transaction."""
    found = waiting_for(ctx, doc["Name"], doc["After"])
    for entry in found:
        _look_again(ctx.in_region(entry.doc["Region"]), entry.doc["PlacementId"])
    if len(found) == WOKEN_MAX:
        ctx.schedule(THING_CHANGED, {"Name": doc["Name"], "After": found[-1].ord}, 0)


@timer(FORGET)
def forget(ctx: Context, doc: Doc) -> None:
    """Remove a placement when its time is over; one whose session is still kept stays, so that its id is not used again."""
    placement = PLACEMENTS(ctx).get(doc["PlacementId"])
    if placement is None:
        return
    session = placement.get("_Session")
    if session is not None and GAME_SESSIONS(ctx.in_region(session["Region"])).has(session["Key"]):
        ctx.schedule(FORGET, doc, AGAIN_S)
        return
    PLACEMENT_TEXTS(ctx).delete(doc["PlacementId"])
    PLACEMENTS(ctx).delete(doc["PlacementId"])
    PLACEMENT.step(placement["Status"], GONE)


@SESSION_ACTIVE.follow
def session_active(ctx: Context, session: Doc) -> None:
    """Fulfil the placement of a session that is active now: its players get their player sessions."""
    here, placement = _placement_of(ctx, session)
    if placement is None:
        return
    free = session["MaximumPlayerSessionCount"] - session["CurrentPlayerSessionCount"]
    desired = placement["_Desired"][:free]
    if desired:
        data = {item["PlayerId"]: item["PlayerData"] for item in desired if "PlayerData" in item}
        ids = [item["PlayerId"] for item in desired]
        reserved = players.reserve(ctx, sessions.key_of(session), session, ids, data)
        placement["PlacedPlayerSessions"] = [
            {name: player[name] for name in ("PlayerId", "PlayerSessionId")} for player in reserved
        ]
    _end(here, placement, "FULFILLED")


@SESSION_ENDED.follow
def session_ended(ctx: Context, session: Doc) -> None:
    """Let a placement go on whose session has ended before it was active; that place is not tried again."""
    here, placement = _placement_of(ctx, session)
    if placement is None:
        return
    placement["_Failed"] = [*placement.get("_Failed", ()), placement["_Session"]["Place"]]
    _take_back(placement)
    _put(here, placement)
    here.schedule(LOOK, {"PlacementId": placement["PlacementId"]}, 0)


def _look_again(ctx: Context, placement_id: str) -> bool:
    """Let a placement that waits look again; return whether it has found room."""
    placement = _unplaced(ctx, placement_id)
    return placement is not None and _find_room(ctx, placement)


def _find_room(ctx: Context, placement: Doc) -> bool:
    """Begin a session in the best place with room, or wait, or fail when every place has; return whether there is a session."""
    queue = QUEUES(ctx).get(placement["GameSessionQueueName"])
    if queue is None or queue["_Id"] != placement["_QueueId"]:
        return False
    found = survey(ctx, queue, placement)
    if found.hopeless:
        _end(ctx, placement, "FAILED")
        return False
    placed = any(_begin_session(ctx, placement, candidate) for candidate in found.open)
    placement["_Passed"] = True
    _line_up(ctx, placement, found, placed)
    _put(ctx, placement)
    return placed


def _begin_session(ctx: Context, placement: Doc, candidate: Candidate) -> bool:
    there = ctx.in_region(candidate.region)
    if not pool.has_room(there, candidate.fleet_id, candidate.location):
        return False
    fleet = FLEETS(there).get(candidate.fleet_id)
    assert fleet is not None, candidate.fleet_id
    whole = complete(ctx, placement)
    members = {theirs: whole[ours] for ours, theirs in SESSION_MEMBERS.items() if ours in whole}
    members["_Placement"] = {"Region": ctx.region, "PlacementId": placement["PlacementId"]}
    session = sessions.begin(there, fleet, candidate.location, _tail(there, placement, candidate.fleet_id), members)
    assert session is not None, f"{candidate} has room"
    location = session["Location"]
    placement |= {name: session[name] for name in PROVISIONAL if name in session}
    placement["GameSessionArn"] = session["GameSessionId"]
    placement["GameSessionRegion"] = location if location in KNOWN_REGIONS else candidate.region
    placement["_Session"] = {
        "Region": candidate.region,
        "Key": sessions.key_of(session),
        "Place": place_of(candidate.fleet_id, location),
    }
    return True


def _tail(there: Context, placement: Doc, fleet_id: str) -> str:
    """Return the last part of the next session's ARN; an id that something in the fleet has already is left out."""
    while True:
        placement["_Attempts"] += 1
        attempt = placement["_Attempts"]
        tail = placement["PlacementId"] if attempt == 1 else f"{placement['PlacementId']}-{attempt}"
        if not GAME_SESSIONS(there).has(sessions.session_key(fleet_id, tail)):
            return str(tail)


def _line_up(ctx: Context, placement: Doc, found: Survey, placed: bool) -> None:
    """Wait for what was not found; one that has waited before keeps its place in the line."""
    placement_id, since = placement["PlacementId"], placement["StartTime"]
    if placed:
        if placement.get("_Waits"):
            wait(ctx, placement_id, since, [], [])
        return
    placement["_Waits"] = True
    wait(ctx, placement_id, since, [place_of(one.fleet_id, one.location) for one in found.open], found.things)
    if found.resting is not None:
        scale_from_zero(ctx.in_region(found.resting.region), found.resting.fleet_id, found.resting.location)
    if found.next_look_s < placement["_TimeoutS"] and found.next_look_s != placement.get("_NextLookS"):
        placement["_NextLookS"] = found.next_look_s
        elapsed = (ctx.now - since).total_seconds()
        ctx.schedule(LOOK, {"PlacementId": placement_id}, found.next_look_s - elapsed)


def _give_up(ctx: Context, placement: Doc, status: str) -> None:
    """End a placement that may have a session which is not active yet; that session ends as well."""
    started = placement.get("_Session")
    _take_back(placement)
    _end(ctx, placement, status)
    if started is not None:
        there = ctx.in_region(started["Region"])
        session = GAME_SESSIONS(there).get(started["Key"])
        if session is not None and session["Status"] == "ACTIVATING":
            sessions.terminate(there, session, "", at_once=False)


def _take_back(placement: Doc) -> None:
    for name in (*PROVISIONAL, "_Session"):
        placement.pop(name, None)


def _end(ctx: Context, placement: Doc, status: str) -> None:
    placement["Status"] = PLACEMENT.step(placement["Status"], status).target
    placement["EndTime"] = ctx.now
    _put(ctx, placement)
    if placement.get("_Waits"):
        leave(ctx, placement["PlacementId"])
    announce_end(ctx, placement)
    ctx.schedule(FORGET, {"PlacementId": placement["PlacementId"]}, KEPT_S)
    PLACEMENT_ENDED.tell(ctx, placement)


def _unplaced(ctx: Context, placement_id: str) -> Doc | None:
    """Return a placement that is pending and has no session now, or None."""
    placement = PLACEMENTS(ctx).get(placement_id)
    return (
        placement
        if placement is not None and placement["Status"] == "PENDING" and "_Session" not in placement
        else None
    )


def _placement_of(ctx: Context, session: Doc) -> tuple[Context, Doc | None]:
    """Return the pending placement that a session was begun for, and its region's context; None for any other session."""
    named = session.get("_Placement")
    if named is None:
        return ctx, None
    here = ctx.in_region(named["Region"])
    placement = PLACEMENTS(here).get(named["PlacementId"])
    if placement is None or placement["Status"] != "PENDING" or "_Session" not in placement:
        return here, None
    is_its = placement["_Session"]["Key"] == sessions.key_of(session)
    return here, placement if is_its else None


def _put(ctx: Context, placement: Doc) -> None:
    PLACEMENTS(ctx).put(placement["PlacementId"], placement)
