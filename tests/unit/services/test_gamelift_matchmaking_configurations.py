"""Matchmaking configurations: create, describe, update, delete."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from match_scenes import QUEUE_ARN, make_rule_set, standalone, with_queue

from apitrail.services.gamelift.collections import QUEUES, TICKETS
from apitrail.testing import Stage

ARN = "arn:aws:gamelift:us-west-2:111122223333:matchmakingconfiguration/main"
TOPIC = "arn:aws:sns:us-west-2:111122223333:matches.fifo"


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    with Stage(tmp_path) as stage:
        make_rule_set(stage)
        stage.change(lambda ctx: QUEUES(ctx).put("main", {"Name": "main"}))
        yield stage


def shown(result: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in result.items() if not name.startswith("_")}


def create(stage: Stage, **more: Any) -> dict[str, Any]:
    return dict(stage.call("CreateMatchmakingConfiguration", **standalone(**more))["Configuration"])


def all_names(stage: Stage, **params: Any) -> tuple[list[str], int]:
    names, pages, token = [], 0, {}
    while True:
        page = stage.call("DescribeMatchmakingConfigurations", **params, **token)
        names += [item["Name"] for item in page["Configurations"]]
        pages += 1
        if not page.get("NextToken"):
            return names, pages
        token = {"NextToken": page["NextToken"]}


def test_a_configuration_has_what_was_given_and_the_defaults(stage: Stage) -> None:
    given = {
        "Description": "Ranked duels",
        "AcceptanceRequired": True,
        "AcceptanceTimeoutSeconds": 30,
        "NotificationTarget": TOPIC,
        "AdditionalPlayerCount": 2,
        "CustomEventData": "season-3",
        "GameProperties": [{"Key": "map", "Value": "ice"}],
        "GameSessionData": "{}",
    }
    made = stage.call("CreateMatchmakingConfiguration", **with_queue(**given))["Configuration"]
    assert made == {
        "Name": "main",
        "ConfigurationArn": ARN,
        "FlexMatchMode": "WITH_QUEUE",
        "BackfillMode": "MANUAL",
        "GameSessionQueueArns": [QUEUE_ARN],
        "RequestTimeoutSeconds": 60,
        "RuleSetName": "duel",
        "RuleSetArn": "arn:aws:gamelift:us-west-2:111122223333:matchmakingruleset/duel",
        "CreationTime": stage.clock.now(),
        **given,
    }
    assert stage.call("DescribeMatchmakingConfigurations")["Configurations"] == [made]


def test_the_mode_is_with_queue_unless_it_is_said(stage: Stage) -> None:
    params = with_queue()
    del params["FlexMatchMode"]
    assert stage.call("CreateMatchmakingConfiguration", **params)["Configuration"]["FlexMatchMode"] == "WITH_QUEUE"


def test_a_rule_set_may_be_named_by_its_arn(stage: Stage) -> None:
    arn = "arn:aws:gamelift:us-west-2:111122223333:matchmakingruleset/duel"
    assert create(stage, RuleSetName=arn)["RuleSetName"] == "duel"


@pytest.mark.parametrize(
    ("params", "words"),
    [
        (with_queue(GameSessionQueueArns=[]), "exactly one queue"),
        (with_queue(GameSessionQueueArns=[QUEUE_ARN, QUEUE_ARN]), "exactly one queue"),
        (standalone(GameSessionQueueArns=[QUEUE_ARN]), "must not be given"),
        (standalone(BackfillMode="AUTOMATIC"), "AUTOMATIC"),
        (standalone(AcceptanceRequired=True), "AcceptanceTimeoutSeconds"),
        (standalone(GameProperties=[{"Key": "a", "Value": "1"}] * 2), "same key"),
        (standalone(NotificationTarget="arn:aws:sqs:us-west-2:111122223333:queue"), "NotificationTarget"),
        (standalone(Name=""), "Name"),
        (with_queue(AdditionalPlayerCount=3), "at most 2"),
        (standalone(RequestTimeoutSeconds=0), "requestTimeoutSeconds"),
        (standalone(AcceptanceTimeoutSeconds=601), "acceptanceTimeoutSeconds"),
    ],
)
def test_members_that_do_not_go_together_are_refused(stage: Stage, params: dict[str, Any], words: str) -> None:
    error = stage.error("CreateMatchmakingConfiguration", **params)
    assert error.error_code == "InvalidRequestException"
    assert words in error.message


@pytest.mark.parametrize(
    "params",
    [
        standalone(RuleSetName="none"),
        standalone(RuleSetName="arn:aws:gamelift:us-east-1:111122223333:matchmakingruleset/duel"),
        with_queue(GameSessionQueueArns=[QUEUE_ARN.replace("main", "none")]),
        with_queue(GameSessionQueueArns=[QUEUE_ARN.replace("us-west-2", "us-east-1")]),
        with_queue(GameSessionQueueArns=[QUEUE_ARN.replace("111122223333", "444455556666")]),
        with_queue(GameSessionQueueArns=["arn:aws:gamelift:us-west-2:111122223333:fleet/main"]),
    ],
)
def test_an_unknown_rule_set_or_queue_is_not_found(stage: Stage, params: dict[str, Any]) -> None:
    assert stage.error("CreateMatchmakingConfiguration", **params).error_code == "NotFoundException"


def test_a_queue_may_be_of_another_region(stage: Stage) -> None:
    stage.region = "eu-central-1"
    make_rule_set(stage)
    made = stage.call("CreateMatchmakingConfiguration", **with_queue())["Configuration"]
    assert made["ConfigurationArn"] == ARN.replace("us-west-2", "eu-central-1")


def test_a_queue_arn_may_lack_the_account(stage: Stage) -> None:
    arn = QUEUE_ARN.replace("111122223333", "")
    made = stage.call("CreateMatchmakingConfiguration", **with_queue(GameSessionQueueArns=[arn]))
    assert made["Configuration"]["GameSessionQueueArns"] == [arn]


def test_a_name_can_be_taken_once(stage: Stage) -> None:
    create(stage)
    error = stage.error("CreateMatchmakingConfiguration", **standalone())
    assert error.error_code == "InvalidRequestException"
    assert error.message == "Matchmaking configuration with name main already exists."


def test_tags_are_kept_and_reserved_ones_refused(stage: Stage) -> None:
    tags = [{"Key": "team", "Value": "a"}]
    create(stage, Tags=tags)
    assert stage.call("ListTagsForResource", ResourceARN=ARN)["Tags"] == tags
    params = standalone(Name="other", Tags=[{"Key": "aws:x", "Value": ""}])
    assert stage.error("CreateMatchmakingConfiguration", **params).error_code == "TaggingFailedException"


@pytest.mark.parametrize(("limit", "pages"), [(None, 2), (4, 3), (12, 2), (500, 2)])
def test_all_configurations_are_listed_ten_a_page_at_most(stage: Stage, limit: int | None, pages: int) -> None:
    expected = [create(stage, Name=f"c-{number}")["Name"] for number in range(12)]
    params = {} if limit is None else {"Limit": limit}
    assert all_names(stage, **params) == (expected, pages)


@pytest.mark.parametrize(("limit", "pages"), [(None, 1), (1, 3), (2, 2)])
def test_names_that_are_not_there_are_left_out(stage: Stage, limit: int | None, pages: int) -> None:
    for name in ("a", "b", "main"):
        create(stage, Name=name)
    params = {} if limit is None else {"Limit": limit}
    asked = ["none", "b", ARN, "b", ARN.replace("main", "none"), "a", "gone"]
    assert all_names(stage, Names=asked, **params) == (["b", "main", "a"], pages)


def test_those_with_a_rule_set_are_found_by_its_name_or_arn(stage: Stage) -> None:
    other = make_rule_set(stage, "other")
    create(stage, Name="a")
    create(stage, Name="b", RuleSetName="other")
    create(stage, Name="c", RuleSetName="other")
    assert all_names(stage, RuleSetName="other", Limit=1) == (["b", "c"], 2)
    assert all_names(stage, RuleSetName=other["RuleSetArn"])[0] == ["b", "c"]
    assert all_names(stage, RuleSetName="none")[0] == []
    error = stage.error("DescribeMatchmakingConfigurations", RuleSetName="other", Names=["a"])
    assert error.error_code == "InvalidRequestException"


def test_an_update_changes_what_is_given_and_removes_what_is_empty(stage: Stage) -> None:
    before = create(stage, NotificationTarget=TOPIC, CustomEventData="x", Description="old")
    make_rule_set(stage, "other")
    more = {"NotificationTarget": "", "CustomEventData": "", "Description": "new", "RuleSetName": "other"}
    changed = stage.call("UpdateMatchmakingConfiguration", Name=ARN, **more)["Configuration"]
    gone = ("NotificationTarget", "CustomEventData")
    assert changed == {
        **{name: value for name, value in before.items() if name not in gone},
        "Description": "new",
        "RuleSetName": "other",
        "RuleSetArn": before["RuleSetArn"].replace("duel", "other"),
    }
    assert stage.call("DescribeMatchmakingConfigurations", RuleSetName="duel")["Configurations"] == []


def test_the_mode_can_be_changed_both_ways(stage: Stage) -> None:
    stage.call("CreateMatchmakingConfiguration", **with_queue())
    alone = stage.call("UpdateMatchmakingConfiguration", Name="main", FlexMatchMode="STANDALONE")["Configuration"]
    assert "GameSessionQueueArns" not in alone
    assert stage.error("UpdateMatchmakingConfiguration", Name="main", FlexMatchMode="WITH_QUEUE").error_code == (
        "InvalidRequestException"
    )
    params = {"FlexMatchMode": "WITH_QUEUE", "GameSessionQueueArns": [QUEUE_ARN], "BackfillMode": "AUTOMATIC"}
    back = stage.call("UpdateMatchmakingConfiguration", Name="main", **params)["Configuration"]
    assert (back["FlexMatchMode"], back["BackfillMode"]) == ("WITH_QUEUE", "AUTOMATIC")


@pytest.mark.parametrize(
    ("params", "code"),
    [
        ({"Name": "none"}, "NotFoundException"),
        ({"Name": "main", "RuleSetName": "none"}, "NotFoundException"),
        ({"Name": "main", "AcceptanceRequired": True}, "InvalidRequestException"),
        ({"Name": "main", "BackfillMode": "AUTOMATIC"}, "InvalidRequestException"),
    ],
)
def test_a_wrong_update_changes_nothing(stage: Stage, params: dict[str, Any], code: str) -> None:
    before = create(stage)
    assert stage.error("UpdateMatchmakingConfiguration", Description="x", **params).error_code == code
    assert stage.call("DescribeMatchmakingConfigurations")["Configurations"] == [before]


def test_a_configuration_with_an_active_ticket_cannot_be_deleted(stage: Stage) -> None:
    create(stage)
    ticket = {"Players": [], "TicketId": "t", "ConfigurationName": "main", "Status": "SEARCHING"}
    stage.change(lambda ctx: TICKETS(ctx).put("t", ticket))
    error = stage.error("DeleteMatchmakingConfiguration", Name="main")
    assert (error.error_code, "ticket t" in error.message) == ("InvalidRequestException", True)
    stage.change(lambda ctx: TICKETS(ctx).put("t", {**ticket, "Status": "CANCELLED"}))
    assert shown(stage.call("DeleteMatchmakingConfiguration", Name=ARN)) == {}
    assert stage.error("DeleteMatchmakingConfiguration", Name="main").error_code == "NotFoundException"


def test_records_name_the_configuration_and_hide_what_the_game_says(stage: Stage) -> None:
    create(stage, CustomEventData="secret-text", GameProperties=[{"Key": "map", "Value": "secret-map"}])
    stage.call("DeleteMatchmakingConfiguration", Name="main")
    created, deleted = list(stage.events())[-2:]
    types = [item["type"] for item in created["resources"]]
    assert types == ["AWS::GameLift::MatchmakingRuleSet", "AWS::GameLift::MatchmakingConfiguration"]
    assert "secret" not in str(created)
    assert [item["ARN"] for item in deleted["resources"]] == [ARN]
