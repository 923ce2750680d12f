"""Matchmaking tickets: entered, matched, placed, timed out, stopped; and the events that tell about them."""

import json
from typing import Any

import pytest
from fleet_scenes import active_fleet
from placement_scenes import make_lobby, make_topic, placed, told, told_types
from session_scenes import see
from sns_scenes import QUEUE, bodies, deliver, make_queue
from ticket_scenes import (
    answer,
    duel_rules,
    enter,
    enter_party,
    make_hosted,
    make_maker,
    make_rules,
    player,
    seen,
    statuses,
    team_rules,
)

from apitrail.services.gamelift.collections import MATCH_CHANGES, MATCHES, PLACEMENTS, TICKETS
from apitrail.testing import Stage
from apitrail.testing.stage import ACCOUNT, REGION

DAY_S = 86_400
MAKER = f"arn:aws:gamelift:{REGION}:{ACCOUNT}:matchmakingconfiguration/maker"


@pytest.fixture
def duels(stage: Stage) -> Stage:
    make_rules(stage, duel_rules())
    make_maker(stage)
    return stage


def test_a_ticket_is_queued_then_searching(duels: Stage) -> None:
    ticket = enter(duels, "ana", 10)
    assert {name: ticket[name] for name in ticket if name[0] != "_" and name != "StartTime"} == {
        "TicketId": "t-ana",
        "ConfigurationName": "maker",
        "ConfigurationArn": MAKER,
        "Status": "QUEUED",
        "Players": [{"PlayerId": "ana", "PlayerAttributes": {"skill": {"N": 10.0}}}],
    }
    duels.settle()
    assert seen(duels, "t-ana") == {**{k: v for k, v in ticket.items() if k[0] != "_"}, "Status": "SEARCHING"}
    assert told_types(duels) == ["MatchmakingSearching"]


def test_two_who_fit_are_matched_and_a_third_searches_on(duels: Stage) -> None:
    for name, skill in (("ana", 10), ("ben", 90), ("cho", 15)):
        enter(duels, name, skill)
    duels.settle()
    assert statuses(duels, "ana", "ben", "cho") == ["COMPLETED", "SEARCHING", "COMPLETED"]
    found = [seen(duels, f"t-{name}") for name in ("ana", "cho")]
    assert {one["Players"][0]["Team"] for one in found} == {"red", "blue"}
    assert all("GameSessionConnectionInfo" not in one and "EndTime" in one for one in found)


def test_events_of_a_standalone_match_say_who_plays_where(duels: Stage) -> None:
    for name in ("ana", "ben"):
        enter(duels, name, 10)
    duels.settle()
    events = told(duels)
    assert [event["detail"]["type"] for event in events] == [
        "MatchmakingSearching",
        "MatchmakingSearching",
        "PotentialMatchCreated",
        "MatchmakingSucceeded",
    ]
    searching, _, potential, succeeded = (event["detail"] for event in events)
    assert events[0]["resources"] == [MAKER] and events[0]["detail-type"] == "GameLift Matchmaking Event"
    start = "2026-03-04T09:15:00.000Z"
    assert searching == {
        "type": "MatchmakingSearching",
        "tickets": [{"ticketId": "t-ana", "startTime": start, "players": [{"playerId": "ana"}]}],
        "estimatedWaitMillis": "NOT_AVAILABLE",
        "gameSessionInfo": {"players": [{"playerId": "ana"}]},
    }
    assert (potential["acceptanceRequired"], "acceptanceTimeout" in potential) == (False, False)
    assert [one["ruleName"] for one in potential["ruleEvaluationMetrics"]] == ["fair"]
    assert potential["ruleEvaluationMetrics"][0]["passedCount"] >= 1
    assert potential["matchId"] == succeeded["matchId"]
    assert sorted(one["ticketId"] for one in succeeded["tickets"]) == ["t-ana", "t-ben"]
    assert set(succeeded["gameSessionInfo"]) == {"players"}
    assert {one["team"] for one in succeeded["gameSessionInfo"]["players"]} == {"red", "blue"}


