"""Placements: asked for, placed in the best place, waiting, ending; and the events that tell about them."""

import json
from pathlib import Path
from typing import Any

import pytest
from fleet_scenes import HOME, LAUNCH, active_fleet, anywhere_fleet, fleet_of, new_fleet
from host_scenes import real_processes
from placement_scenes import (
    TOPIC_ARN,
    fleet_arn,
    latencies,
    make_lobby,
    make_topic,
    place,
    placed,
    start,
    told,
    told_types,
)
from session_scenes import add_compute, create, join, ready, see
from sns_scenes import QUEUE, bodies, deliver, make_queue

from apitrail.services.gamelift import processes
from apitrail.services.gamelift.collections import PLACEMENTS, ROOM_CALLS, ROOM_WAITS
from apitrail.services.gamelift.room_waits import depth
from apitrail.testing import Stage
from apitrail.testing.stage import ACCOUNT, REGION
from worlds import zip_of

DAY_S = 86_400
ONE = {"RuntimeConfiguration": {"ServerProcesses": [{**LAUNCH, "ConcurrentExecutions": 1}]}}
MANY = {"RuntimeConfiguration": {"ServerProcesses": [{**LAUNCH, "ConcurrentExecutions": 40}]}}
AWAY = [{"Location": "eu-west-1"}]


def end(stage: Stage, placement: dict[str, Any]) -> None:
    """End the session of a placement and let its process be replaced."""
    session_id = placement["GameSessionId"]
    stage.call("TerminateGameSession", GameSessionId=session_id, TerminationMode="FORCE_TERMINATE")
    stage.settle()


def place_names(stage: Stage, placement: dict[str, Any]) -> tuple[str, str]:
    """Return the name of the fleet and the location that a placement is in."""
    (session,) = stage.call("DescribeGameSessions", GameSessionId=placement["GameSessionId"])["GameSessions"]
    return str(fleet_of(stage, session["FleetId"])["Name"]), str(session["Location"])


def test_a_request_is_pending_and_then_fulfilled_with_an_address(stage: Stage) -> None:
    fleet_id = active_fleet(stage)
    make_lobby(stage, fleet_id)
    given = {
        "GameProperties": [{"Key": "mode", "Value": "duel"}],
        "GameSessionName": "duel",
        "GameSessionData": "map=3",
    }
    desired = [{"PlayerId": "ana", "PlayerData": "level=9"}, {"PlayerId": "ben"}]
    pending = start(stage, DesiredPlayerSessions=desired, **given)
    assert (pending["Status"], "GameSessionId" in pending) == ("PENDING", False)
    stage.settle()
    placement = placed(stage)
    session_id = f"arn:aws:gamelift:us-west-2::gamesession/{fleet_id}/round-1"
    assert placement["Status"] == "FULFILLED"
    assert placement["GameSessionId"] == placement["GameSessionArn"] == session_id
    assert (placement["GameSessionRegion"], placement["IpAddress"], placement["DnsName"]) == (
        HOME,
        "127.0.0.1",
        "localhost",
    )
    assert placement["PlayerGatewayStatus"] == "DISABLED" and placement["Port"] >= 7000
    assert {name: placement[name] for name in given} == given
    session = see(stage, placement)
    assert (session["Status"], session["Name"], session["GameSessionData"]) == ("ACTIVE", "duel", "map=3")
    assert (session["CurrentPlayerSessionCount"], session["MaximumPlayerSessionCount"]) == (2, 4)
    found = stage.call("DescribePlayerSessions", GameSessionId=session_id)["PlayerSessions"]
    assert [(one["PlayerId"], one["Status"], one.get("PlayerData")) for one in found] == [
        ("ana", "RESERVED", "level=9"),
        ("ben", "RESERVED", None),
    ]
    assert placement["PlacedPlayerSessions"] == [
        {"PlayerId": one["PlayerId"], "PlayerSessionId": one["PlayerSessionId"]} for one in found
    ]


def test_a_long_text_is_seen_in_the_placement_and_in_its_session(stage: Stage) -> None:
    make_lobby(stage, active_fleet(stage))
    text = "x" * 200_000
    placement = place(stage, GameSessionData=text)
    assert placement["GameSessionData"] == text
    assert see(stage, placement)["GameSessionData"] == text


