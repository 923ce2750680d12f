"""Matchmaking rule sets: create, describe, delete, validate."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from match_scenes import make_rule_set, rule_body, standalone

from apitrail.testing import Stage

ARN = "arn:aws:gamelift:us-west-2:111122223333:matchmakingruleset/duel"


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    with Stage(tmp_path) as stage:
        yield stage


def shown(result: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in result.items() if not name.startswith("_")}


def all_names(stage: Stage, **params: Any) -> tuple[list[str], int]:
    names, pages, token = [], 0, {}
    while True:
        page = stage.call("DescribeMatchmakingRuleSets", **params, **token)
        names += [item["RuleSetName"] for item in page["RuleSets"]]
        pages += 1
        if not page.get("NextToken"):
            return names, pages
        token = {"NextToken": page["NextToken"]}


def test_a_rule_set_has_its_body_byte_for_byte(stage: Stage) -> None:
    body = f" {rule_body()}\n\t"
    made = stage.call("CreateMatchmakingRuleSet", Name="duel", RuleSetBody=body)["RuleSet"]
    expected = {"RuleSetName": "duel", "RuleSetArn": ARN, "RuleSetBody": body, "CreationTime": stage.clock.now()}
    assert shown(made) == expected
    assert [shown(item) for item in stage.call("DescribeMatchmakingRuleSets")["RuleSets"]] == [expected]


def test_a_name_can_be_taken_once(stage: Stage) -> None:
    make_rule_set(stage)
    error = stage.error("CreateMatchmakingRuleSet", Name="duel", RuleSetBody=rule_body())
    assert (error.error_code, error.message) == (
        "InvalidRequestException",
        "Matchmaking rule set with name duel already exists.",
    )


@pytest.mark.parametrize("operation", ["CreateMatchmakingRuleSet", "ValidateMatchmakingRuleSet"])
def test_both_operations_refuse_the_same_mistakes(stage: Stage, operation: str) -> None:
    name = {"Name": "duel"} if operation.startswith("Create") else {}
    error = stage.error(operation, RuleSetBody=rule_body(teams=[]), **name)
    assert error.error_code == "InvalidRequestException"
    assert error.message == "The rule set body is not valid: teams must have at least one team."


def test_a_good_body_is_valid_and_nothing_is_kept(stage: Stage) -> None:
    assert stage.call("ValidateMatchmakingRuleSet", RuleSetBody=rule_body()) == {"Valid": True}
    assert stage.call("DescribeMatchmakingRuleSets")["RuleSets"] == []


@pytest.mark.parametrize("body", ["", "x" * 65_536])
def test_a_body_has_a_length(stage: Stage, body: str) -> None:
    assert stage.error("ValidateMatchmakingRuleSet", RuleSetBody=body).error_code == "InvalidRequestException"


@pytest.mark.parametrize("name", ["", "no/slash", "x" * 129])
def test_a_name_has_a_form(stage: Stage, name: str) -> None:
    error = stage.error("CreateMatchmakingRuleSet", Name=name, RuleSetBody=rule_body())
    assert error.error_code == "InvalidRequestException"


def test_tags_are_kept_and_go_with_the_rule_set(stage: Stage) -> None:
    tags = [{"Key": "team", "Value": "a"}]
    stage.call("CreateMatchmakingRuleSet", Name="duel", RuleSetBody=rule_body(), Tags=tags)
    assert stage.call("ListTagsForResource", ResourceARN=ARN)["Tags"] == tags
    stage.call("DeleteMatchmakingRuleSet", Name=ARN)
    make_rule_set(stage)
    assert stage.call("ListTagsForResource", ResourceARN=ARN)["Tags"] == []


def test_a_reserved_tag_leaves_no_rule_set(stage: Stage) -> None:
    tags = [{"Key": "aws:x", "Value": ""}]
    error = stage.error("CreateMatchmakingRuleSet", Name="duel", RuleSetBody=rule_body(), Tags=tags)
    assert error.error_code == "TaggingFailedException"
    assert stage.call("DescribeMatchmakingRuleSets")["RuleSets"] == []


@pytest.mark.parametrize(("limit", "pages"), [(None, 3), (1, 25), (7, 4), (10, 3)])
def test_all_rule_sets_are_listed_ten_a_page_at_most(stage: Stage, limit: int | None, pages: int) -> None:
    expected = [make_rule_set(stage, f"set-{number}")["RuleSetName"] for number in range(25)]
    params = {} if limit is None else {"Limit": limit}
    assert all_names(stage, **params) == (expected, pages)


def test_named_rule_sets_come_in_the_order_of_their_names_page_by_page(stage: Stage) -> None:
    for number in range(5):
        make_rule_set(stage, f"set-{number}")
    arn = ARN.replace("duel", "set-1")
    asked = ["set-3", arn, "set-1", "set-0"]
    assert all_names(stage, Names=asked) == (["set-3", "set-1", "set-0"], 1)
    assert all_names(stage, Names=asked, Limit=2) == (["set-3", "set-1", "set-0"], 2)


@pytest.mark.parametrize("names", [["duel", "none"], [ARN.replace("us-west-2", "us-east-1")], [ARN[:-4] + "none"]])
def test_a_name_that_is_not_there_is_not_found(stage: Stage, names: list[str]) -> None:
    make_rule_set(stage)
    assert stage.error("DescribeMatchmakingRuleSets", Names=names).error_code == "NotFoundException"


def test_a_token_of_another_list_is_refused(stage: Stage) -> None:
    for number in range(3):
        make_rule_set(stage, f"set-{number}")
    token = stage.call("DescribeMatchmakingRuleSets", Limit=1)["NextToken"]
    error = stage.error("DescribeMatchmakingRuleSets", Names=["set-0", "set-1"], Limit=1, NextToken=token)
    assert error.error_code == "InvalidRequestException"


def test_a_rule_set_in_use_cannot_be_deleted(stage: Stage) -> None:
    make_rule_set(stage)
    stage.call("CreateMatchmakingConfiguration", **standalone())
    error = stage.error("DeleteMatchmakingRuleSet", Name="duel")
    assert (error.error_code, "main" in error.message) == ("InvalidRequestException", True)
    stage.call("DeleteMatchmakingConfiguration", Name="main")
    assert shown(stage.call("DeleteMatchmakingRuleSet", Name="duel")) == {}
    assert stage.error("DeleteMatchmakingRuleSet", Name="duel").error_code == "NotFoundException"


def test_records_name_the_rule_set_and_its_end(stage: Stage) -> None:
    make_rule_set(stage)
    stage.call("ValidateMatchmakingRuleSet", RuleSetBody=rule_body())
    stage.call("DeleteMatchmakingRuleSet", Name="duel")
    created, validated, deleted = stage.events()
    resource = {"accountId": "111122223333", "type": "AWS::GameLift::MatchmakingRuleSet", "ARN": ARN}
    assert (created["resources"], created["readOnly"]) == ([resource], False)
    assert (validated.get("resources"), validated["readOnly"]) == (None, True)
    assert (deleted["resources"], deleted["responseElements"]) == ([resource], None)
