"""Player sessions: reserved, taken, given back, and lost by the clock."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from fleet_scenes import LAUNCH, active_fleet, pages
from session_scenes import accept, active_session, create, join, process_of, public, remove, see, see_player

from apitrail.errors import ServiceError
from apitrail.services.gamelift import players, processes
from apitrail.services.gamelift.collections import GAME_SESSIONS, PLAYER_SESSIONS
from apitrail.settings import GameLift, Settings
from apitrail.testing import Stage

DAY_S = 86_400
UNKNOWN = "arn:aws:gamelift:us-west-2::gamesession/fleet-00000000-0000-4000-8000-000000000000/x"


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    with Stage(tmp_path) as stage:
        yield stage


@pytest.fixture
def session(stage: Stage) -> dict[str, Any]:
    return active_session(stage, active_fleet(stage))


def utilization(stage: Stage, session: dict[str, Any]) -> dict[str, Any]:
    return dict(stage.call("DescribeFleetUtilization", FleetIds=[session["FleetId"]])["FleetUtilization"][0])


def test_a_player_gets_a_slot_and_the_address_of_the_session(stage: Stage, session: dict[str, Any]) -> None:
    name = {"GameSessionId": session["GameSessionId"]}
    player = stage.call("CreatePlayerSession", **name, PlayerId="ana", PlayerData="team=red")["PlayerSession"]
    assert player["PlayerSessionId"].startswith("psess-")
    assert (player["PlayerId"], player["PlayerData"], player["Status"]) == ("ana", "team=red", "RESERVED")
    for member in ("GameSessionId", "FleetId", "FleetArn", "IpAddress", "DnsName", "Port"):
        assert player[member] == session[member]
    assert see(stage, session)["CurrentPlayerSessionCount"] == 1


def test_several_players_get_their_slots_together(stage: Stage, session: dict[str, Any]) -> None:
    found = stage.call(
        "CreatePlayerSessions",
        GameSessionId=session["GameSessionId"],
        PlayerIds=["ana", "ben", "ana"],
        PlayerDataMap={"ben": "team=blue", "cid": "not asked for"},
    )["PlayerSessions"]
    assert [(player["PlayerId"], player.get("PlayerData")) for player in found] == [
        ("ana", None),
        ("ben", "team=blue"),
        ("ana", None),
    ]
    assert len({player["PlayerSessionId"] for player in found}) == 3
    assert see(stage, session)["CurrentPlayerSessionCount"] == 3


def test_players_who_do_not_all_fit_get_no_slot(stage: Stage, session: dict[str, Any]) -> None:
    name = {"GameSessionId": session["GameSessionId"]}
    error = stage.error("CreatePlayerSessions", **name, PlayerIds=["a", "b", "c", "d", "e"])
    assert error.error_code == "GameSessionFullException"
    assert see(stage, session)["CurrentPlayerSessionCount"] == 0
    stage.call("CreatePlayerSessions", **name, PlayerIds=["a", "b", "c", "d"])
    assert stage.error("CreatePlayerSession", **name, PlayerId="e").error_code == "GameSessionFullException"


def test_a_session_takes_players_only_while_it_is_active_and_open(stage: Stage) -> None:
    fleet_id = active_fleet(stage)
    session = create(stage, fleet_id)
    name = {"GameSessionId": session["GameSessionId"]}
    operations = (
        ("CreatePlayerSession", {"PlayerId": "ana"}),
        ("CreatePlayerSessions", {"PlayerIds": ["ana"]}),
        ("GetPlayerConnectionDetails", {"PlayerIds": ["ana"]}),
    )
    for operation, more in operations:
        assert stage.error(operation, **name, **more).error_code == "InvalidGameSessionStatusException"
        assert stage.error(operation, GameSessionId=UNKNOWN, **more).error_code == "NotFoundException"
        assert stage.error(operation, GameSessionId="x", **more).error_code == "InvalidRequestException"
    stage.settle()
    stage.call("UpdateGameSession", **name, PlayerSessionCreationPolicy="DENY_ALL")
    for operation, more in operations[:2]:
        assert stage.error(operation, **name, **more).error_code == "InvalidRequestException"
    stage.call("UpdateGameSession", **name, PlayerSessionCreationPolicy="ACCEPT_ALL")
    join(stage, session)


def test_a_slot_that_nobody_takes_is_free_again_after_sixty_seconds(stage: Stage, session: dict[str, Any]) -> None:
    player = join(stage, session)
    stage.advance(59)
    assert see_player(stage, player)["Status"] == "RESERVED"
    stage.advance(1)
    late = see_player(stage, player)
    assert (late["Status"], late["TerminationTime"]) == ("TIMEDOUT", stage.clock.now())
    assert see(stage, session)["CurrentPlayerSessionCount"] == 0


def test_the_deadline_of_a_slot_is_not_scaled(tmp_path: Path) -> None:
    with Stage(tmp_path, Settings(data=str(tmp_path), gamelift=GameLift(delay_scale=0.0))) as stage:
        session = active_session(stage, active_fleet(stage))
        player = join(stage, session)
        stage.advance(59)
        assert see_player(stage, player)["Status"] == "RESERVED"


def test_a_player_who_is_accepted_stays_until_removed(stage: Stage, session: dict[str, Any]) -> None:
    player = join(stage, session)
    accept(stage, session, player)
    stage.advance(600, step=60)
    assert see_player(stage, player)["Status"] == "ACTIVE"
    figures = utilization(stage, session)
    assert (figures["CurrentPlayerSessionCount"], figures["MaximumPlayerSessionCount"]) == (1, 4)
    remove(stage, session, player)
    gone = see_player(stage, player)
    assert (gone["Status"], gone["TerminationTime"]) == ("COMPLETED", stage.clock.now())
    assert see(stage, session)["CurrentPlayerSessionCount"] == 0
    assert utilization(stage, session)["CurrentPlayerSessionCount"] == 0


def test_a_reserved_player_is_removed_without_having_been_there(stage: Stage, session: dict[str, Any]) -> None:
    player = join(stage, session)
    remove(stage, session, player)
    assert see_player(stage, player)["Status"] == "COMPLETED"
    assert utilization(stage, session)["CurrentPlayerSessionCount"] == 0
    stage.advance(60)
    assert see_player(stage, player)["Status"] == "COMPLETED"
    assert see(stage, session)["CurrentPlayerSessionCount"] == 0


def test_a_game_server_speaks_for_its_own_players_only(stage: Stage) -> None:
    fleet_id = active_fleet(stage)
    ours, other = active_session(stage, fleet_id), active_session(stage, fleet_id)
    player = join(stage, ours)
    cases = [
        (process_of(stage, other), ours["GameSessionId"], player["PlayerSessionId"]),
        (process_of(stage, other), other["GameSessionId"], player["PlayerSessionId"]),
        (process_of(stage, ours), ours["GameSessionId"], "psess-unknown"),
        (process_of(stage, ours), UNKNOWN, player["PlayerSessionId"]),
        ("unknown", ours["GameSessionId"], player["PlayerSessionId"]),
    ]
    for say in (processes.accept_player, processes.remove_player):
        for process_id, session_id, player_id in cases:
            with pytest.raises(ServiceError):
                stage.change(
                    partial(say, process_id=process_id, game_session_id=session_id, player_session_id=player_id)
                )
    assert see_player(stage, player)["Status"] == "RESERVED"


@pytest.mark.parametrize("ends", ["TIMEDOUT", "COMPLETED"])
def test_a_player_session_that_is_over_is_not_accepted(stage: Stage, session: dict[str, Any], ends: str) -> None:
    player = join(stage, session)
    if ends == "COMPLETED":
        remove(stage, session, player)
    stage.advance(60)
    assert see_player(stage, player)["Status"] == ends
    for say in (accept, remove):
        with pytest.raises(ServiceError) as refused:
            say(stage, session, player)
        assert ends in refused.value.message


def test_the_end_of_the_game_session_ends_its_player_sessions(stage: Stage, session: dict[str, Any]) -> None:
    reserved, playing, gone = (join(stage, session, name) for name in ("ana", "ben", "cid"))
    accept(stage, session, playing)
    accept(stage, session, gone)
    remove(stage, session, gone)
    name = {"GameSessionId": session["GameSessionId"]}
    stage.call("TerminateGameSession", **name, TerminationMode="FORCE_TERMINATE")
    with pytest.raises(ServiceError):
        accept(stage, session, reserved)
    stage.settle()
    found = stage.call("DescribePlayerSessions", **name)["PlayerSessions"]
    assert [player["Status"] for player in found] == ["TIMEDOUT", "COMPLETED", "COMPLETED"]
    figures = utilization(stage, session)
    assert (figures["CurrentPlayerSessionCount"], figures["MaximumPlayerSessionCount"]) == (0, 0)


def test_player_sessions_are_listed_by_session_status_player_and_id(stage: Stage) -> None:
    fleet_id = active_fleet(stage)
    session = active_session(stage, fleet_id, MaximumPlayerSessionCount=10)
    other = active_session(stage, fleet_id)
    mine = [join(stage, session, name) for name in ("ana", "ben", "ana", "cid", "dan")]
    elsewhere = join(stage, other, "ana")
    accept(stage, session, mine[1])
    name = {"GameSessionId": session["GameSessionId"]}
    listed = pages(stage, "DescribePlayerSessions", "PlayerSessions", **name, Limit=2)
    assert [len(page) for page in listed] == [2, 2, 1]
    assert [player["PlayerId"] for page in listed for player in page] == ["ana", "ben", "ana", "cid", "dan"]
    active = stage.call("DescribePlayerSessions", **name, PlayerSessionStatusFilter="ACTIVE")["PlayerSessions"]
    assert [player["PlayerId"] for player in active] == ["ben"]
    found = stage.call("DescribePlayerSessions", PlayerId="ana")["PlayerSessions"]
    assert [public(player) for player in found] == [mine[0], mine[2], elsewhere]
    assert stage.call("DescribePlayerSessions", PlayerId="nobody")["PlayerSessions"] == []
    assert see_player(stage, elsewhere) == elsewhere


@pytest.mark.parametrize(
    ("params", "code"),
    [
        ({}, "InvalidRequestException"),
        ({"PlayerId": "a", "PlayerSessionId": "psess-1"}, "InvalidRequestException"),
        ({"PlayerId": "a", "PlayerSessionStatusFilter": "LOST"}, "InvalidRequestException"),
        ({"PlayerId": "a", "NextToken": "AAAA"}, "InvalidRequestException"),
        ({"PlayerSessionId": "psess-1"}, "NotFoundException"),
        ({"GameSessionId": UNKNOWN}, "NotFoundException"),
    ],
)
def test_a_list_of_players_that_makes_no_sense_is_refused(stage: Stage, params: dict[str, Any], code: str) -> None:
    assert stage.error("DescribePlayerSessions", **params).error_code == code


def test_players_connect_to_the_game_server_itself(stage: Stage, session: dict[str, Any]) -> None:
    name = {"GameSessionId": session["GameSessionId"]}
    found = stage.call("GetPlayerConnectionDetails", **name, PlayerIds=["ana", "ben"])
    endpoint = {"IpAddress": session["IpAddress"], "Port": session["Port"]}
    assert found["GameSessionId"] == session["GameSessionId"]
    assert found["PlayerConnectionDetails"] == [
        {"PlayerId": "ana", "Endpoints": [endpoint]},
        {"PlayerId": "ben", "Endpoints": [endpoint]},
    ]


def test_player_sessions_are_forgotten_with_their_game_session(stage: Stage) -> None:
    fleet_id = active_fleet(stage, RuntimeConfiguration={"ServerProcesses": [LAUNCH]})
    session = active_session(stage, fleet_id, MaximumPlayerSessionCount=200)
    name = {"GameSessionId": session["GameSessionId"]}
    for _ in range(players.FORGET_COUNT // 25 + 1):
        stage.call("CreatePlayerSessions", **name, PlayerIds=[f"p{number}" for number in range(25)])
        stage.advance(60, step=60)
    stage.call("TerminateGameSession", **name, TerminationMode="FORCE_TERMINATE")
    stage.settle()
    count = stage.read(lambda ctx: PLAYER_SESSIONS(ctx).count())
    assert count == players.FORGET_COUNT + 25
    stage.advance(30 * DAY_S - 60, step=DAY_S)
    assert stage.read(lambda ctx: PLAYER_SESSIONS(ctx).count()) == count
    stage.advance(60)
    assert stage.read(lambda ctx: (PLAYER_SESSIONS(ctx).count(), GAME_SESSIONS(ctx).count())) == (0, 0)