@pytest.mark.parametrize(
    "players",
    [
        [],
        [player(f"p{number}") for number in range(11)],
        [player("ana"), player("ana")],
        [{"PlayerAttributes": {}}],
        [player("ana", Team="red")],
        [player("ana", PlayerAttributes={"skill": {}})],
        [player("ana", PlayerAttributes={"skill": {"N": 1.0, "S": "x"}})],
        [player("ana", PlayerAttributes={"skill": {"S": "high"}})],
        [player("ana", PlayerAttributes={"skill": {"N": float("nan")}})],
        [player("ana", PlayerAttributes={"map": {"SDM": {"x": float("inf")}}})],
        [player("ana", PlayerAttributes={f"a{number}": {"N": 1.0} for number in range(11)})],
    ],
)
def test_players_that_make_no_sense_are_refused(duels: Stage, players: list[dict[str, Any]]) -> None:
    error = duels.error("StartMatchmaking", ConfigurationName="maker", Players=players)
    assert error.error_code == "InvalidRequestException"


def test_unknown_configurations_and_tickets_are_not_found(duels: Stage) -> None:
    error = duels.error("StartMatchmaking", ConfigurationName="nobody", Players=[player("ana")])
    assert error.error_code == "NotFoundException"
    assert duels.error("StopMatchmaking", TicketId="x").error_code == "NotFoundException"
    error = duels.error("AcceptMatch", TicketId="x", PlayerIds=["ana"], AcceptanceType="ACCEPT")
    assert error.error_code == "NotFoundException"


def test_ids_are_made_or_used_once(duels: Stage) -> None:
    made = duels.call("StartMatchmaking", ConfigurationName=MAKER, Players=[player("eve")])["MatchmakingTicket"]
    assert len(made["TicketId"]) == 36
    enter(duels, "ana")
    given = {"TicketId": "t-ana", "ConfigurationName": "maker", "Players": [player("ben")]}
    assert duels.error("StartMatchmaking", **given).error_code == "InvalidRequestException"


def test_tickets_are_described_by_up_to_ten_ids(duels: Stage) -> None:
    enter(duels, "ana")
    found = duels.call("DescribeMatchmaking", TicketIds=["t-ana", "x", "t-ana"])["TicketList"]
    assert [ticket["TicketId"] for ticket in found] == ["t-ana"]
    error = duels.error("DescribeMatchmaking", TicketIds=[str(number) for number in range(11)])
    assert error.error_code == "InvalidRequestException"


def test_a_ticket_can_be_stopped_once(duels: Stage) -> None:
    enter(duels, "ana", 10)
    duels.settle()
    assert duels.call("StopMatchmaking", TicketId="t-ana") == {}
    ticket = seen(duels, "t-ana")
    assert (ticket["Status"], ticket["StatusReason"], ticket["StatusMessage"]) == (
        "CANCELLED",
        "Cancelled",
        "Cancelled by request.",
    )
    error = duels.error("StopMatchmaking", TicketId="t-ana")
    assert error.message == "Matchmaking ticket is in CANCELLED status and cannot be canceled."
    enter(duels, "ben", 10)
    duels.settle()
    assert statuses(duels, "ben") == ["SEARCHING"]
    detail = next(event["detail"] for event in told(duels) if event["detail"]["type"] == "MatchmakingCancelled")
    assert (detail["reason"], detail["message"]) == ("Cancelled", "Cancelled by request.")
    assert detail["ruleEvaluationMetrics"] == [{"ruleName": "fair", "passedCount": 0, "failedCount": 0}]


def test_a_player_who_is_entered_again_leaves_the_older_ticket(duels: Stage) -> None:
    enter(duels, "ana", 10)
    duels.settle()
    enter_party(duels, "again", [player("ana", 50)])
    duels.settle()
    assert (statuses(duels, "ana"), seen(duels, "again")["Status"]) == (["CANCELLED"], "SEARCHING")


