"""Events about placements. Source: GameLift Developer Guide, game session placement events."""

from typing import Any

from apitrail.services.context import Context
from apitrail.services.gamelift.game_events import announce, iso
from apitrail.store.resources import Doc

DETAIL_TYPE = "GameLift Queue Placement Event"
TYPES = {
    "FULFILLED": "PlacementFulfilled",
    "CANCELLED": "PlacementCancelled",
    "TIMED_OUT": "PlacementTimedOut",
    "FAILED": "PlacementFailed",
}
"""The type of the event by the status that a placement ends in."""

ADDRESS = {
    "GameSessionArn": "gameSessionArn",
    "IpAddress": "ipAddress",
    "DnsName": "dnsName",
    "GameSessionRegion": "gameSessionRegion",
}


def announce_end(ctx: Context, placement: Doc) -> None:
    """Tell that a placement has ended, as its queue wanted when it began."""
    told = placement["_Told"]
    detail: dict[str, Any] = {
        "type": TYPES[placement["Status"]],
        "placementId": placement["PlacementId"],
        "startTime": iso(placement["StartTime"]),
        "endTime": iso(placement["EndTime"]),
    }
    if placement["Status"] == "FULFILLED":
        detail |= _session(placement)
    if told["CustomEventData"]:
        detail["customEventData"] = told["CustomEventData"]
    announce(ctx, DETAIL_TYPE, told["QueueArn"], detail, told["NotificationTarget"])


def _session(placement: Doc) -> dict[str, Any]:
    players = [
        {"playerId": player["PlayerId"], "playerSessionId": player["PlayerSessionId"]}
        for player in placement.get("PlacedPlayerSessions", ())
    ]
    address = {theirs: placement[ours] for ours, theirs in ADDRESS.items() if ours in placement}
    return {**address, "port": str(placement["Port"]), "placedPlayerSessions": players}
