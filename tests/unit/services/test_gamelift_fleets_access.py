"""Finding the fleet that a call addresses."""

from collections.abc import Callable
from typing import Any

import pytest
from fleet_scenes import anywhere_fleet, fleet_of, new_fleet

from apitrail.errors import ServiceError
from apitrail.services.context import Context
from apitrail.services.gamelift.errors import (
    InvalidFleetStatusException,
    InvalidRequestException,
    NotFoundException,
    TerminalRoutingStrategyException,
)
from apitrail.services.gamelift.fleets_access import require_active, resolve_fleet
from apitrail.testing import Stage


def resolving(**params: Any) -> Callable[[Context], str]:
    return lambda ctx: str(resolve_fleet(ctx, params)["FleetId"])


def alias_of(stage: Stage, **strategy: str) -> dict[str, Any]:
    made: dict[str, Any] = stage.call("CreateAlias", Name="live", RoutingStrategy=strategy)["Alias"]
    return made


def test_a_fleet_is_found_by_id_arn_and_alias(stage: Stage) -> None:
    fleet_id = anywhere_fleet(stage)
    alias = alias_of(stage, Type="SIMPLE", FleetId=fleet_id)
    assert stage.read(resolving(FleetId=fleet_id)) == fleet_id
    assert stage.read(resolving(FleetId=fleet_of(stage, fleet_id)["FleetArn"])) == fleet_id
    assert stage.read(resolving(AliasId=alias["AliasId"])) == fleet_id
    assert stage.read(resolving(AliasId=alias["AliasArn"])) == fleet_id


def test_a_terminal_alias_answers_with_its_message(stage: Stage) -> None:
    alias = alias_of(stage, Type="TERMINAL", Message="closed for good")
    with pytest.raises(TerminalRoutingStrategyException, match="closed for good"):
        stage.read(resolving(AliasId=alias["AliasId"]))


@pytest.mark.parametrize(
    ("params", "error"),
    [
        ({}, InvalidRequestException),
        ({"FleetId": "fleet-1", "AliasId": "alias-1"}, InvalidRequestException),
        ({"FleetId": "fleet-1"}, NotFoundException),
        ({"FleetId": "arn:aws:gamelift:us-west-2:444455556666:fleet/fleet-1"}, NotFoundException),
        ({"FleetId": "arn:aws:gamelift:eu-west-1:111122223333:fleet/fleet-1"}, NotFoundException),
        ({"AliasId": "alias-1"}, NotFoundException),
        ({"AliasId": "arn:aws:gamelift:us-west-2::fleet/fleet-1"}, NotFoundException),
    ],
)
def test_what_leads_to_no_fleet_is_refused(stage: Stage, params: dict[str, str], error: type[ServiceError]) -> None:
    with pytest.raises(error):
        stage.read(resolving(**params))


def test_an_alias_of_a_fleet_that_is_gone_leads_nowhere(stage: Stage) -> None:
    fleet_id = anywhere_fleet(stage)
    alias = alias_of(stage, Type="SIMPLE", FleetId=fleet_id)
    stage.call("DeleteFleet", FleetId=fleet_id)
    stage.advance(70)
    with pytest.raises(NotFoundException, match=fleet_id):
        stage.read(resolving(AliasId=alias["AliasId"]))


def test_a_fleet_that_is_not_active_says_its_status(stage: Stage) -> None:
    fleet = fleet_of(stage, new_fleet(stage))
    with pytest.raises(InvalidFleetStatusException, match="status NEW"):
        require_active(fleet)