@pytest.mark.parametrize(
    "params",
    [
        {"MaximumPlayerSessionCount": 201},
        {"GameProperties": [{"Key": "a", "Value": "1"}] * 2},
        {"PlayerLatencies": [{"PlayerId": "ana", "RegionIdentifier": HOME}]},
        {"PlayerLatencies": latencies(ana={HOME: -1.0})},
        {"PlayerLatencies": latencies(ana={HOME: 1.0}) * 10_001},
        {"PlayerLatencies": latencies(ana={HOME: 1.0}), "PriorityConfigurationOverride": {"LocationOrder": [HOME]}},
        {"PriorityConfigurationOverride": {"LocationOrder": [HOME]}},
        {"PriorityConfigurationOverride": {"LocationOrder": [HOME, HOME]}},
        {"DesiredPlayerSessions": [{"PlayerId": f"p{number}"} for number in range(5)]},
        {"DesiredPlayerSessions": [{"PlayerId": "ana"}] * 2},
        {"DesiredPlayerSessions": [{"PlayerData": "x"}]},
    ],
)
def test_requests_that_make_no_sense_are_refused(stage: Stage, params: dict[str, Any]) -> None:
    make_lobby(stage)
    given = {"PlacementId": "x", "GameSessionQueueName": "lobby", "MaximumPlayerSessionCount": 4, **params}
    assert stage.error("StartGameSessionPlacement", **given).error_code == "InvalidRequestException"


def test_unknown_names_are_not_found(stage: Stage) -> None:
    given = {"PlacementId": "x", "MaximumPlayerSessionCount": 4}
    error = stage.error("StartGameSessionPlacement", GameSessionQueueName="nobody", **given)
    assert error.error_code == "NotFoundException"
    for operation in ("DescribeGameSessionPlacement", "StopGameSessionPlacement"):
        assert stage.error(operation, PlacementId="x").error_code == "NotFoundException"


def test_an_id_is_used_once_and_free_again_when_nothing_of_it_is_kept(stage: Stage) -> None:
    make_lobby(stage, active_fleet(stage))
    placement = place(stage)
    given = {"PlacementId": "round-1", "GameSessionQueueName": "lobby", "MaximumPlayerSessionCount": 4}
    assert stage.error("StartGameSessionPlacement", **given).error_code == "InvalidRequestException"
    stage.advance(31 * DAY_S, step=DAY_S)
    assert placed(stage)["Status"] == "FULFILLED", "its session is still there"
    end(stage, placement)
    stage.advance(33 * DAY_S, step=DAY_S)
    assert stage.error("DescribeGameSessionPlacement", PlacementId="round-1").error_code == "NotFoundException"
    assert place(stage)["Status"] == "FULFILLED"


def test_a_session_that_has_the_id_already_makes_the_next_one_numbered(stage: Stage) -> None:
    fleet_id = active_fleet(stage)
    make_lobby(stage, fleet_id)
    create(stage, fleet_id, IdempotencyToken="round-1")
    assert place(stage)["GameSessionId"].endswith("/round-1-2")


def test_without_room_a_placement_waits_and_takes_the_first_that_comes(stage: Stage) -> None:
    make_lobby(stage, active_fleet(stage))
    first = place(stage, "a")
    place(stage, "b")
    assert [place(stage, name)["Status"] for name in ("c", "d")] == ["PENDING", "PENDING"]
    stage.advance(20)
    end(stage, first)
    assert (placed(stage, "c")["Status"], placed(stage, "d")["Status"]) == ("FULFILLED", "PENDING")
    end(stage, placed(stage, "b"))
    assert placed(stage, "d")["Status"] == "FULFILLED"
    assert stage.read(lambda ctx: (ROOM_WAITS(ctx).count(), ROOM_CALLS(ctx).count())) == (0, 0)


def test_nobody_looks_while_nothing_happens(stage: Stage) -> None:
    make_lobby(stage, active_fleet(stage))
    for name in ("a", "b", "c"):
        place(stage, name)
    timers = stage.run(stage.app.database.read(lambda tx: tx.all("SELECT kind, due FROM timers ORDER BY due")))
    waiting = {kind for kind, _ in timers if "placement" in kind or "room" in kind or "thing" in kind}
    assert waiting == {"gamelift/placement-timeout", "gamelift/forget-placement"}


