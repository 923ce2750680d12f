"""Backfill: more players for a match that is being played, asked for or automatic."""

import json
from typing import Any

import pytest
from session_scenes import accept, remove, see
from ticket_scenes import (
    answer,
    duel_rules,
    enter,
    make_hosted,
    make_maker,
    make_rules,
    player,
    seen,
    statuses,
    team_rules,
)

from apitrail.services.gamelift.collections import AUTO_TICKETS, ROSTERS, TICKETS
from apitrail.testing import Stage


def crew(stage: Stage, *names: str, **params: Any) -> dict[str, Any]:
    """Make a hosted configuration for crews of two to four, match players, and return their session."""
    make_hosted(stage, team_rules(2, 4), **params)
    for name in names:
        enter(stage, name)
    stage.settle()
    return session_of(stage, names[0])


def session_of(stage: Stage, name: str) -> dict[str, Any]:
    """Return the session that a player's ticket has led to."""
    return see(stage, {"GameSessionId": seen(stage, f"t-{name}")["GameSessionConnectionInfo"]["GameSessionArn"]})


def member(name: str) -> dict[str, Any]:
    return player(name, Team="crew")


def backfill(stage: Stage, session: dict[str, Any], *names: str, ticket_id: str = "more") -> dict[str, Any]:
    """Ask for more players for a session, and return the ticket."""
    given = {
        "TicketId": ticket_id,
        "ConfigurationName": "maker",
        "GameSessionArn": session["GameSessionId"],
        "Players": [member(name) for name in names],
    }
    return dict(stage.call("StartMatchBackfill", **given)["MatchmakingTicket"])


def in_data(session: dict[str, Any]) -> list[str]:
    """Return the players that a session's MatchmakerData names."""
    return [one["playerId"] for team in json.loads(session["MatchmakerData"])["teams"] for one in team["players"]]


def auto_ticket(session: dict[str, Any]) -> str:
    return str(json.loads(session["MatchmakerData"])["autoBackfillTicketId"])


def player_sessions(stage: Stage, session: dict[str, Any]) -> dict[str, dict[str, Any]]:
    found = stage.call("DescribePlayerSessions", GameSessionId=session["GameSessionId"])["PlayerSessions"]
    return {one["PlayerId"]: one for one in found}


def test_a_request_brings_more_players_into_the_same_session(stage: Stage) -> None:
    session = crew(stage, "ana", "ben")
    assert backfill(stage, session, "ana", "ben")["Status"] == "QUEUED"
    stage.settle()
    assert seen(stage, "more")["Status"] == "SEARCHING"
    enter(stage, "cho")
    stage.settle()
    assert (seen(stage, "more")["Status"], statuses(stage, "cho")) == ("COMPLETED", ["COMPLETED"])
    after = session_of(stage, "cho")
    assert after["GameSessionId"] == session["GameSessionId"]
    assert (after["CurrentPlayerSessionCount"], sorted(in_data(after))) == (3, ["ana", "ben", "cho"])
    assert json.loads(after["MatchmakerData"])["matchId"] != json.loads(session["MatchmakerData"])["matchId"]
    matched = seen(stage, "t-cho")["GameSessionConnectionInfo"]["MatchedPlayerSessions"]
    assert matched == [
        {"PlayerId": "cho", "PlayerSessionId": player_sessions(stage, session)["cho"]["PlayerSessionId"]}
    ]
    assert seen(stage, "more")["GameSessionConnectionInfo"]["MatchedPlayerSessions"] == []


def test_a_newer_request_replaces_the_older(stage: Stage) -> None:
    session = crew(stage, "ana", "ben")
    backfill(stage, session, "ana", "ben")
    stage.settle()
    backfill(stage, session, "ana", ticket_id="newer")
    stage.settle()
    assert (seen(stage, "more")["Status"], seen(stage, "newer")["Status"]) == ("CANCELLED", "SEARCHING")


def test_the_end_of_the_session_cancels_the_request(stage: Stage) -> None:
    session = crew(stage, "ana", "ben")
    backfill(stage, session, "ana", "ben")
    stage.settle()
    ended = {"GameSessionId": session["GameSessionId"], "TerminationMode": "FORCE_TERMINATE"}
    stage.call("TerminateGameSession", **ended)
    stage.settle()
    assert seen(stage, "more")["Status"] == "CANCELLED"
    assert stage.read(lambda ctx: ROSTERS(ctx).count()) == 0
    error = stage.error(
        "StartMatchBackfill",
        ConfigurationName="maker",
        GameSessionArn=session["GameSessionId"],
        Players=[member("ana")],
    )
    assert error.error_code == "InvalidRequestException"