def test_a_ticket_times_out_after_the_time_of_its_configuration(duels: Stage) -> None:
    enter(duels, "ana", 10)
    duels.advance(59)
    assert statuses(duels, "ana") == ["SEARCHING"]
    duels.advance(1)
    ticket = seen(duels, "t-ana")
    assert (ticket["Status"], ticket["StatusReason"]) == ("TIMED_OUT", "TimedOut")
    assert ticket["StatusMessage"] == "Removed from matchmaking due to timing out."
    assert told(duels)[-1]["detail"]["reason"] == "TimedOut"


def test_ended_tickets_are_kept_for_thirty_days(duels: Stage) -> None:
    enter(duels, "ana", 10)
    duels.advance(60)
    duels.advance(29 * DAY_S, step=DAY_S)
    assert statuses(duels, "ana") == ["TIMED_OUT"]
    duels.advance(2 * DAY_S, step=DAY_S)
    assert duels.call("DescribeMatchmaking", TicketIds=["t-ana"])["TicketList"] == []


def test_an_expansion_makes_a_match_when_its_time_has_come(stage: Stage) -> None:
    steps = [{"waitTimeSeconds": 20, "value": 50}]
    make_rules(stage, duel_rules(expansions=[{"target": "rules[fair].maxDistance", "steps": steps}]))
    make_maker(stage)
    enter(stage, "ana", 10)
    enter(stage, "ben", 50)
    stage.advance(19)
    assert statuses(stage, "ana", "ben") == ["SEARCHING", "SEARCHING"]
    stage.advance(2)
    assert statuses(stage, "ana", "ben") == ["COMPLETED", "COMPLETED"]


def test_a_changed_rule_set_counts_for_those_who_wait(duels: Stage) -> None:
    enter(duels, "ana", 10)
    enter(duels, "ben", 50)
    duels.settle()
    rules = duel_rules(rules=[])
    make_rules(duels, rules, "open")
    duels.call("UpdateMatchmakingConfiguration", Name="maker", RuleSetName="open")
    duels.settle()
    assert statuses(duels, "ana", "ben") == ["COMPLETED", "COMPLETED"]


def test_players_are_told_how_long_others_have_waited(duels: Stage) -> None:
    enter(duels, "ana", 10)
    duels.advance(40)
    enter(duels, "ben", 10)
    duels.settle()
    ticket = enter(duels, "cho", 10)
    assert ticket["EstimatedWaitTime"] == 32
    duels.settle()
    assert told(duels)[-1]["detail"]["estimatedWaitMillis"] == 32_000


def test_a_configuration_with_an_active_ticket_cannot_be_deleted(duels: Stage) -> None:
    enter(duels, "ana", 10)
    error = duels.error("DeleteMatchmakingConfiguration", Name="maker")
    assert error.error_code == "InvalidRequestException"
    duels.call("StopMatchmaking", TicketId="t-ana")
    duels.call("DeleteMatchmakingConfiguration", Name="maker")
    assert duels.read(lambda ctx: (MATCHES(ctx).count(), TICKETS(ctx).count())) == (0, 1)