def test_new_instances_are_room_as_well(stage: Stage) -> None:
    fleet_id = active_fleet(stage, **ONE)
    make_lobby(stage, fleet_id)
    names = [f"r-{number}" for number in range(4)]
    for name in names:
        place(stage, name)
    stage.call("UpdateFleetCapacity", FleetId=fleet_id, DesiredInstances=3, MaxSize=5)
    stage.advance(5)
    assert [placed(stage, name)["Status"] for name in names] == ["FULFILLED"] * 3 + ["PENDING"]


def test_a_hundred_that_wait_are_placed_when_there_is_room_for_all(stage: Stage) -> None:
    fleet_id = new_fleet(stage, **MANY)
    make_lobby(stage, fleet_id)
    for number in range(50):
        start(stage, f"r-{number}")
    stage.settle()
    stage.advance(7)
    states = [placed(stage, f"r-{number}")["Status"] for number in range(50)]
    assert states == ["FULFILLED"] * 40 + ["PENDING"] * 10


def test_a_placement_times_out_after_the_queues_timeout(stage_with_delay: Stage) -> None:
    stage = stage_with_delay
    make_lobby(stage, TimeoutInSeconds=30)
    place(stage)
    stage.advance(29)
    assert placed(stage)["Status"] == "PENDING"
    stage.advance(1)
    placement = placed(stage)
    assert placement["Status"] == "TIMED_OUT"
    assert (placement["EndTime"] - placement["StartTime"]).total_seconds() == 30
    error = stage.error("StopGameSessionPlacement", PlacementId="round-1")
    assert error.error_code == "InvalidRequestException" and "TIMED_OUT" in error.message


def test_a_waiting_placement_can_be_stopped_and_takes_no_room_then(stage: Stage) -> None:
    make_lobby(stage, active_fleet(stage))
    first = place(stage, "a")
    place(stage, "b")
    place(stage, "c")
    stopped = stage.call("StopGameSessionPlacement", PlacementId="c")["GameSessionPlacement"]
    assert (stopped["Status"], "EndTime" in stopped) == ("CANCELLED", True)
    end(stage, first)
    assert placed(stage, "c")["Status"] == "CANCELLED"
    assert place(stage, "d")["Status"] == "FULFILLED"


def test_a_placement_with_a_session_cannot_be_stopped(tmp_path: Path) -> None:
    with Stage(tmp_path) as stage:
        fleet_id = anywhere_fleet(stage)
        add_compute(stage, fleet_id, "custom-desk", "process-1")
        make_lobby(stage, fleet_id)
        placement = place(stage)
        assert (placement["Status"], placement["GameSessionRegion"]) == ("PENDING", HOME)
        assert placement["GameSessionId"].endswith("/custom-desk/round-1") and placement["Port"] == 9000
        error = stage.error("StopGameSessionPlacement", PlacementId="round-1")
        assert error.error_code == "InvalidRequestException" and "TerminateGameSession" in error.message
        stage.change(lambda ctx: processes.activate_session(ctx, "process-1", placement["GameSessionId"]))
        assert placed(stage)["Status"] == "FULFILLED"
        assert stage.error("StopGameSessionPlacement", PlacementId="round-1").error_code == "InvalidRequestException"


def test_a_session_that_ends_before_it_is_active_is_tried_in_the_next_place(stage: Stage) -> None:
    names = ("custom-desk", "custom-rack")
    fleet_id = anywhere_fleet(stage, *names)
    add_compute(stage, fleet_id, "custom-desk", "process-1")
    backup = active_fleet(stage)
    make_lobby(stage, fleet_id, backup)
    first = place(stage)
    stage.change(lambda ctx: processes.process_ended(ctx, "process-1", crashed=True))
    stage.settle()
    second = placed(stage)
    assert see(stage, first)["Status"] == "ERROR"
    assert second["Status"] == "FULFILLED" and second["GameSessionId"].endswith(f"{backup}/round-1-2")


def test_a_placement_whose_every_place_has_failed_fails(stage: Stage) -> None:
    fleet_id = anywhere_fleet(stage)
    add_compute(stage, fleet_id, "custom-desk", "process-1", "process-2")
    make_lobby(stage, fleet_id)
    place(stage)
    stage.change(lambda ctx: processes.process_ended(ctx, "process-1"))
    stage.settle()
    placement = placed(stage)
    assert placement["Status"] == "FAILED" and "GameSessionId" not in placement and "Port" not in placement


