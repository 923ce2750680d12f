"""Matchmaking tickets from state to state, and what the matching engine has to know of it.

The steps are those of states.TICKET. A ticket that comes into its configuration's pool, leaves it or changes is noted in
`MATCH_CHANGES`, once however often it changes until the matchmaking worker takes the note. `_Version` grows with every
change, so that a match that was found for what a ticket was before is not made. Source: API Reference, MatchmakingTicket;
GameLift Developer Guide. Inferred: the texts of StatusReason and StatusMessage; that tickets are kept for 30 days.
"""

from collections.abc import Sequence
from typing import Any

from apitrail.services.context import Context
from apitrail.services.gamelift.collections import (
    MATCH_CHANGES,
    MATCH_WAITS,
    MATCHMAKING_CONFIGURATIONS,
    TICKETS,
    WAITING_TICKET,
    joined,
)
from apitrail.services.gamelift.matchmaking_events import metrics, tell
from apitrail.services.gamelift.moments import TICKET_ENDED
from apitrail.services.gamelift.states import GONE, TICKET
from apitrail.services.operation import timer
from apitrail.store.resources import Doc

MATCHMAKING = "matchmaking"
"""The worker that forms matches."""

TIMEOUT = "gamelift/ticket-timeout"
FORGET = "gamelift/forget-ticket"
KEPT_S = 30 * 86_400.0
WEIGHT = 0.2
"""Share of the newest match in the average wait that players are told. Inferred."""

TIMED_OUT_TEXT = "Removed from matchmaking due to timing out."
CANCELLED_TEXT = "Cancelled by request."
UNKNOWN_WAIT = "NOT_AVAILABLE"
FAILURE = "UNEXPECTED_ERROR"