def test_a_match_is_placed_in_a_session_with_a_slot_for_each_player(stage: Stage) -> None:
    make_hosted(stage, duel_rules(), GameProperties=[{"Key": "mode", "Value": "duel"}], GameSessionData="map=3")
    enter(stage, "ana", 10)
    enter(stage, "ben", 12)
    stage.settle()
    tickets = [seen(stage, f"t-{name}") for name in ("ana", "ben")]
    assert [ticket["Status"] for ticket in tickets] == ["COMPLETED"] * 2
    infos = [ticket["GameSessionConnectionInfo"] for ticket in tickets]
    session = see(stage, {"GameSessionId": infos[0]["GameSessionArn"]})
    assert (session["Status"], session["MaximumPlayerSessionCount"], session["CurrentPlayerSessionCount"]) == (
        "ACTIVE",
        2,
        2,
    )
    assert (session["GameProperties"], session["GameSessionData"]) == ([{"Key": "mode", "Value": "duel"}], "map=3")
    assert {(info["IpAddress"], info["Port"], info["PlayerGatewayStatus"]) for info in infos} == {
        ("127.0.0.1", session["Port"], "DISABLED")
    }
    found = stage.call("DescribePlayerSessions", GameSessionId=session["GameSessionId"])["PlayerSessions"]
    by_player = {one["PlayerId"]: one["PlayerSessionId"] for one in found}
    assert [info["MatchedPlayerSessions"] for info in infos] == [
        [{"PlayerId": name, "PlayerSessionId": by_player[name]}] for name in ("ana", "ben")
    ]
    data = json.loads(session["MatchmakerData"])
    assert data["matchmakingConfigurationArn"] == MAKER and "autoBackfillTicketId" not in data
    skills = {one["playerId"]: one["attributes"]["skill"] for team in data["teams"] for one in team["players"]}
    assert skills["ana"] == {"attributeType": "DOUBLE", "valueAttribute": 10.0}
    detail = told(stage)[-1]["detail"]
    assert detail["type"] == "MatchmakingSucceeded" and detail["matchId"] == data["matchId"]
    info = detail["gameSessionInfo"]
    assert (info["gameSessionArn"], info["port"]) == (session["GameSessionId"], session["Port"])
    assert {one["playerSessionId"] for one in info["players"]} == set(by_player.values())


def test_placing_has_its_own_status_and_cannot_be_stopped(stage: Stage) -> None:
    queue = make_lobby(stage, TimeoutInSeconds=20)
    make_rules(stage, duel_rules())
    make_maker(stage, GameSessionQueueArns=[queue["GameSessionQueueArn"]])
    enter(stage, "ana", 10)
    enter(stage, "ben", 12)
    stage.settle()
    assert statuses(stage, "ana", "ben") == ["PLACING", "PLACING"]
    error = stage.error("StopMatchmaking", TicketId="t-ana")
    assert error.message == "Matchmaking ticket is in PLACING status and cannot be canceled."
    stage.advance(20)
    tickets = [seen(stage, f"t-{name}") for name in ("ana", "ben")]
    assert [(one["Status"], one["StatusReason"]) for one in tickets] == [("FAILED", "UNEXPECTED_ERROR")] * 2
    assert told_types(stage)[-2:] == ["PlacementTimedOut", "MatchmakingFailed"]
    assert stage.read(lambda ctx: MATCHES(ctx).count()) == 0


def test_a_match_whose_queue_is_gone_fails(stage: Stage) -> None:
    make_hosted(stage, duel_rules())
    stage.call("DeleteGameSessionQueue", Name="lobby")
    enter(stage, "ana", 10)
    enter(stage, "ben", 12)
    stage.settle()
    assert statuses(stage, "ana", "ben") == ["FAILED", "FAILED"]
    assert "does not exist" in seen(stage, "t-ana")["StatusMessage"]


def test_latencies_decide_where_a_match_is_played(stage: Stage) -> None:
    fleet_id = active_fleet(stage, Locations=[{"Location": "eu-west-1"}])
    stage.advance(10)
    queue = make_lobby(stage, fleet_id)
    latency = {"name": "near", "type": "latency", "maxLatency": 100}
    make_rules(stage, duel_rules(rules=[latency]))
    make_maker(stage, GameSessionQueueArns=[queue["GameSessionQueueArn"]])
    enter(stage, "ana", LatencyInMs={REGION: 20, "eu-west-1": 90})
    enter(stage, "ben", LatencyInMs={REGION: 150, "eu-west-1": 80})
    stage.settle()
    session = see(stage, {"GameSessionId": seen(stage, "t-ana")["GameSessionConnectionInfo"]["GameSessionArn"]})
    assert session["Location"] == "eu-west-1"
    (placement,) = stage.read(lambda ctx: [entry.id for entry in PLACEMENTS(ctx).all()])
    assert len(placed(stage, placement)["PlayerLatencies"]) == 4