def test_a_session_that_is_not_active_in_time_ends_with_its_placement(stage: Stage) -> None:
    fleet_id = anywhere_fleet(stage)
    add_compute(stage, fleet_id, "custom-desk", "process-1")
    make_lobby(stage, fleet_id, TimeoutInSeconds=20)
    session = place(stage)
    stage.advance(21)
    assert placed(stage)["Status"] == "TIMED_OUT" and "GameSessionId" not in placed(stage)
    assert see(stage, session)["Status"] == "TERMINATING"
    stage.change(lambda ctx: processes.process_ended(ctx, "process-1"))
    stage.settle()
    assert see(stage, session)["Status"] == "TERMINATED"


def test_destinations_are_tried_in_their_order(stage: Stage) -> None:
    fleets = [active_fleet(stage, Name=name, **ONE) for name in ("one", "two")]
    make_lobby(stage, *fleets[::-1])
    assert [place_names(stage, place(stage, f"r-{number}"))[0] for number in range(2)] == ["two", "one"]


def test_locations_of_a_fleet_are_tried_by_name(stage: Stage) -> None:
    fleet_id = active_fleet(stage, Locations=AWAY, **ONE)
    stage.advance(10)
    make_lobby(stage, fleet_id)
    assert [place_names(stage, place(stage, f"r-{number}"))[1] for number in range(2)] == ["eu-west-1", HOME]


def test_the_lowest_average_latency_comes_first(stage: Stage) -> None:
    fleet_id = active_fleet(stage, Locations=AWAY)
    stage.advance(10)
    make_lobby(stage, fleet_id)
    near = latencies(ana={HOME: 20.0, "eu-west-1": 90.0}, ben={HOME: 80.0, "eu-west-1": 70.0})
    placement = place(stage, PlayerLatencies=near)
    assert (place_names(stage, placement)[1], placement["PlayerLatencies"]) == (HOME, near)
    far = latencies(ana={HOME: 80.0, "eu-west-1": 10.0})
    placement = place(stage, "r-2", PlayerLatencies=far)
    assert (place_names(stage, placement)[1], placement["GameSessionRegion"]) == ("eu-west-1", "eu-west-1")


def test_a_location_counts_only_if_every_player_who_reports_any_latency_has_one_for_it(stage: Stage) -> None:
    fleet_id = active_fleet(stage, Locations=AWAY)
    stage.advance(10)
    make_lobby(stage, fleet_id)
    some = latencies(ana={HOME: 500.0, "eu-west-1": 10.0}, ben={HOME: 500.0})
    desired = [{"PlayerId": name} for name in ("ana", "ben", "cho")]
    placement = place(stage, PlayerLatencies=some, DesiredPlayerSessions=desired)
    assert place_names(stage, placement)[1] == HOME


def test_latency_policies_let_go_one_after_the_other(stage: Stage) -> None:
    fleet_id = active_fleet(stage, Locations=AWAY, **ONE)
    stage.advance(10)
    policies = [
        {"MaximumIndividualPlayerLatencyMilliseconds": 50, "PolicyDurationSeconds": 60},
        {"MaximumIndividualPlayerLatencyMilliseconds": 100, "PolicyDurationSeconds": 60},
        {"MaximumIndividualPlayerLatencyMilliseconds": 200},
    ]
    make_lobby(stage, fleet_id, PlayerLatencyPolicies=policies)
    far = latencies(ana={HOME: 90.0, "eu-west-1": 250.0})
    assert place(stage, PlayerLatencies=far)["Status"] == "PENDING"
    stage.advance(59)
    assert placed(stage)["Status"] == "PENDING"
    stage.advance(1)
    assert place_names(stage, placed(stage))[1] == HOME
    never = place(stage, "r-2", PlayerLatencies=far)
    stage.advance(300)
    assert placed(stage, "r-2")["Status"] == never["Status"] == "PENDING", "250 ms are never allowed, home is full"
    assert place(stage, "r-3")["Status"] == "FULFILLED", "policies are for requests with latencies"


