"""Game sessions: created, listed, searched, changed, ended and forgotten."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fleet_scenes import HOME, LAUNCH, active_fleet, anywhere_fleet, event_codes, new_fleet, pages
from host_scenes import real_processes
from session_scenes import (
    active_session,
    add_compute,
    create,
    join,
    process_count,
    public,
    ready,
    see,
    see_player,
)

from apitrail.services.gamelift import processes
from apitrail.testing import Stage

DAY_S = 86_400
UNKNOWN_FLEET = "fleet-00000000-0000-4000-8000-000000000000"


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    with Stage(tmp_path) as stage:
        yield stage


def properties(**values: str) -> list[dict[str, str]]:
    return [{"Key": key, "Value": value} for key, value in values.items()]


def names(sessions: list[dict[str, Any]]) -> list[str]:
    return [session["Name"] for session in sessions]


def test_a_new_session_is_activating_and_has_its_address_already(stage: Stage) -> None:
    fleet_id = active_fleet(stage)
    data = {"Name": "duel", "GameProperties": properties(mode="duel"), "GameSessionData": "map=3", "CreatorId": "ana"}
    session = create(stage, fleet_id, IdempotencyToken="round-1", **data)
    assert session["GameSessionId"] == f"arn:aws:gamelift:us-west-2::gamesession/{fleet_id}/round-1"
    assert session["FleetArn"] == f"arn:aws:gamelift:us-west-2:111122223333:fleet/{fleet_id}"
    assert session["Status"] == "ACTIVATING"
    assert (session["IpAddress"], session["DnsName"], session["Location"]) == ("127.0.0.1", "localhost", HOME)
    assert 7000 <= session["Port"] <= 7100
    assert session["ComputeName"].startswith("i-")
    assert (session["CurrentPlayerSessionCount"], session["MaximumPlayerSessionCount"]) == (0, 4)
    assert session["PlayerSessionCreationPolicy"] == "ACCEPT_ALL"
    assert {name: session[name] for name in data} == data
    stage.settle()
    assert see(stage, session) == session | {"Status": "ACTIVE"}


def test_where_slow_steps_are_immediate_a_new_session_is_answered_activating_and_found_active(
    stage_at_once: Stage,
) -> None:
    stage = stage_at_once
    fleet_id = active_fleet(stage)
    sessions = [create(stage, fleet_id, GameSessionData="m" * 5000) for _ in range(2)]
    for session in sessions:
        assert session["Status"] == "ACTIVATING" and len(session["GameSessionData"]) == 5000
        assert see(stage, session) == session | {"Status": "ACTIVE"}
    (found,) = stage.call("SearchGameSessions", FleetId=fleet_id, Limit=1)["GameSessions"]
    assert public(found) == sessions[0] | {"Status": "ACTIVE"}
    figures = stage.read(lambda ctx: processes.counts(ctx, fleet_id, HOME))
    assert (figures.session_count, figures.active_session_count, figures.player_slot_count) == (2, 2, 8)
    stage.settle()
    assert see(stage, sessions[1]) == sessions[1] | {"Status": "ACTIVE"}
    recorded = [event for event in stage.events() if event["eventName"] == "CreateGameSession"]
    assert [event["responseElements"]["gameSession"]["status"] for event in recorded] == ["ACTIVATING"] * 2


def test_a_session_in_a_remote_location_says_so_in_its_id(stage: Stage) -> None:
    fleet_id = active_fleet(stage, Locations=[{"Location": "eu-west-1"}])
    stage.advance(10)
    session = active_session(stage, fleet_id, Location="eu-west-1", IdempotencyToken="away")
    assert session["GameSessionId"] == f"arn:aws:gamelift:us-west-2::gamesession/{fleet_id}/eu-west-1/away"
    assert session["Location"] == "eu-west-1"


def test_without_a_token_the_id_ends_in_a_new_one(stage: Stage) -> None:
    fleet_id = active_fleet(stage)
    ids = [create(stage, fleet_id)["GameSessionId"] for _ in range(2)]
    assert all("/gsess-" in id for id in ids) and len(set(ids)) == 2


def test_a_token_used_again_with_the_same_parameters_gives_the_same_session(stage: Stage) -> None:
    fleet_id = active_fleet(stage)
    first = create(stage, fleet_id, IdempotencyToken="again", Name="x")
    stage.settle()
    again = create(stage, fleet_id, IdempotencyToken="again", Name="x")
    assert again == first | {"Status": "ACTIVE"}
    assert len(stage.call("DescribeGameSessions", FleetId=fleet_id)["GameSessions"]) == 1


def test_a_token_used_again_with_other_parameters_is_refused(stage: Stage) -> None:
    fleet_id = active_fleet(stage)
    create(stage, fleet_id, IdempotencyToken="again", Name="x")
    error = stage.error(
        "CreateGameSession", FleetId=fleet_id, MaximumPlayerSessionCount=4, IdempotencyToken="again", Name="y"
    )
    assert error.error_code == "IdempotentParameterMismatchException"


def test_a_token_is_free_again_thirty_days_after_the_session_ended(stage: Stage) -> None:
    fleet_id = active_fleet(stage)
    first = active_session(stage, fleet_id, IdempotencyToken="again", Name="x")
    stage.call("TerminateGameSession", GameSessionId=first["GameSessionId"], TerminationMode="FORCE_TERMINATE")
    stage.advance(29 * DAY_S, step=DAY_S)
    assert create(stage, fleet_id, IdempotencyToken="again", Name="x")["Status"] == "TERMINATED"
    stage.advance(2 * DAY_S, step=DAY_S)
    assert stage.error("DescribeGameSessions", GameSessionId=first["GameSessionId"]).error_code == "NotFoundException"
    assert create(stage, fleet_id, IdempotencyToken="again", Name="z")["Status"] == "ACTIVATING"


def test_the_old_name_of_the_token_works_as_well(stage: Stage) -> None:
    fleet_id = active_fleet(stage)
    assert create(stage, fleet_id, GameSessionId="old-name")["GameSessionId"].endswith("/old-name")
    error = stage.error(
        "CreateGameSession", FleetId=fleet_id, MaximumPlayerSessionCount=1, GameSessionId="a", IdempotencyToken="b"
    )
    assert error.error_code == "InvalidRequestException"


@pytest.mark.parametrize(
    ("params", "code"),
    [
        ({"MaximumPlayerSessionCount": 201}, "InvalidRequestException"),
        ({"GameProperties": properties(a="1") * 2}, "InvalidRequestException"),
        ({"AliasId": "alias-1"}, "InvalidRequestException"),
        ({"FleetId": None}, "InvalidRequestException"),
        ({"FleetId": UNKNOWN_FLEET}, "NotFoundException"),
        ({"FleetId": None, "AliasId": "alias-1"}, "NotFoundException"),
        ({"Location": "eu-west-1"}, "InvalidRequestException"),
    ],
)
def test_a_session_that_cannot_be_is_refused(stage: Stage, params: dict[str, Any], code: str) -> None:
    given = {"FleetId": active_fleet(stage), "MaximumPlayerSessionCount": 4, **params}
    given = {name: value for name, value in given.items() if value is not None}
    assert stage.error("CreateGameSession", **given).error_code == code


def test_an_alias_leads_to_its_fleet_or_to_its_message(stage: Stage) -> None:
    fleet_id = active_fleet(stage)
    simple = {"Type": "SIMPLE", "FleetId": fleet_id}
    alias_id = stage.call("CreateAlias", Name="live", RoutingStrategy=simple)["Alias"]["AliasId"]
    session = stage.call("CreateGameSession", AliasId=alias_id, MaximumPlayerSessionCount=1)["GameSession"]
    stage.settle()
    assert session["FleetId"] == fleet_id
    assert len(stage.call("DescribeGameSessions", AliasId=alias_id)["GameSessions"]) == 1
    assert len(stage.call("SearchGameSessions", AliasId=alias_id)["GameSessions"]) == 1
    terminal = {"Type": "TERMINAL", "Message": "closed for today"}
    stage.call("UpdateAlias", AliasId=alias_id, RoutingStrategy=terminal)
    for operation in ("CreateGameSession", "DescribeGameSessions", "DescribeGameSessionDetails", "SearchGameSessions"):
        more = {"MaximumPlayerSessionCount": 1} if operation == "CreateGameSession" else {}
        error = stage.error(operation, AliasId=alias_id, **more)
        assert (error.error_code, error.message) == ("TerminalRoutingStrategyException", "closed for today")


def test_a_fleet_that_is_not_active_takes_no_session(stage: Stage) -> None:
    fleet_id = new_fleet(stage)
    error = stage.error("CreateGameSession", FleetId=fleet_id, MaximumPlayerSessionCount=4)
    assert error.error_code == "InvalidFleetStatusException"


def test_a_location_that_is_not_active_takes_no_session(stage: Stage) -> None:
    fleet_id = active_fleet(stage)
    stage.call("CreateFleetLocations", FleetId=fleet_id, Locations=[{"Location": "eu-west-1"}])
    error = stage.error("CreateGameSession", FleetId=fleet_id, MaximumPlayerSessionCount=4, Location="eu-west-1")
    assert error.error_code == "InvalidFleetStatusException"


def test_an_anywhere_fleet_needs_a_location(stage: Stage) -> None:
    fleet_id = anywhere_fleet(stage)
    error = stage.error("CreateGameSession", FleetId=fleet_id, MaximumPlayerSessionCount=4)
    assert error.error_code == "InvalidRequestException"
    error = stage.error("CreateGameSession", FleetId=fleet_id, MaximumPlayerSessionCount=4, Location="custom-desk")
    assert error.error_code == "FleetCapacityExceededException"


def test_a_fleet_has_as_many_sessions_as_it_has_processes(stage: Stage) -> None:
    fleet_id = active_fleet(stage)
    sessions = [active_session(stage, fleet_id) for _ in range(2)]
    error = stage.error("CreateGameSession", FleetId=fleet_id, MaximumPlayerSessionCount=4)
    assert error.error_code == "FleetCapacityExceededException"
    assert error.message == f"Unable to reserve a process on fleet {fleet_id}."
    assert len({session["Port"] for session in sessions}) == 2
    ended = sessions[0]["GameSessionId"]
    stage.call("TerminateGameSession", GameSessionId=ended, TerminationMode="FORCE_TERMINATE")
    stage.settle()
    assert create(stage, fleet_id)["Port"] == sessions[0]["Port"]
    assert process_count(stage, fleet_id) == 2


def test_a_full_fleet_that_scales_from_zero_starts_an_instance_for_the_next_try(stage: Stage) -> None:
    fleet_id = active_fleet(stage)
    managed = {"ZeroCapacityStrategy": "SCALE_TO_AND_FROM_ZERO", "ScaleInAfterInactivityMinutes": 5}
    stage.call("UpdateFleetCapacity", FleetId=fleet_id, ManagedCapacityConfiguration=managed)
    stage.advance(8 * 60, step=30)
    error = stage.error("CreateGameSession", FleetId=fleet_id, MaximumPlayerSessionCount=4)
    assert error.error_code == "FleetCapacityExceededException"
    stage.advance(5)
    assert create(stage, fleet_id)["Status"] == "ACTIVATING"


def test_a_creator_is_held_to_the_fleets_policy_over_a_sliding_period(stage: Stage) -> None:
    policy = {"NewGameSessionsPerCreator": 2, "PolicyPeriodInMinutes": 10}
    fleet_id = active_fleet(
        stage,
        ResourceCreationLimitPolicy=policy,
        RuntimeConfiguration={"ServerProcesses": [LAUNCH | {"ConcurrentExecutions": 9}]},
    )
    params = {"FleetId": fleet_id, "MaximumPlayerSessionCount": 4}
    assert stage.error("CreateGameSession", **params).error_code == "InvalidRequestException"
    create(stage, fleet_id, CreatorId="ana")
    stage.advance(300, step=300)
    create(stage, fleet_id, CreatorId="ana")
    assert stage.error("CreateGameSession", **params, CreatorId="ana").error_code == "LimitExceededException"
    create(stage, fleet_id, CreatorId="ben")
    stage.advance(300, step=300)
    create(stage, fleet_id, CreatorId="ana")
    assert stage.error("CreateGameSession", **params, CreatorId="ana").error_code == "LimitExceededException"


def test_without_a_policy_a_creator_makes_one_session_per_second(stage: Stage) -> None:
    fleet_id = active_fleet(stage)
    params = {"FleetId": fleet_id, "MaximumPlayerSessionCount": 4, "CreatorId": "ana"}
    stage.call("CreateGameSession", **params)
    assert stage.error("CreateGameSession", **params).error_code == "LimitExceededException"
    stage.advance(1)
    stage.call("CreateGameSession", **params)


def test_long_data_is_given_back_as_it_came(stage: Stage) -> None:
    fleet_id = active_fleet(stage)
    data = "ö" * 262_144
    session = create(stage, fleet_id, GameSessionData=data)
    assert session["GameSessionData"] == data
    stage.settle()
    join(stage, session)
    assert see(stage, session)["GameSessionData"] == data
    (found,) = stage.call("SearchGameSessions", FleetId=fleet_id)["GameSessions"]
    assert found["GameSessionData"] == data
    changed = stage.call("UpdateGameSession", GameSessionId=session["GameSessionId"], Name="new")["GameSession"]
    assert changed["GameSessionData"] == data


def test_sessions_are_listed_in_pages_by_fleet_location_and_status(stage: Stage) -> None:
    fleet_id = active_fleet(
        stage,
        Locations=[{"Location": "eu-west-1"}],
        RuntimeConfiguration={"ServerProcesses": [LAUNCH | {"ConcurrentExecutions": 10}]},
    )
    stage.advance(10)
    for number in range(5):
        create(stage, fleet_id, Name=f"home {number}")
    stage.settle()
    for number in range(2):
        create(stage, fleet_id, Name=f"away {number}", Location="eu-west-1")
    listed = pages(stage, "DescribeGameSessions", "GameSessions", FleetId=fleet_id, Limit=3)
    assert [len(page) for page in listed] == [3, 3, 1]
    assert names([session for page in listed for session in page]) == [
        *(f"home {number}" for number in range(5)),
        *(f"away {number}" for number in range(2)),
    ]
    away = stage.call("DescribeGameSessions", FleetId=fleet_id, Location="eu-west-1")["GameSessions"]
    assert names(away) == ["away 0", "away 1"]
    active = stage.call("DescribeGameSessions", FleetId=fleet_id, StatusFilter="ACTIVATING")["GameSessions"]
    assert names(active) == ["away 0", "away 1"]
    both = {"FleetId": fleet_id, "StatusFilter": "ACTIVE", "Location": "eu-west-1"}
    assert stage.call("DescribeGameSessions", **both)["GameSessions"] == []


def test_a_page_holds_at_most_a_hundred_sessions(stage: Stage) -> None:
    launch = [LAUNCH | {"ConcurrentExecutions": 50}]
    fleet_id = active_fleet(stage, RuntimeConfiguration={"ServerProcesses": launch})
    stage.call("UpdateFleetCapacity", FleetId=fleet_id, DesiredInstances=3, MaxSize=3)
    stage.advance(5)
    for _ in range(101):
        create(stage, fleet_id)
    listed = pages(stage, "DescribeGameSessions", "GameSessions", FleetId=fleet_id, Limit=500)
    assert [len(page) for page in listed] == [100, 1]


def test_details_add_the_protection_policy(stage: Stage) -> None:
    fleet_id = active_fleet(stage, NewGameSessionProtectionPolicy="FullProtection")
    session = active_session(stage, fleet_id)
    (detail,) = stage.call("DescribeGameSessionDetails", FleetId=fleet_id)["GameSessionDetails"]
    assert detail["ProtectionPolicy"] == "FullProtection"
    assert public(detail["GameSession"]) == session
    (same,) = stage.call("DescribeGameSessionDetails", GameSessionId=session["GameSessionId"])["GameSessionDetails"]
    assert same == detail


@pytest.mark.parametrize("operation", ["DescribeGameSessions", "DescribeGameSessionDetails"])
def test_a_list_names_one_thing_and_a_status_that_exists(stage: Stage, operation: str) -> None:
    fleet_id = active_fleet(stage)
    assert stage.error(operation).error_code == "InvalidRequestException"
    both = {"FleetId": fleet_id, "AliasId": "alias-1"}
    assert stage.error(operation, **both).error_code == "InvalidRequestException"
    assert stage.error(operation, FleetId=fleet_id, StatusFilter="ERROR").error_code == "InvalidRequestException"
    assert stage.error(operation, FleetId=UNKNOWN_FLEET).error_code == "NotFoundException"
    assert stage.error(operation, FleetId=fleet_id, NextToken="x").error_code == "InvalidRequestException"
    assert stage.error(operation, GameSessionId="round-1").error_code == "InvalidRequestException"


def test_a_session_is_found_by_its_arn_with_and_without_account_and_by_no_other(stage: Stage) -> None:
    fleet_id = active_fleet(stage)
    session = active_session(stage, fleet_id, IdempotencyToken="one")
    with_account = session["GameSessionId"].replace("::", ":111122223333:")
    assert see(stage, {"GameSessionId": with_account}) == session
    for other in (
        session["GameSessionId"].replace("::", ":444455556666:"),
        session["GameSessionId"].replace("us-west-2", "eu-west-1"),
        session["GameSessionId"].replace("/one", "/two"),
        session["GameSessionId"].replace("/one", "/eu-west-1/one"),
        session["GameSessionId"].replace("/one", ""),
    ):
        assert stage.error("DescribeGameSessions", GameSessionId=other).error_code == "NotFoundException", other


def test_a_search_filters_sorts_and_pages_active_sessions(stage: Stage) -> None:
    fleet_id = active_fleet(stage, RuntimeConfiguration={"ServerProcesses": [LAUNCH | {"ConcurrentExecutions": 30}]})
    for number in range(24):
        mode = "duel" if number % 3 == 0 else "brawl"
        create(
            stage,
            fleet_id,
            Name=f"s{number:02d}",
            MaximumPlayerSessionCount=number % 5,
            GameProperties=properties(mode=mode),
        )
    stage.settle()
    create(stage, fleet_id, Name="not yet active")
    found = pages(stage, "SearchGameSessions", "GameSessions", FleetId=fleet_id, Limit=100)
    assert [len(page) for page in found] == [20, 4]
    text = "gameSessionProperties.mode = 'duel' AND maximumSessions >= 2"
    order = "maximumSessions DESC"
    listed = pages(
        stage,
        "SearchGameSessions",
        "GameSessions",
        FleetId=fleet_id,
        FilterExpression=text,
        SortExpression=order,
        Limit=2,
    )
    slots = [(session["MaximumPlayerSessionCount"], session["Name"]) for page in listed for session in page]
    assert slots == [(4, "s09"), (3, "s18"), (3, "s03"), (2, "s12")]
    nowhere = stage.call("SearchGameSessions", FleetId=fleet_id, Location="eu-west-1")["GameSessions"]
    assert nowhere == []


@pytest.mark.parametrize(
    ("params", "code"),
    [
        ({"FilterExpression": "maximumSessions ="}, "InvalidRequestException"),
        ({"SortExpression": "maximumSessions"}, "InvalidRequestException"),
        ({"NextToken": "AAAA"}, "InvalidRequestException"),
        ({"AliasId": "alias-1"}, "InvalidRequestException"),
        ({"FleetId": UNKNOWN_FLEET}, "NotFoundException"),
    ],
)
def test_a_search_that_makes_no_sense_is_refused(stage: Stage, params: dict[str, Any], code: str) -> None:
    given = {"FleetId": active_fleet(stage), **params}
    assert stage.error("SearchGameSessions", **given).error_code == code


def test_a_token_of_a_search_with_long_names_is_short_enough_to_come_back(stage: Stage) -> None:
    fleet_id = active_fleet(stage)
    for number in range(2):
        create(stage, fleet_id, Name="\U0001f3ae" * 1023 + str(number))
    stage.settle()
    order = {"FleetId": fleet_id, "SortExpression": "gameSessionName ASC", "Limit": 1}
    first = stage.call("SearchGameSessions", **order)
    assert len(first["NextToken"]) <= 1024
    second = stage.call("SearchGameSessions", **order, NextToken=first["NextToken"])
    assert [found["GameSessions"][0]["Name"][-1] for found in (first, second)] == ["0", "1"]


def test_an_update_changes_what_it_names_and_merges_properties(stage: Stage) -> None:
    fleet_id = active_fleet(stage)
    session = active_session(stage, fleet_id, Name="old", GameProperties=properties(mode="duel", map="3"))
    changes = {"Name": "new", "MaximumPlayerSessionCount": 9, "PlayerSessionCreationPolicy": "DENY_ALL"}
    changed = stage.call(
        "UpdateGameSession",
        GameSessionId=session["GameSessionId"],
        ProtectionPolicy="FullProtection",
        GameProperties=properties(map="4", wind="1"),
        **changes,
    )["GameSession"]
    expected = {**session, **changes, "GameProperties": properties(mode="duel", map="4", wind="1")}
    assert public(changed) == expected == see(stage, session)
    (detail,) = stage.call("DescribeGameSessionDetails", FleetId=fleet_id)["GameSessionDetails"]
    assert detail["ProtectionPolicy"] == "FullProtection"
    use = stage.call("DescribeFleetUtilization", FleetIds=[fleet_id])["FleetUtilization"][0]
    assert use["MaximumPlayerSessionCount"] == 9


def test_an_update_that_cannot_be_is_refused(stage: Stage) -> None:
    fleet_id = active_fleet(stage)
    session = active_session(stage, fleet_id, GameProperties=properties(**{f"k{n}": "v" for n in range(16)}))
    join(stage, session)
    name = {"GameSessionId": session["GameSessionId"]}
    for change in (
        {"MaximumPlayerSessionCount": 0},
        {"MaximumPlayerSessionCount": 201},
        {"GameProperties": properties(one="more")},
        {"GameProperties": properties(k1="1") * 2},
    ):
        assert stage.error("UpdateGameSession", **name, **change).error_code == "InvalidRequestException"
    assert stage.error("UpdateGameSession", GameSessionId=name["GameSessionId"] + "x").error_code == "NotFoundException"
    stage.call("TerminateGameSession", **name, TerminationMode="FORCE_TERMINATE")
    error = stage.error("UpdateGameSession", **name, Name="late")
    assert error.error_code == "InvalidGameSessionStatusException"


@pytest.mark.parametrize(
    ("mode", "reason"),
    [
        ("TRIGGER_ON_PROCESS_TERMINATE", "TRIGGERED_ON_PROCESS_TERMINATE"),
        ("FORCE_TERMINATE", "FORCE_TERMINATED"),
    ],
)
def test_a_session_is_terminated_with_the_reason_that_was_asked_for(stage: Stage, mode: str, reason: str) -> None:
    fleet_id = active_fleet(stage, NewGameSessionProtectionPolicy="FullProtection")
    session = active_session(stage, fleet_id)
    player = join(stage, session)
    name = {"GameSessionId": session["GameSessionId"], "TerminationMode": mode}
    assert stage.call("TerminateGameSession", **name)["GameSession"]["Status"] == "TERMINATING"
    stage.settle()
    ended = see(stage, session)
    assert (ended["Status"], ended["StatusReason"]) == ("TERMINATED", reason)
    assert ended["TerminationTime"] == stage.clock.now()
    assert ended["CurrentPlayerSessionCount"] == 0
    assert see_player(stage, player)["Status"] == "TIMEDOUT"
    assert stage.error("TerminateGameSession", **name).error_code == "InvalidGameSessionStatusException"
    assert stage.call("SearchGameSessions", FleetId=fleet_id)["GameSessions"] == []
    listed = stage.call("DescribeGameSessions", FleetId=fleet_id, StatusFilter="TERMINATED")["GameSessions"]
    assert [public(session) for session in listed] == [ended]


def test_a_session_is_terminated_while_it_is_being_activated(stage: Stage) -> None:
    fleet_id = active_fleet(stage)
    session = create(stage, fleet_id)
    stage.call(
        "TerminateGameSession", GameSessionId=session["GameSessionId"], TerminationMode="TRIGGER_ON_PROCESS_TERMINATE"
    )
    stage.settle()
    assert see(stage, session)["Status"] == "TERMINATED"
    assert process_count(stage, fleet_id) == 2


def test_a_session_that_failed_cannot_be_terminated(stage: Stage) -> None:
    fleet_id = anywhere_fleet(stage)
    add_compute(stage, fleet_id, "custom-desk", "process-1")
    session = create(stage, fleet_id, Location="custom-desk")
    stage.change(lambda ctx: processes.process_ended(ctx, "process-1", crashed=True))
    assert see(stage, session)["Status"] == "ERROR"
    error = stage.error(
        "TerminateGameSession", GameSessionId=session["GameSessionId"], TerminationMode="FORCE_TERMINATE"
    )
    assert error.error_code == "InvalidGameSessionStatusException"


def test_terminating_a_session_that_is_not_there_is_not_found(stage: Stage) -> None:
    name = f"arn:aws:gamelift:us-west-2::gamesession/{UNKNOWN_FLEET}/x"
    for operation, more in (
        ("TerminateGameSession", {"TerminationMode": "FORCE_TERMINATE"}),
        ("GetGameSessionLogUrl", {}),
    ):
        assert stage.error(operation, GameSessionId=name, **more).error_code == "NotFoundException"


def test_a_process_on_the_users_own_compute_can_be_asked_to_end_but_not_forced(stage: Stage) -> None:
    fleet_id = anywhere_fleet(stage)
    add_compute(stage, fleet_id, "custom-desk", "process-1")
    session = create(stage, fleet_id, Location="custom-desk")
    name = {"GameSessionId": session["GameSessionId"]}
    error = stage.error("TerminateGameSession", **name, TerminationMode="FORCE_TERMINATE")
    assert error.error_code == "InvalidRequestException"
    stage.call("TerminateGameSession", **name, TerminationMode="TRIGGER_ON_PROCESS_TERMINATE")
    stage.advance(DAY_S, step=3600)
    assert see(stage, session)["Status"] == "TERMINATING"
    stage.change(lambda ctx: processes.process_ended(ctx, "process-1"))
    ended = see(stage, session)
    assert (ended["Status"], ended["StatusReason"]) == ("TERMINATED", "TRIGGERED_ON_PROCESS_TERMINATE")


def test_a_real_process_of_a_managed_fleet_that_does_not_end_is_killed_after_five_minutes(tmp_path: Path) -> None:
    with Stage(tmp_path, real_processes(tmp_path)) as stage:
        kill_late_process(stage)


def kill_late_process(stage: Stage) -> None:
    fleet_id = active_fleet(stage)
    ready(stage, fleet_id, "process-1")
    session = create(stage, fleet_id)
    name = {"GameSessionId": session["GameSessionId"], "TerminationMode": "TRIGGER_ON_PROCESS_TERMINATE"}
    stage.call("TerminateGameSession", **name)
    stage.advance(299, step=299)
    assert see(stage, session)["Status"] == "TERMINATING"
    stage.advance(1)
    assert see(stage, session)["Status"] == "TERMINATED"
    assert "SERVER_PROCESS_FORCE_TERMINATED" in event_codes(stage, fleet_id)


def test_a_deleted_fleet_ends_its_sessions(stage: Stage) -> None:
    fleet_id = active_fleet(stage)
    session = active_session(stage, fleet_id)
    stage.call("DeleteFleet", FleetId=fleet_id)
    stage.advance(1)
    ended = see(stage, session)
    assert ended["Status"] == "TERMINATED" and "StatusReason" not in ended
    assert process_count(stage, fleet_id) == 0


def test_calls_about_sessions_are_recorded_with_game_data_hidden(stage: Stage) -> None:
    fleet_id = active_fleet(stage)
    create(stage, fleet_id, GameSessionData="secret plan", GameProperties=properties(mode="hidden"))
    event = list(stage.events())[-1]
    assert event["eventName"] == "CreateGameSession"
    text = str(event)
    assert "secret plan" not in text and "hidden'" not in text
    assert event["requestParameters"]["gameSessionData"] == "HIDDEN_DUE_TO_SECURITY_REASONS"
    assert "_Process" not in text and "_process" not in text