def test_slots_that_are_to_stay_free_do(stage: Stage) -> None:
    make_hosted(stage, team_rules(2, 4), AdditionalPlayerCount=1)
    for name in "abcde":
        enter(stage, name)
    stage.settle()
    done = [seen(stage, f"t-{name}") for name in "abcde"]
    arns = [one["GameSessionConnectionInfo"]["GameSessionArn"] for one in done if one["Status"] == "COMPLETED"]
    session = see(stage, {"GameSessionId": arns[0]})
    assert (session["MaximumPlayerSessionCount"], arns.count(arns[0])) == (4, 3)


@pytest.fixture
def accepted_duels(stage: Stage) -> Stage:
    make_rules(stage, duel_rules())
    make_maker(stage, AcceptanceRequired=True, AcceptanceTimeoutSeconds=20)
    for name in ("ana", "ben"):
        enter(stage, name, 10)
    stage.settle()
    assert statuses(stage, "ana", "ben") == ["REQUIRES_ACCEPTANCE"] * 2
    return stage


def test_a_match_that_all_accept_goes_on(accepted_duels: Stage) -> None:
    stage = accepted_duels
    potential = told(stage)[-1]["detail"]
    assert (potential["acceptanceRequired"], potential["acceptanceTimeout"]) == (True, 20)
    answer(stage, "ana")
    accepted = told(stage)[-1]["detail"]
    assert accepted["type"] == "AcceptMatch"
    marks = {one["playerId"]: one.get("accepted") for one in accepted["gameSessionInfo"]["players"]}
    assert marks == {"ana": True, "ben": None}
    assert statuses(stage, "ana", "ben") == ["REQUIRES_ACCEPTANCE"] * 2
    answer(stage, "ben")
    assert statuses(stage, "ana", "ben") == ["COMPLETED"] * 2
    assert told_types(stage)[-3:] == ["AcceptMatch", "AcceptMatchCompleted", "MatchmakingSucceeded"]
    assert told(stage)[-2]["detail"]["acceptance"] == "Accepted"
    error = stage.error("AcceptMatch", TicketId="t-ana", PlayerIds=["ana"], AcceptanceType="ACCEPT")
    assert error.error_code == "InvalidRequestException"


def test_a_rejection_ends_the_match_and_who_accepted_seeks_on(accepted_duels: Stage) -> None:
    stage = accepted_duels
    answer(stage, "ana")
    answer(stage, "ben", "REJECT")
    assert statuses(stage, "ana", "ben") == ["SEARCHING", "CANCELLED"]
    assert seen(stage, "t-ana")["StatusReason"] == "MatchRejected"
    assert told_types(stage)[-3:] == ["AcceptMatchCompleted", "MatchmakingSearching", "MatchmakingCancelled"]
    assert told(stage)[-3]["detail"]["acceptance"] == "Rejected"
    enter(stage, "cho", 10)
    stage.settle()
    assert statuses(stage, "ana", "cho") == ["REQUIRES_ACCEPTANCE"] * 2


def test_who_does_not_answer_in_time_is_cancelled(accepted_duels: Stage) -> None:
    stage = accepted_duels
    answer(stage, "ben")
    stage.advance(19)
    assert statuses(stage, "ana", "ben") == ["REQUIRES_ACCEPTANCE"] * 2
    stage.advance(1)
    assert statuses(stage, "ana", "ben") == ["CANCELLED", "SEARCHING"]
    assert seen(stage, "t-ben")["StatusReason"] == "AcceptanceTimedOut"
    stage.advance(39)
    assert statuses(stage, "ben") == ["SEARCHING"]
    stage.advance(1)
    assert statuses(stage, "ben") == ["TIMED_OUT"], "its time began with the first search"