def test_when_every_policy_has_had_its_time_none_counts(stage: Stage) -> None:
    make_lobby(
        stage,
        active_fleet(stage),
        PlayerLatencyPolicies=[{"MaximumIndividualPlayerLatencyMilliseconds": 50, "PolicyDurationSeconds": 60}],
    )
    place(stage, PlayerLatencies=latencies(ana={HOME: 900.0}))
    stage.advance(59)
    assert placed(stage)["Status"] == "PENDING"
    stage.advance(1)
    assert placed(stage)["Status"] == "FULFILLED"


def test_cost_comes_first_if_the_queue_says_so(stage: Stage) -> None:
    dear = active_fleet(stage, Name="dear", EC2InstanceType="c5.4xlarge")
    cheap = active_fleet(stage, Name="cheap", EC2InstanceType="c5.4xlarge", FleetType="SPOT")
    make_lobby(stage, dear, cheap, PriorityConfiguration={"PriorityOrder": ["COST"]})
    make_lobby(stage, dear, cheap, name="plain")
    assert place_names(stage, place(stage))[0] == "cheap"
    assert place_names(stage, place(stage, "r-2", queue="plain"))[0] == "dear"
    near = latencies(ana={HOME: 5.0})
    assert place_names(stage, place(stage, "r-3", queue="plain", PlayerLatencies=near))[0] == "cheap"


def test_an_own_compute_has_the_cost_that_its_fleet_says(stage: Stage) -> None:
    managed = active_fleet(stage, Name="managed")
    desk = anywhere_fleet(stage)
    add_compute(stage, desk, "custom-desk", "process-1")
    make_lobby(stage, managed, desk, PriorityConfiguration={"PriorityOrder": ["COST"]})
    stage.call("UpdateFleetAttributes", FleetId=desk, AnywhereConfiguration={"Cost": "9.5"})
    assert place_names(stage, place(stage))[0] == "managed"
    stage.call("UpdateFleetAttributes", FleetId=desk, AnywhereConfiguration={"Cost": "0.001"})
    assert desk in place(stage, "r-2")["GameSessionId"]


def test_locations_come_first_in_the_order_of_the_queue_or_of_the_request(stage: Stage) -> None:
    fleet_id = active_fleet(stage, Locations=[*AWAY, {"Location": "us-east-1"}], **ONE)
    stage.advance(10)
    order = {"PriorityOrder": ["LOCATION"], "LocationOrder": [HOME, "us-east-1"]}
    make_lobby(stage, fleet_id, PriorityConfiguration=order)
    override = {"LocationOrder": ["eu-west-1"]}
    assert place_names(stage, place(stage, "a", PriorityConfigurationOverride=override))[1] == "eu-west-1"
    assert place_names(stage, place(stage, "b", PriorityConfigurationOverride=override))[1] == HOME
    strict = {**override, "PlacementFallbackStrategy": "NONE"}
    waiting = place(stage, "c", PriorityConfigurationOverride=strict)
    assert (waiting["Status"], waiting["PriorityConfigurationOverride"]) == ("PENDING", strict)
    assert place_names(stage, place(stage, "d"))[1] == "us-east-1"
    end(stage, placed(stage, "b"))
    assert placed(stage, "c")["Status"] == "PENDING"
    end(stage, placed(stage, "a"))
    assert place_names(stage, placed(stage, "c"))[1] == "eu-west-1"


def test_a_filter_keeps_placements_out_of_other_locations(stage: Stage) -> None:
    fleet_id = active_fleet(stage, Locations=AWAY, **ONE)
    stage.advance(10)
    make_lobby(stage, fleet_id, FilterConfiguration={"AllowedLocations": [HOME]})
    assert [place(stage, name)["Status"] for name in ("a", "b")] == ["FULFILLED", "PENDING"]
    stage.call("UpdateGameSessionQueue", Name="lobby", FilterConfiguration={})
    stage.settle()
    assert place_names(stage, placed(stage, "b"))[1] == "eu-west-1"


def test_an_alias_is_followed_when_placing_and_its_change_wakes_who_waits(stage: Stage) -> None:
    fleets = [active_fleet(stage, **ONE) for _ in range(2)]
    alias = stage.call("CreateAlias", Name="live", RoutingStrategy={"Type": "SIMPLE", "FleetId": fleets[0]})["Alias"]
    stage.call("CreateGameSessionQueue", Name="lobby", Destinations=[{"DestinationArn": alias["AliasArn"]}])
    assert fleets[0] in place(stage, "a")["GameSessionId"]
    assert place(stage, "b")["Status"] == "PENDING"
    stage.call("UpdateAlias", AliasId=alias["AliasId"], RoutingStrategy={"Type": "SIMPLE", "FleetId": fleets[1]})
    stage.settle()
    assert fleets[1] in placed(stage, "b")["GameSessionId"]
    stage.call("UpdateAlias", AliasId=alias["AliasId"], RoutingStrategy={"Type": "TERMINAL", "Message": "over"})
    assert place(stage, "c")["Status"] == "PENDING"
    stage.call("DeleteAlias", AliasId=alias["AliasId"])
    assert place(stage, "d")["Status"] == "PENDING"


