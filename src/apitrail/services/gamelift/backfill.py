"""StartMatchBackfill: more players for a match that is being played.

Source: GameLift API Reference, StartMatchBackfill; FlexMatch Developer Guide. Automatic backfill is in auto_backfill.py.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from apitrail.services.context import Context
from apitrail.services.gamelift.acceptance import stop_ticket
from apitrail.services.gamelift.backfill_sessions import find_session
from apitrail.services.gamelift.collections import TICKETS
from apitrail.services.gamelift.errors import InvalidRequestException, NotFoundException
from apitrail.services.gamelift.matchmaking_configurations import get_configuration
from apitrail.services.gamelift.matchmaking_rules import (
    BACKFILL_PLAYERS_MAX,
    check_players,
    check_teams,
    check_types,
    rules_of,
)
from apitrail.services.gamelift.ticket_steps import open_ticket
from apitrail.services.gamelift.tickets import STOPPABLE, new_ticket_id
from apitrail.services.operation import operation
from apitrail.store.resources import Doc

if TYPE_CHECKING:
    from mypy_boto3_gamelift.type_defs import StartMatchBackfillInputTypeDef

REPLACED_TEXT = "Cancelled because of a newer backfill request for the game session."


@operation
def start_match_backfill(ctx: Context, params: "StartMatchBackfillInputTypeDef") -> dict[str, Any]:
    """Seek more players for a match and return the ticket, QUEUED. An older request for the session is cancelled.

    Players are those who are in the match, each with the Team. With a queue, the game session must be ACTIVE and made by
    matchmaking with this configuration; STANDALONE has no game session.
    Raises: InvalidRequestException; NotFoundException (configuration, game session).
    """
    check_players(params["Players"], BACKFILL_PLAYERS_MAX)
    configuration = get_configuration(ctx, params["ConfigurationName"])
    rules = rules_of(ctx, configuration)
    check_teams(rules, params["Players"])
    check_types(rules, params["Players"])
    session_arn = _session_arn(ctx, configuration, params)
    ticket_id = new_ticket_id(ctx, params.get("TicketId"))
    if session_arn:
        replace_older(ctx, session_arn)
    return {"MatchmakingTicket": open_ticket(ctx, configuration, ticket_id, params["Players"], session=session_arn)}


def replace_older(ctx: Context, session_arn: str) -> None:
    """Cancel the request that a game session has, if any."""
    for entry in TICKETS(ctx).find("session", session_arn):
        if entry.doc["Status"] in STOPPABLE:
            stop_ticket(ctx, entry.doc, REPLACED_TEXT)


def _session_arn(ctx: Context, configuration: Doc, params: Mapping[str, Any]) -> str:
    """Return the ARN of the session to be filled, as it is kept; empty for STANDALONE."""
    given = params.get("GameSessionArn", "")
    if configuration["FlexMatchMode"] == "STANDALONE":
        if given:
            raise InvalidRequestException(
                f"GameSessionArn must not be given: matchmaking configuration {configuration['Name']} is STANDALONE."
            )
        return ""
    if not given:
        raise InvalidRequestException("GameSessionArn must be given for a configuration with a queue.")
    _, session = find_session(ctx, given)
    if session is None:
        raise NotFoundException(f"Game session {given} was not found.")
    made_by = session.get("_Matchmaking", {}).get("ConfigurationArn")
    if made_by != configuration["ConfigurationArn"]:
        raise InvalidRequestException(
            f"Game session {given} was not made by matchmaking configuration {configuration['Name']}."
        )
    if session["Status"] != "ACTIVE":
        raise InvalidRequestException(f"Game session {given} is in status {session['Status']}; it must be ACTIVE.")
    return str(session["GameSessionId"])