def test_a_session_without_room_lets_the_request_fail_and_the_others_seek_on(stage: Stage) -> None:
    session = crew(stage, "ana", "ben")
    backfill(stage, session, "ana", "ben")
    stage.settle()
    stage.call("UpdateGameSession", GameSessionId=session["GameSessionId"], PlayerSessionCreationPolicy="DENY_ALL")
    enter(stage, "cho")
    stage.settle()
    assert (seen(stage, "more")["Status"], statuses(stage, "cho")) == ("FAILED", ["SEARCHING"])


@pytest.mark.parametrize(
    ("params", "code"),
    [
        ({"Players": []}, "InvalidRequestException"),
        ({"Players": [player("ana")]}, "InvalidRequestException"),
        ({"Players": [player("ana", Team="blue")]}, "InvalidRequestException"),
        ({"Players": [member(f"p{number}") for number in range(200)]}, "InvalidRequestException"),
        ({"GameSessionArn": None}, "InvalidRequestException"),
        ({"GameSessionArn": "arn:aws:gamelift:us-west-2::gamesession/fleet-1/x"}, "NotFoundException"),
        ({"GameSessionArn": "arn:aws:gamelift:us-west-2::fleet/fleet-1"}, "NotFoundException"),
        ({"ConfigurationName": "nobody"}, "NotFoundException"),
        ({"ConfigurationName": "other"}, "InvalidRequestException"),
        ({"ConfigurationName": "alone"}, "InvalidRequestException"),
        ({"TicketId": "t-ana"}, "InvalidRequestException"),
    ],
)
def test_requests_that_make_no_sense_are_refused(stage: Stage, params: dict[str, Any], code: str) -> None:
    session = crew(stage, "ana", "ben")
    make_maker(stage, "alone")
    queue = stage.call("DescribeGameSessionQueues")["GameSessionQueues"][0]["GameSessionQueueArn"]
    make_maker(stage, "other", GameSessionQueueArns=[queue])
    given = {
        "ConfigurationName": "maker",
        "GameSessionArn": session["GameSessionId"],
        "Players": [member("ana")],
        **params,
    }
    given = {name: value for name, value in given.items() if value is not None}
    assert stage.error("StartMatchBackfill", **given).error_code == code


def test_a_match_that_nobody_hosts_is_filled_by_events_alone(stage: Stage) -> None:
    make_rules(stage, team_rules(2, 4))
    make_maker(stage)
    given = {"TicketId": "more", "ConfigurationName": "maker", "Players": [member("ana"), member("ben")]}
    stage.call("StartMatchBackfill", **given)
    enter(stage, "cho")
    stage.settle()
    assert (seen(stage, "more")["Status"], statuses(stage, "cho")) == ("COMPLETED", ["COMPLETED"])
    assert "GameSessionConnectionInfo" not in seen(stage, "t-cho")


def test_players_who_are_in_the_match_need_not_accept(stage: Stage) -> None:
    make_hosted(stage, team_rules(2, 4), AcceptanceRequired=True, AcceptanceTimeoutSeconds=20)
    for name in ("ana", "ben"):
        enter(stage, name)
    stage.settle()
    for name in ("ana", "ben"):
        answer(stage, name)
    session = session_of(stage, "ana")
    backfill(stage, session, "ana", "ben")
    enter(stage, "cho")
    stage.settle()
    assert seen(stage, "more")["Status"] == "REQUIRES_ACCEPTANCE"
    answer(stage, "cho", "REJECT")
    assert (seen(stage, "more")["Status"], statuses(stage, "cho")) == ("SEARCHING", ["CANCELLED"])
    enter(stage, "dan")
    stage.settle()
    answer(stage, "dan")
    assert (seen(stage, "more")["Status"], statuses(stage, "dan")) == ("COMPLETED", ["COMPLETED"])


