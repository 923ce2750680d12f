"""Aliases, simple and terminal."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from apitrail.testing import Stage

UNKNOWN = "alias-00000000-0000-4000-8000-000000000000"
TERMINAL = {"Type": "TERMINAL", "Message": "closed for good"}


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    with Stage(tmp_path) as stage:
        yield stage


@pytest.fixture
def fleet(stage: Stage) -> dict[str, Any]:
    stage.call("CreateLocation", LocationName="custom-desk")
    locations = [{"Location": "custom-desk"}]
    made: dict[str, Any] = stage.call("CreateFleet", Name="f", ComputeType="ANYWHERE", Locations=locations)
    return made["FleetAttributes"]


def simple(fleet: dict[str, Any]) -> dict[str, str]:
    return {"Type": "SIMPLE", "FleetId": fleet["FleetId"]}


def test_a_simple_alias_leads_to_its_fleet(stage: Stage, fleet: dict[str, Any]) -> None:
    alias = stage.call("CreateAlias", Name="live", Description="d", RoutingStrategy=simple(fleet))["Alias"]
    assert alias["AliasArn"] == f"arn:aws:gamelift:us-west-2::alias/{alias['AliasId']}"
    assert alias["CreationTime"] == alias["LastUpdatedTime"]
    for text in (alias["AliasId"], alias["AliasArn"]):
        resolved = stage.call("ResolveAlias", AliasId=text)
        assert resolved == {"FleetId": fleet["FleetId"], "FleetArn": fleet["FleetArn"]}
    assert stage.call("DescribeAlias", AliasId=alias["AliasId"])["Alias"] == alias


def test_a_terminal_alias_keeps_its_message_and_drops_a_fleet(stage: Stage, fleet: dict[str, Any]) -> None:
    strategy = {**TERMINAL, "FleetId": fleet["FleetId"]}
    alias = stage.call("CreateAlias", Name="old", RoutingStrategy=strategy)["Alias"]
    assert alias["RoutingStrategy"] == TERMINAL
    error = stage.error("ResolveAlias", AliasId=alias["AliasId"])
    assert (error.error_code, error.message) == ("TerminalRoutingStrategyException", "closed for good")


@pytest.mark.parametrize(
    "strategy",
    [
        {},
        {"Type": "SIMPLE"},
        {"Type": "SIMPLE", "FleetId": "fleet-00000000-0000-4000-8000-000000000000"},
        {"Type": "SIMPLE", "FleetId": "nofleet-1"},
        {"FleetId": "fleet-1"},
    ],
)
def test_a_strategy_that_leads_nowhere_is_refused(stage: Stage, strategy: dict[str, str]) -> None:
    assert stage.error("CreateAlias", Name="x", RoutingStrategy=strategy).error_code == "InvalidRequestException"
    alias = stage.call("CreateAlias", Name="x", RoutingStrategy=TERMINAL)["Alias"]
    error = stage.error("UpdateAlias", AliasId=alias["AliasId"], RoutingStrategy=strategy)
    assert error.error_code == "InvalidRequestException"


def test_an_update_replaces_the_whole_strategy(stage: Stage, fleet: dict[str, Any]) -> None:
    alias = stage.call("CreateAlias", Name="a", Description="d", RoutingStrategy=TERMINAL)["Alias"]
    stage.advance(5)
    new = stage.call("UpdateAlias", AliasId=alias["AliasId"], RoutingStrategy=simple(fleet))["Alias"]
    assert new["RoutingStrategy"] == simple(fleet)
    assert (new["Name"], new["Description"]) == ("a", "d")
    assert (new["LastUpdatedTime"] - new["CreationTime"]).total_seconds() == 5


def test_an_update_of_the_name_keeps_the_strategy(stage: Stage) -> None:
    alias = stage.call("CreateAlias", Name="a", RoutingStrategy=TERMINAL)["Alias"]
    new = stage.call("UpdateAlias", AliasId=alias["AliasArn"], Name="b", Description="now b")["Alias"]
    assert (new["Name"], new["Description"], new["RoutingStrategy"]) == ("b", "now b", TERMINAL)


def test_aliases_are_listed_by_type_and_name(stage: Stage, fleet: dict[str, Any]) -> None:
    for name, strategy in (("a", TERMINAL), ("a", simple(fleet)), ("b", simple(fleet))):
        stage.call("CreateAlias", Name=name, RoutingStrategy=strategy)

    def listed(**params: Any) -> list[tuple[str, str]]:
        found = stage.call("ListAliases", **params)["Aliases"]
        return [(alias["Name"], alias["RoutingStrategy"]["Type"]) for alias in found]

    assert listed() == [("a", "TERMINAL"), ("a", "SIMPLE"), ("b", "SIMPLE")]
    assert listed(Name="a") == [("a", "TERMINAL"), ("a", "SIMPLE")]
    assert listed(RoutingStrategyType="SIMPLE") == [("a", "SIMPLE"), ("b", "SIMPLE")]
    assert listed(RoutingStrategyType="SIMPLE", Name="a") == [("a", "SIMPLE")]
    assert listed(Name="c") == []


def test_a_changed_alias_is_found_under_its_new_name_only(stage: Stage) -> None:
    alias = stage.call("CreateAlias", Name="a", RoutingStrategy=TERMINAL)["Alias"]
    stage.call("UpdateAlias", AliasId=alias["AliasId"], Name="b")
    assert stage.call("ListAliases", Name="a")["Aliases"] == []
    assert len(stage.call("ListAliases", Name="b")["Aliases"]) == 1


def test_aliases_are_listed_page_by_page_to_the_end(stage: Stage) -> None:
    made = [stage.call("CreateAlias", Name="same", RoutingStrategy=TERMINAL)["Alias"]["AliasId"] for _ in range(5)]
    seen: list[str] = []
    token: dict[str, str] = {}
    tokens: list[str] = []
    while True:
        page = stage.call("ListAliases", Name="same", Limit=2, **token)
        seen += [alias["AliasId"] for alias in page["Aliases"]]
        if not page.get("NextToken"):
            break
        tokens.append(page["NextToken"])
        token = {"NextToken": tokens[-1]}
    assert seen == made
    assert len(set(tokens)) == 2


def test_a_deleted_alias_is_gone_with_its_tags(stage: Stage) -> None:
    tags = [{"Key": "a", "Value": "1"}]
    alias = stage.call("CreateAlias", Name="a", RoutingStrategy=TERMINAL, Tags=tags)["Alias"]
    stage.call("DeleteAlias", AliasId=alias["AliasId"])
    assert stage.call("ListAliases")["Aliases"] == []
    assert stage.error("ListTagsForResource", ResourceARN=alias["AliasArn"]).error_code == "NotFoundException"


@pytest.mark.parametrize("operation", ["DescribeAlias", "ResolveAlias", "UpdateAlias", "DeleteAlias"])
def test_an_unknown_alias_is_not_found(stage: Stage, operation: str) -> None:
    error = stage.error(operation, AliasId=UNKNOWN)
    assert (error.error_code, error.message) == ("NotFoundException", f"Alias ({UNKNOWN}) not found.")


def test_an_alias_still_leads_to_a_fleet_that_is_gone(stage: Stage, fleet: dict[str, Any]) -> None:
    alias = stage.call("CreateAlias", Name="live", RoutingStrategy=simple(fleet))["Alias"]
    stage.advance(60, step=20)
    stage.call("DeleteFleet", FleetId=fleet["FleetId"])
    stage.advance(3600, step=300)
    assert stage.call("ResolveAlias", AliasId=alias["AliasId"])["FleetId"] == fleet["FleetId"]
