"""Matches: formed from proposals of the matching engine, placed, and made known to their tickets.

A match is a document of its own while it is under way: {MatchId, Configuration, Tickets, Teams (player ids by team), Locations,
Backfill, PlayersMax, Accepted (players, by what they have said)}. Source: FlexMatch Developer Guide; GameLift Developer Guide.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from apitrail.arn import parse_arn
from apitrail.flexmatch.tickets import Proposal
from apitrail.services.context import Context
from apitrail.services.gamelift import placement_steps
from apitrail.services.gamelift.backfill_sessions import fill_session, has_room, new_auto_ticket
from apitrail.services.gamelift.collections import MATCHES, MATCHMAKING_CONFIGURATIONS, ROSTERS, TICKETS
from apitrail.services.gamelift.matchmaker_data import write_data
from apitrail.services.gamelift.matchmaking_events import Marks, metrics, tell
from apitrail.services.gamelift.moments import PLACEMENT_ENDED
from apitrail.services.gamelift.queues_access import find_queue
from apitrail.services.gamelift.ticket_steps import FAILURE, count_wait, move, search_again
from apitrail.store.resources import Doc

ACCEPTANCE_OVER = "gamelift/acceptance-over"
"""The timer of a match that waits for its players to accept; see acceptance.py."""

NOT_PLACED = "The match could not be placed: {}."
CONNECTION = {"GameSessionArn": "gameSessionArn", "IpAddress": "ipAddress", "DnsName": "dnsName", "Port": "port"}


def form(ctx: Context, configuration_name: str, proposal: Proposal, versions: Mapping[str, int]) -> bool:
    """Make a match of a proposal, unless something has changed since it was found; return whether there is one.

    versions: of the tickets as the engine knew them. The tickets of a match that is not made are left as they are.
    """
    configuration = MATCHMAKING_CONFIGURATIONS(ctx).get(configuration_name)
    tickets = [TICKETS(ctx).get(ticket_id) for ticket_id in proposal.tickets]
    found = [ticket for ticket in tickets if ticket is not None and ticket["_Version"] == versions[ticket["TicketId"]]]
    if configuration is None or len(found) < len(tickets) or any(one["Status"] != "SEARCHING" for one in found):
        return False
    match: Doc = {
        "MatchId": ctx.ids.uuid(),
        "Configuration": configuration_name,
        "Tickets": list(proposal.tickets),
        "Teams": {name: list(players) for name, players in proposal.teams.items()},
        "Locations": None if proposal.locations is None else list(proposal.locations),
        "Backfill": next((one["TicketId"] for one in found if "_Backfill" in one), None),
        "PlayersMax": proposal.players_max,
        "Accepted": {},
    }
    counts = [[count.rule, count.passed, count.failed] for count in proposal.counts]
    _potential(ctx, configuration, match, found, counts)
    return True


def tickets_of(ctx: Context, match: Doc) -> list[Doc]:
    """Return the tickets of a match that is under way."""
    found = [TICKETS(ctx).get(ticket_id) for ticket_id in match["Tickets"]]
    return [ticket for ticket in found if ticket is not None and ticket.get("_Match") == match["MatchId"]]


def marks_of(match: Doc, sessions: Mapping[str, str] | None = None) -> Marks:
    """Return what is known of the players of a match. sessions: player session ids by player."""
    marks: dict[str, dict[str, Any]] = {
        player: {"team": team} for team, players in match["Teams"].items() for player in players
    }
    for player, answer in match["Accepted"].items():
        marks.setdefault(player, {})["accepted"] = answer
    for player, session_id in (sessions or {}).items():
        marks.setdefault(player, {})["playerSessionId"] = session_id
    return marks


def place(ctx: Context, configuration: Doc, match: Doc, tickets: Sequence[Doc]) -> None:
    """Take a match whose tickets are PLACING further: into a queue, into the session it fills, or, STANDALONE, to its end."""
    backfill = next((one for one in tickets if one["TicketId"] == match["Backfill"]), None)
    if configuration["FlexMatchMode"] == "STANDALONE":
        complete(ctx, configuration, match, tickets, {}, {})
    elif backfill is None:
        _place_in_queue(ctx, configuration, match, tickets)
    elif has_room(ctx, backfill["_Backfill"], len(_players(match, tickets, new=True))):
        _fill(ctx, configuration, match, tickets, backfill)
    else:
        _no_room(ctx, configuration, match, tickets, backfill)


def complete(
    ctx: Context,
    configuration: Doc,
    match: Doc,
    tickets: Sequence[Doc],
    connection: Mapping[str, Any],
    player_sessions: Mapping[str, str],
) -> None:
    """End the tickets of a match that has all it needs. connection: of the game session, empty without one."""
    marks = marks_of(match, player_sessions)
    for ticket in tickets:
        for player in ticket["Players"]:
            player["Team"] = marks[player["PlayerId"]]["team"]
        if connection:
            ticket["GameSessionConnectionInfo"] = {
                **connection,
                "MatchedPlayerSessions": _matched(ticket, player_sessions),
            }
        count_wait(ctx, configuration, (ctx.now - ticket["StartTime"]).total_seconds())
        move(ctx, ticket, "COMPLETED")
    session = {theirs: connection[ours] for ours, theirs in CONNECTION.items() if ours in connection}
    tell(ctx, configuration, "MatchmakingSucceeded", tickets, marks, matchId=match["MatchId"], session=session)
    MATCHES(ctx).delete(match["MatchId"])


def fail(ctx: Context, configuration: Doc, match: Doc, tickets: Sequence[Doc], why: str) -> None:
    """End the tickets of a match that cannot be placed."""
    message = NOT_PLACED.format(why)
    for ticket in tickets:
        move(ctx, ticket, "FAILED", FAILURE, message)
    marks = marks_of(match)
    tell(
        ctx,
        configuration,
        "MatchmakingFailed",
        tickets,
        marks,
        matchId=match["MatchId"],
        reason=FAILURE,
        message=message,
    )
    MATCHES(ctx).delete(match["MatchId"])


@PLACEMENT_ENDED.follow
def placement_ended(ctx: Context, placement: Doc) -> None:
    """End the match whose placement has ended."""
    named = placement.get("_Match")
    if named is None:
        return
    here = ctx.in_region(named["Region"])
    match = MATCHES(here).get(named["MatchId"])
    if match is None:
        return
    configuration = MATCHMAKING_CONFIGURATIONS(here).get(match["Configuration"])
    assert configuration is not None, match["Configuration"]
    tickets = tickets_of(here, match)
    if placement["Status"] != "FULFILLED":
        fail(here, configuration, match, tickets, f"its placement {placement['PlacementId']} is {placement['Status']}")
        return
    connection: Doc = {
        name: placement[name]
        for name in ("GameSessionArn", "IpAddress", "DnsName", "Port", "PlayerGatewayStatus")
        if name in placement
    }
    sessions = {one["PlayerId"]: one["PlayerSessionId"] for one in placement.get("PlacedPlayerSessions", ())}
    ROSTERS(here).put(connection["GameSessionArn"], {"Players": _roster(match, tickets)})
    complete(here, configuration, match, tickets, connection, sessions)


def _potential(ctx: Context, configuration: Doc, match: Doc, tickets: list[Doc], counts: list[list[Any]]) -> None:
    """Store a new match, take its tickets on, tell about it, and place it unless players have to accept it first."""
    MATCHES(ctx).put(match["MatchId"], match)
    needs_acceptance = configuration["AcceptanceRequired"]
    for ticket in tickets:
        ticket |= {"_Match": match["MatchId"], "_Counts": counts}
        move(ctx, ticket, "REQUIRES_ACCEPTANCE" if needs_acceptance else "PLACING")
    timeout = configuration["AcceptanceTimeoutSeconds"] if needs_acceptance else None
    tell(
        ctx,
        configuration,
        "PotentialMatchCreated",
        tickets,
        marks_of(match),
        acceptanceTimeout=timeout,
        acceptanceRequired=needs_acceptance,
        ruleEvaluationMetrics=metrics(ctx, configuration, counts),
        matchId=match["MatchId"],
    )
    if timeout is not None:
        ctx.schedule(ACCEPTANCE_OVER, {"MatchId": match["MatchId"]}, timeout)
    else:
        place(ctx, configuration, match, tickets)


def _place_in_queue(ctx: Context, configuration: Doc, match: Doc, tickets: Sequence[Doc]) -> None:
    arn = parse_arn(configuration["GameSessionQueueArns"][0])
    assert arn is not None
    there = ctx.in_region(arn.region)
    queue = find_queue(there, str(arn))
    if queue is None:
        fail(ctx, configuration, match, tickets, f"game session queue {arn} does not exist")
        return
    automatic = configuration["BackfillMode"] == "AUTOMATIC"
    auto_ticket = new_auto_ticket(ctx) if automatic else None
    members: Doc = {
        "MaximumPlayerSessionCount": match["PlayersMax"],
        **{name: configuration[name] for name in ("GameProperties", "GameSessionData") if configuration.get(name)},
        "MatchmakerData": _data(match, configuration, _roster(match, tickets), auto_ticket),
        "_Match": {"Region": ctx.region, "MatchId": match["MatchId"]},
        "_Matchmaking": {
            "Region": ctx.region,
            "Configuration": configuration["Name"],
            "ConfigurationArn": configuration["ConfigurationArn"],
            "AutoTicket": auto_ticket,
        },
    }
    if latencies := _latencies(tickets):
        members["PlayerLatencies"] = latencies
    if match["Locations"] is not None:
        members["_Locations"] = match["Locations"]
    desired = [{"PlayerId": player} for player in _players(match, tickets, new=True)]
    placement_steps.begin(there, queue, ctx.ids.uuid(), members, desired)


def _fill(ctx: Context, configuration: Doc, match: Doc, tickets: Sequence[Doc], backfill: Doc) -> None:
    """Add the new players of a match to the session that it fills."""
    automatic = configuration["BackfillMode"] == "AUTOMATIC"
    auto_ticket = new_auto_ticket(ctx) if automatic else None
    roster = _roster(match, tickets)
    data = _data(match, configuration, roster, auto_ticket)
    new = _players(match, tickets, new=True)
    connection, player_sessions = fill_session(ctx, backfill, new, data, auto_ticket)
    ROSTERS(ctx).put(connection["GameSessionArn"], {"Players": roster})
    complete(ctx, configuration, match, tickets, connection, player_sessions)


def _no_room(ctx: Context, configuration: Doc, match: Doc, tickets: Sequence[Doc], backfill: Doc) -> None:
    """Let a backfill ticket fail whose session cannot take the match; the other tickets seek on."""
    fail(ctx, configuration, match, [backfill], f"game session {backfill['_Backfill']} has no room for it")
    for ticket in tickets:
        if ticket is not backfill:
            search_again(ctx, ticket)


def _players(match: Doc, tickets: Sequence[Doc], *, new: bool) -> list[str]:
    """Return the players of a match in the order of its teams; new: without those of a backfill ticket."""
    there = {
        player["PlayerId"]
        for ticket in tickets
        if new and ticket["TicketId"] == match["Backfill"]
        for player in ticket["Players"]
    }
    return [player for players in match["Teams"].values() for player in players if player not in there]


def _roster(match: Doc, tickets: Sequence[Doc]) -> dict[str, Doc]:
    """Return the players of a match by id, each with the team."""
    teams = {player: team for team, players in match["Teams"].items() for player in players}
    return {one["PlayerId"]: {**one, "Team": teams[one["PlayerId"]]} for ticket in tickets for one in ticket["Players"]}


def _data(match: Doc, configuration: Doc, roster: Mapping[str, Doc], auto_ticket: str | None) -> str:
    return write_data(match["MatchId"], configuration["ConfigurationArn"], match["Teams"], roster, auto_ticket)


def _latencies(tickets: Sequence[Doc]) -> list[dict[str, Any]]:
    def all_of() -> Iterator[dict[str, Any]]:
        for ticket in tickets:
            for player in ticket["Players"]:
                for location, value in player.get("LatencyInMs", {}).items():
                    yield {
                        "PlayerId": player["PlayerId"],
                        "RegionIdentifier": location,
                        "LatencyInMilliseconds": float(value),
                    }

    return list(all_of())


def _matched(ticket: Doc, player_sessions: Mapping[str, str]) -> list[dict[str, str]]:
    ids = [player["PlayerId"] for player in ticket["Players"]]
    return [{"PlayerId": id, "PlayerSessionId": player_sessions[id]} for id in ids if id in player_sessions]