def test_an_automatic_session_seeks_players_from_the_start(stage: Stage) -> None:
    session = crew(stage, "ana", "ben", BackfillMode="AUTOMATIC")
    ticket = seen(stage, auto_ticket(session))
    assert (ticket["Status"], [one["Team"] for one in ticket["Players"]]) == ("SEARCHING", ["crew", "crew"])
    assert json.loads(session["MatchmakerData"])["autoBackfillMode"] == "AUTOMATIC"
    enter(stage, "cho")
    stage.settle()
    after = session_of(stage, "cho")
    assert after["GameSessionId"] == session["GameSessionId"]
    assert seen(stage, ticket["TicketId"])["Status"] == "COMPLETED"
    following = seen(stage, auto_ticket(after))
    assert (following["Status"], len(following["Players"])) == ("SEARCHING", 3)
    enter(stage, "dan")
    stage.settle()
    full = session_of(stage, "dan")
    assert (full["GameSessionId"], full["CurrentPlayerSessionCount"]) == (session["GameSessionId"], 4)
    assert stage.call("DescribeMatchmaking", TicketIds=[auto_ticket(full)])["TicketList"] == []


def test_a_player_who_leaves_is_replaced(stage: Stage) -> None:
    session = crew(stage, "ana", "ben", BackfillMode="AUTOMATIC")
    for name in ("cho", "dan"):
        enter(stage, name)
        stage.settle()
    sessions = player_sessions(stage, session)
    for name in ("ana", "ben", "cho", "dan"):
        accept(stage, session, sessions[name])
    remove(stage, session, sessions["ben"])
    stage.settle()
    ticket = seen(stage, auto_ticket(see(stage, session)))
    assert [one["PlayerId"] for one in ticket["Players"]] == ["ana", "cho", "dan"]
    remove(stage, session, sessions["ana"])
    stage.settle()
    assert [one["PlayerId"] for one in seen(stage, ticket["TicketId"])["Players"]] == ["cho", "dan"]
    enter(stage, "eve")
    stage.settle()
    assert sorted(in_data(see(stage, session))) == ["cho", "dan", "eve"]


def test_stopping_the_ticket_ends_automatic_backfill_of_the_session(stage: Stage) -> None:
    session = crew(stage, "ana", "ben", BackfillMode="AUTOMATIC")
    ticket_id = auto_ticket(session)
    stage.call("StopMatchmaking", TicketId=ticket_id)
    stage.settle()
    assert seen(stage, ticket_id)["Status"] == "CANCELLED"
    sessions = player_sessions(stage, session)
    remove(stage, session, sessions["ben"])
    stage.settle()
    assert stage.read(lambda ctx: (TICKETS(ctx).count("active", "maker"), AUTO_TICKETS(ctx).count())) == (0, 0)


def test_a_session_that_takes_no_more_players_seeks_none(stage: Stage) -> None:
    session = crew(stage, "ana", "ben", BackfillMode="AUTOMATIC")
    stage.call("UpdateGameSession", GameSessionId=session["GameSessionId"], PlayerSessionCreationPolicy="DENY_ALL")
    stage.settle()
    assert seen(stage, auto_ticket(session))["Status"] == "CANCELLED"
    stage.call("UpdateGameSession", GameSessionId=session["GameSessionId"], PlayerSessionCreationPolicy="ACCEPT_ALL")
    stage.settle()
    again = auto_ticket(see(stage, session))
    assert again != auto_ticket(session) and seen(stage, again)["Status"] == "SEARCHING"


def test_an_automatic_ticket_that_times_out_is_followed_by_another(stage: Stage) -> None:
    session = crew(stage, "ana", "ben", BackfillMode="AUTOMATIC")
    for one in player_sessions(stage, session).values():
        accept(stage, session, one)
    stage.advance(61)
    first, second = auto_ticket(session), auto_ticket(see(stage, session))
    assert (seen(stage, first)["Status"], seen(stage, second)["Status"]) == ("TIMED_OUT", "SEARCHING")


def test_the_end_of_an_automatic_session_cancels_its_ticket(stage: Stage) -> None:
    session = crew(stage, "ana", "ben", BackfillMode="AUTOMATIC")
    ended = {"GameSessionId": session["GameSessionId"], "TerminationMode": "FORCE_TERMINATE"}
    stage.call("TerminateGameSession", **ended)
    stage.settle()
    assert seen(stage, auto_ticket(session))["Status"] == "CANCELLED"
    assert stage.read(lambda ctx: (ROSTERS(ctx).count(), AUTO_TICKETS(ctx).count())) == (0, 0)
    assert stage.read(lambda ctx: TICKETS(ctx).count("active", "maker")) == 0


def test_a_duel_is_never_more_than_full(stage: Stage) -> None:
    make_hosted(stage, duel_rules(), BackfillMode="AUTOMATIC")
    for name in ("ana", "ben", "cho"):
        enter(stage, name, 10)
    stage.settle()
    assert statuses(stage, "ana", "ben", "cho") == ["COMPLETED", "COMPLETED", "SEARCHING"]