def test_a_fleet_of_another_region_is_a_destination(stage: Stage) -> None:
    stage.region = "eu-central-1"
    fleet_id = _fleet_in(stage, "eu-central-1")
    stage.region = REGION
    arn = fleet_arn(fleet_id, "eu-central-1")
    stage.call("CreateGameSessionQueue", Name="lobby", Destinations=[{"DestinationArn": arn}])
    first = place(stage, DesiredPlayerSessions=[{"PlayerId": "ana"}])
    assert first["GameSessionId"] == f"arn:aws:gamelift:eu-central-1::gamesession/{fleet_id}/round-1"
    assert (first["Status"], first["GameSessionRegion"]) == ("FULFILLED", "eu-central-1")
    place(stage, "b")
    assert place(stage, "c")["Status"] == "PENDING"
    ended = {"GameSessionId": first["GameSessionId"], "TerminationMode": "FORCE_TERMINATE"}
    stage.call_("TerminateGameSession", ended, region="eu-central-1")
    stage.settle()
    assert placed(stage, "c")["Status"] == "FULFILLED"


def _fleet_in(stage: Stage, region: str) -> str:
    script = stage.call("CreateScript", Name="s", ZipFile=zip_of(b"// nothing"))["Script"]
    launch = {"ServerProcesses": [{"LaunchPath": "/local/game/server.js", "ConcurrentExecutions": 2}]}
    fleet = stage.call(
        "CreateFleet", Name="far", ScriptId=script["ScriptId"], EC2InstanceType="c5.large", RuntimeConfiguration=launch
    )["FleetAttributes"]
    stage.advance(8)
    assert region in fleet["FleetArn"]
    return str(fleet["FleetId"])


def test_a_location_that_scales_from_zero_is_started_for_a_placement(stage: Stage) -> None:
    fleet_id = active_fleet(stage)
    managed = {"ZeroCapacityStrategy": "SCALE_TO_AND_FROM_ZERO", "ScaleInAfterInactivityMinutes": 5}
    stage.call("UpdateFleetCapacity", FleetId=fleet_id, ManagedCapacityConfiguration=managed)
    stage.advance(600, step=60)
    make_lobby(stage, fleet_id)
    assert place(stage)["Status"] == "PENDING"
    stage.advance(5)
    assert placed(stage)["Status"] == "FULFILLED"


def test_what_waits_for_a_fleet_is_counted_for_its_best_place_only(stage: Stage) -> None:
    fleets = [active_fleet(stage, **ONE) for _ in range(2)]
    make_lobby(stage, *fleets)
    for name in ("a", "b", "c"):
        place(stage, name)
    stage.advance(30)
    place(stage, "d")
    found = [stage.read(lambda ctx, one=one: tuple(depth(ctx, one, HOME))) for one in fleets]
    assert found == [(2, 30.0), (0, 0.0)]