def open_ticket(
    ctx: Context, configuration: Doc, ticket_id: str, players: Sequence[Any], *, session: str | None = None
) -> Doc:
    """Store a new ticket, QUEUED, and return it. ticket_id: one that no other ticket has.

    session: for a backfill ticket, the ARN of its game session, or an empty text for one that GameLift does not host.
    """
    started = ctx.now.replace(microsecond=ctx.now.microsecond // 1000 * 1000)
    ticket: Doc = {
        "TicketId": ticket_id,
        "ConfigurationName": configuration["Name"],
        "ConfigurationArn": configuration["ConfigurationArn"],
        "Status": TICKET.step(GONE, "QUEUED").target,
        "StartTime": started,
        "Players": list(players),
        "_Version": 1,
        "_TimeoutS": configuration["RequestTimeoutSeconds"],
        **({} if session is None else {"_Backfill": session}),
    }
    wait_s = average_wait(ctx, configuration)
    if wait_s is not None:
        ticket["EstimatedWaitTime"] = wait_s
    TICKETS(ctx).add(ticket_id, ticket)
    note_change(ctx, ticket_id)
    ctx.schedule(TIMEOUT, {"TicketId": ticket_id}, ticket["_TimeoutS"])
    return ticket


def configuration_of(ctx: Context, ticket: Doc) -> Doc:
    """Return the configuration of an active ticket, which cannot be deleted meanwhile."""
    configuration = MATCHMAKING_CONFIGURATIONS(ctx).get(ticket["ConfigurationName"])
    assert configuration is not None, ticket["ConfigurationName"]
    return configuration


def move(ctx: Context, ticket: Doc, status: str, reason: str = "", message: str = "") -> None:
    """Take a ticket to another state and store it; reason and message replace what was said before."""
    was_waiting = ticket["Status"] in WAITING_TICKET
    ticket["Status"] = TICKET.step(ticket["Status"], status).target
    for name, text in (("StatusReason", reason), ("StatusMessage", message)):
        ticket.pop(name, None)
        if text:
            ticket[name] = text
    if status in ("COMPLETED", "FAILED", "CANCELLED", "TIMED_OUT"):
        ticket["EndTime"] = ctx.now
        ticket.pop("_Match", None)
        ctx.schedule(FORGET, {"TicketId": ticket["TicketId"]}, KEPT_S)
    put_ticket(ctx, ticket)
    if "EndTime" in ticket:
        TICKET_ENDED.tell(ctx, ticket)
    if was_waiting != (status in WAITING_TICKET):
        note_change(ctx, ticket["TicketId"])


def put_ticket(ctx: Context, ticket: Doc) -> None:
    """Store a ticket that has changed."""
    ticket["_Version"] += 1
    TICKETS(ctx).put(ticket["TicketId"], ticket)


def note_change(ctx: Context, ticket_id: str) -> None:
    """Let the matchmaking worker look at a ticket."""
    doc = {"Account": ctx.account, "Region": ctx.region, "TicketId": ticket_id}
    MATCH_CHANGES(ctx).put(joined(ctx.account, ctx.region, "ticket", ticket_id), doc)
    ctx.wake(MATCHMAKING)


def note_configuration(ctx: Context, name: str) -> None:
    """Let the matchmaking worker look at a configuration that has changed."""
    doc = {"Account": ctx.account, "Region": ctx.region, "Configuration": name}
    MATCH_CHANGES(ctx).put(joined(ctx.account, ctx.region, "configuration", name), doc)
    ctx.wake(MATCHMAKING)


def take_up(ctx: Context, ticket: Doc) -> None:
    """Take a ticket from QUEUED to SEARCHING, and tell so."""
    move(ctx, ticket, "SEARCHING")
    tell_searching(ctx, ticket)


def tell_searching(ctx: Context, ticket: Doc) -> None:
    """Tell that a match is sought for a ticket."""
    wait_s = ticket.get("EstimatedWaitTime")
    estimate = UNKNOWN_WAIT if wait_s is None else wait_s * 1000
    tell(ctx, configuration_of(ctx, ticket), "MatchmakingSearching", [ticket], {}, estimatedWaitMillis=estimate)


def cancel(ctx: Context, ticket: Doc, message: str = CANCELLED_TEXT) -> None:
    """End a ticket before it is placed, and tell so."""
    counts = ticket.get("_Counts", ())
    match_id = ticket.get("_Match")
    move(ctx, ticket, "CANCELLED", "Cancelled", message)
    configuration = configuration_of(ctx, ticket)
    tell(
        ctx,
        configuration,
        "MatchmakingCancelled",
        [ticket],
        {},
        matchId=match_id,
        reason="Cancelled",
        message=message,
        ruleEvaluationMetrics=metrics(ctx, configuration, counts),
    )


def search_again(ctx: Context, ticket: Doc, reason: str = "", message: str = "") -> None:
    """Take a ticket back to SEARCHING, with its StartTime; one whose time is over ends instead."""
    ticket.pop("_Match", None)
    move(ctx, ticket, "SEARCHING", reason, message)
    if (ctx.now - ticket["StartTime"]).total_seconds() >= ticket["_TimeoutS"]:
        _end_late(ctx, ticket)
    else:
        tell_searching(ctx, ticket)


def average_wait(ctx: Context, configuration: Doc) -> int | None:
    """Return how many seconds tickets of a configuration wait for their match, lately; None before the first match."""
    found = MATCH_WAITS(ctx).get(configuration["Name"])
    return None if found is None else round(found["Seconds"])


def count_wait(ctx: Context, configuration: Doc, seconds: float) -> None:
    """Count the wait of a ticket that has a match now."""
    found = MATCH_WAITS(ctx).get(configuration["Name"])
    average = seconds if found is None else found["Seconds"] + WEIGHT * (seconds - found["Seconds"])
    MATCH_WAITS(ctx).put(configuration["Name"], {"Seconds": average})


@timer(TIMEOUT)
def time_out(ctx: Context, doc: Doc) -> None:
    """End a ticket for which no match was found in time."""
    ticket = TICKETS(ctx).get(doc["TicketId"])
    if ticket is not None and ticket["Status"] in WAITING_TICKET:
        _end_late(ctx, ticket)


@timer(FORGET)
def forget(ctx: Context, doc: Doc) -> None:
    """Remove a ticket when its time is over."""
    ticket = TICKETS(ctx).get(doc["TicketId"])
    if ticket is not None:
        TICKET.step(ticket["Status"], GONE)
        TICKETS(ctx).delete(doc["TicketId"])


def _end_late(ctx: Context, ticket: Doc) -> None:
    counts = ticket.get("_Counts", ())
    move(ctx, ticket, "TIMED_OUT", "TimedOut", TIMED_OUT_TEXT)
    configuration = configuration_of(ctx, ticket)
    tell(
        ctx,
        configuration,
        "MatchmakingTimedOut",
        [ticket],
        {},
        reason="TimedOut",
        message=TIMED_OUT_TEXT,
        ruleEvaluationMetrics=metrics(ctx, configuration, counts),
    )