def test_of_a_player_the_last_word_counts(accepted_duels: Stage) -> None:
    stage = accepted_duels
    answer(stage, "ana")
    answer(stage, "ana")
    assert statuses(stage, "ana", "ben") == ["REQUIRES_ACCEPTANCE"] * 2
    answer(stage, "ana", "REJECT")
    assert statuses(stage, "ana", "ben") == ["CANCELLED", "CANCELLED"]


def test_only_the_players_of_a_ticket_can_answer_for_it(accepted_duels: Stage) -> None:
    for ids in (["ben"], []):
        error = accepted_duels.error("AcceptMatch", TicketId="t-ana", PlayerIds=ids, AcceptanceType="ACCEPT")
        assert error.error_code == "InvalidRequestException"


def test_stopping_a_ticket_of_a_proposed_match_lets_the_others_seek_on(accepted_duels: Stage) -> None:
    stage = accepted_duels
    stage.call("StopMatchmaking", TicketId="t-ana")
    assert statuses(stage, "ana", "ben") == ["CANCELLED", "SEARCHING"]
    stage.advance(25)
    assert statuses(stage, "ben") == ["SEARCHING"]
    assert stage.read(lambda ctx: MATCHES(ctx).count()) == 0


def test_a_ticket_that_returns_after_its_time_ends(stage: Stage) -> None:
    make_rules(stage, duel_rules())
    make_maker(stage, AcceptanceRequired=True, AcceptanceTimeoutSeconds=100)
    for name in ("ana", "ben"):
        enter(stage, name, 10)
    stage.settle()
    answer(stage, "ana")
    stage.advance(100)
    assert statuses(stage, "ana", "ben") == ["TIMED_OUT", "CANCELLED"]


def test_a_match_of_ten_is_played_and_a_subscriber_is_told_all_of_it(stage: Stage) -> None:
    topic = make_topic(stage)
    url = make_queue(stage, topic=topic)
    wanted = {"TopicArn": topic, "Protocol": "sqs", "Endpoint": QUEUE, "Attributes": {"RawMessageDelivery": "true"}}
    stage.call_("Subscribe", wanted, service="sns")
    teams = [{"name": name, "minPlayers": 5, "maxPlayers": 5} for name in ("red", "blue")]
    make_hosted(stage, duel_rules(teams=teams), NotificationTarget=topic, CustomEventData="season=3")
    for number in range(10):
        enter(stage, f"p{number}", 10 + number % 3)
        stage.advance(1)
    tickets = [seen(stage, f"t-p{number}") for number in range(10)]
    assert {ticket["Status"] for ticket in tickets} == {"COMPLETED"}
    (arn,) = {ticket["GameSessionConnectionInfo"]["GameSessionArn"] for ticket in tickets}
    session = see(stage, {"GameSessionId": arn})
    assert (session["Status"], session["CurrentPlayerSessionCount"]) == ("ACTIVE", 10)
    data = json.loads(session["MatchmakerData"])
    assert [(team["name"], len(team["players"])) for team in data["teams"]] == [("red", 5), ("blue", 5)]
    deliver(stage)
    messages = [json.loads(body) for body in bodies(stage, url)]
    kinds = [message["detail"]["type"] for message in messages]
    assert kinds == ["MatchmakingSearching"] * 10 + ["PotentialMatchCreated", "MatchmakingSucceeded"]
    assert messages == [event for event in told(stage) if event["resources"] == [MAKER]]
    assert all(message["detail"]["customEventData"] == "season=3" for message in messages)
    assert messages[-1]["detail"]["gameSessionInfo"]["gameSessionArn"] == arn


def test_what_was_told_to_the_engine_is_not_kept(duels: Stage) -> None:
    for number in range(120):
        enter(duels, f"p{number}", number * 11 % 1000)
    duels.settle()
    assert duels.read(lambda ctx: MATCH_CHANGES(ctx).count()) == 0