def test_each_end_is_told_with_what_the_queue_says(stage: Stage) -> None:
    fleet_id = active_fleet(stage, **ONE)
    queue = make_lobby(stage, fleet_id, CustomEventData="season=3", TimeoutInSeconds=20)
    done = place(stage, "a", DesiredPlayerSessions=[{"PlayerId": "ana"}])
    for name in ("b", "c"):
        place(stage, name)
    stage.call("StopGameSessionPlacement", PlacementId="b")
    stage.advance(20)
    place(stage, "d")
    stage.call("DeleteGameSessionQueue", Name="lobby")
    stage.settle()
    events = told(stage)
    assert [event["detail"]["type"] for event in events] == [
        "PlacementFulfilled",
        "PlacementCancelled",
        "PlacementTimedOut",
        "PlacementFailed",
    ]
    first = events[0]
    assert {name: first[name] for name in first if name not in ("id", "time", "detail")} == {
        "version": "0",
        "detail-type": "GameLift Queue Placement Event",
        "source": "aws.gamelift",
        "account": ACCOUNT,
        "region": REGION,
        "resources": [queue["GameSessionQueueArn"]],
    }
    assert first["time"].endswith("Z")
    assert first["detail"] == {
        "type": "PlacementFulfilled",
        "placementId": "a",
        "port": str(done["Port"]),
        "gameSessionArn": done["GameSessionArn"],
        "ipAddress": "127.0.0.1",
        "dnsName": "localhost",
        "startTime": "2026-03-04T09:15:07.000Z",
        "endTime": "2026-03-04T09:15:07.000Z",
        "gameSessionRegion": HOME,
        "placedPlayerSessions": [
            {"playerId": "ana", "playerSessionId": done["PlacedPlayerSessions"][0]["PlayerSessionId"]}
        ],
        "customEventData": "season=3",
    }
    assert set(events[1]["detail"]) == {"type", "placementId", "startTime", "endTime", "customEventData"}


def test_a_topic_that_lets_gamelift_publish_gets_each_event_once_and_in_order(stage: Stage) -> None:
    topic = make_topic(stage)
    url = make_queue(stage, topic=topic)
    wanted = {"TopicArn": topic, "Protocol": "sqs", "Endpoint": QUEUE, "Attributes": {"RawMessageDelivery": "true"}}
    stage.call_("Subscribe", wanted, service="sns")
    make_lobby(stage, active_fleet(stage), NotificationTarget=topic)
    for number in range(4):
        place(stage, f"r-{number}")
    stage.call("StopGameSessionPlacement", PlacementId="r-3")
    stage.settle()
    deliver(stage)
    messages = [json.loads(body) for body in bodies(stage, url)]
    assert [message["detail"]["placementId"] for message in messages] == ["r-0", "r-1", "r-3"]
    assert messages == told(stage)


def test_a_topic_that_does_not_let_gamelift_publish_gets_nothing_and_holds_up_nothing(stage: Stage) -> None:
    stage.call_("CreateTopic", {"Name": "matches"}, service="sns")
    url = make_queue(stage, topic=TOPIC_ARN)
    stage.call_("Subscribe", {"TopicArn": TOPIC_ARN, "Protocol": "sqs", "Endpoint": QUEUE}, service="sns")
    make_lobby(stage, active_fleet(stage), NotificationTarget=TOPIC_ARN)
    assert place(stage)["Status"] == "FULFILLED"
    deliver(stage)
    assert bodies(stage, url) == []
    left = stage.run(stage.app.database.read(lambda tx: tx.one("SELECT count(*) FROM game_events WHERE topic <> ''")))
    assert left == (0,) and told_types(stage) == ["PlacementFulfilled"]


def test_events_are_forgotten_after_a_day(stage: Stage) -> None:
    make_lobby(stage, active_fleet(stage))
    place(stage)
    assert len(told(stage)) == 1
    stage.advance(DAY_S + 120, step=3600)
    place(stage, "r-2")
    assert [event["detail"]["placementId"] for event in told(stage)] == ["r-2"]


def test_a_managed_process_that_does_not_start_the_session_is_given_up(tmp_path: Path) -> None:
    with Stage(tmp_path, real_processes(tmp_path)) as stage:
        fleet_id = active_fleet(stage)
        ready(stage, fleet_id, "process-1")
        make_lobby(stage, fleet_id)
        session = place(stage)
        stage.advance(301, step=10)
        assert see(stage, session)["Status"] == "TERMINATED"
        assert placed(stage)["Status"] == "FAILED"


def test_players_who_come_later_find_the_slots_of_the_placement_taken(stage: Stage) -> None:
    make_lobby(stage, active_fleet(stage))
    placement = place(stage, MaximumPlayerSessionCount=2, DesiredPlayerSessions=[{"PlayerId": "ana"}])
    join(stage, placement, "ben")
    error = stage.error("CreatePlayerSession", GameSessionId=placement["GameSessionId"], PlayerId="cho")
    assert error.error_code == "GameSessionFullException"
    stage.advance(61)
    assert see(stage, placement)["CurrentPlayerSessionCount"] == 0
    assert stage.read(lambda ctx: PLACEMENTS(ctx).count("pending", "")) == 0
