"""Finding fleets and their locations, and what may be done with them in their state.

Source: GameLift API Reference; GameLift Developer Guide.
"""

from collections.abc import Mapping
from typing import Any

from apitrail.services.context import Context
from apitrail.services.gamelift.arns import find_id
from apitrail.services.gamelift.collections import ALIASES, BUILDS, FLEET_LOCATIONS, FLEETS, SCRIPTS, word_of
from apitrail.services.gamelift.errors import (
    InvalidFleetStatusException,
    InvalidRequestException,
    NotFoundException,
    TerminalRoutingStrategyException,
)
from apitrail.store.resources import Doc

ENDED = ("DELETING", "TERMINATED")
WORKING = ("ACTIVE", "UPDATING")
"""States of a fleet or location in which it hosts sessions; a container fleet goes on while it is updated."""

CONTAINER_WORD = "containerfleet"
"""What the ids of container fleets begin with."""


def find_fleet(ctx: Context, text: str) -> Doc | None:
    """Return the fleet of an id or ARN, or None."""
    id = find_id(ctx, text, "fleet")
    return None if id is None else FLEETS(ctx).get(id)


def get_fleet(ctx: Context, text: str) -> Doc:
    """Return the fleet of an id or ARN. Raises: NotFoundException."""
    fleet = find_fleet(ctx, text)
    if fleet is None:
        raise NotFoundException(f"Fleet {text} was not found in {ctx.region}.")
    return fleet


def get_plain_fleet(ctx: Context, text: str) -> Doc:
    """Return the fleet of an id or ARN, but no container fleet. Raises: NotFoundException."""
    fleet = find_fleet(ctx, text)
    if fleet is None or is_container(fleet):
        raise NotFoundException(f"Fleet {text} was not found in {ctx.region}.")
    return fleet


def get_container_fleet(ctx: Context, text: str) -> Doc:
    """Return the container fleet of an id or ARN. Raises: NotFoundException, also for fleets of other kinds."""
    fleet = find_fleet(ctx, text)
    if fleet is None or not is_container(fleet):
        raise NotFoundException(f"Container fleet {text} was not found in {ctx.region}.")
    return fleet


def put_fleet(ctx: Context, fleet: Doc) -> None:
    """Store a fleet."""
    FLEETS(ctx).put(fleet["FleetId"], fleet)


def resolve_fleet(ctx: Context, params: Mapping[str, Any]) -> Doc:
    """Return the fleet that a call addresses by FleetId or AliasId.

    Raises: InvalidRequestException (none or both of them); NotFoundException; TerminalRoutingStrategyException with
    the alias's message.
    """
    if ("FleetId" in params) == ("AliasId" in params):
        raise InvalidRequestException("Exactly one of FleetId and AliasId must be given.")
    return get_fleet(ctx, params["FleetId"] if "FleetId" in params else fleet_of_alias(ctx, params["AliasId"]))


def fleet_of_alias(ctx: Context, text: str) -> str:
    """Return the fleet id that an alias leads to; the fleet may be gone.

    Raises: NotFoundException; TerminalRoutingStrategyException with the alias's message.
    """
    id = find_id(ctx, text, "alias")
    alias = None if id is None else ALIASES(ctx).get(id)
    if alias is None:
        raise NotFoundException(f"Alias ({text}) not found.")
    strategy = alias["RoutingStrategy"]
    if strategy["Type"] == "TERMINAL":
        raise TerminalRoutingStrategyException(strategy.get("Message", ""))
    return str(strategy["FleetId"])


def require_active(fleet: Doc) -> None:
    """Raise InvalidFleetStatusException unless the fleet is ACTIVE, or a container fleet that is being updated."""
    if not is_working(fleet):
        raise InvalidFleetStatusException(
            f"Fleet {fleet['FleetId']} is in status {fleet['Status']}; it must be ACTIVE."
        )


def refuse_ended(fleet: Doc, *more: str) -> None:
    """Raise InvalidFleetStatusException when the fleet is DELETING, TERMINATED or in one of the given states."""
    if fleet["Status"] in (*ENDED, *more):
        raise InvalidFleetStatusException(
            f"Fleet {fleet['FleetId']} is in status {fleet['Status']} and can no longer be changed."
        )


def is_anywhere(fleet: Doc) -> bool:
    """Return whether the fleet's computes belong to the user; it has no instances, ports and home location then."""
    return bool(fleet.get("ComputeType") == "ANYWHERE")


def is_container(fleet: Doc) -> bool:
    """Return whether the fleet's instances run containers; its document is a ContainerFleet then."""
    return word_of(fleet) == CONTAINER_WORD


def has_game_servers(fleet: Doc) -> bool:
    """Return whether a container fleet has a game server container group."""
    return "GameServerContainerGroupDefinitionArn" in fleet


def is_working(doc: Doc) -> bool:
    """Return whether a fleet or a location hosts sessions."""
    return doc["Status"] in WORKING


def source_of(fleet: Doc) -> str:
    """Return the id of the build or script that an EC2 fleet runs."""
    return str(fleet["BuildId"] if "BuildId" in fleet else fleet["ScriptId"])


def has_source(ctx: Context, fleet: Doc) -> bool:
    """Return whether the build or script of an EC2 fleet still exists."""
    return (BUILDS if "BuildId" in fleet else SCRIPTS)(ctx).has(source_of(fleet))


def find_location(ctx: Context, fleet: Doc, name: str) -> Doc | None:
    """Return a location of a fleet, or None; one that is TERMINATED counts no longer."""
    location = FLEET_LOCATIONS(ctx).get(location_id(fleet["FleetId"], name))
    return None if location is None or location["Status"] == "TERMINATED" else location


def get_location(ctx: Context, fleet: Doc, name: str) -> Doc:
    """Return a location of a fleet. Raises: NotFoundException."""
    location = find_location(ctx, fleet, name)
    if location is None:
        raise NotFoundException(f"Fleet {fleet['FleetId']} has no location {name}.")
    return location


def put_location(ctx: Context, location: Doc) -> None:
    """Store a location of a fleet."""
    FLEET_LOCATIONS(ctx).put(location_id(location["FleetId"], location["Location"]), location)


def locations_of(ctx: Context, fleet_id: str) -> list[Doc]:
    """Return all locations of a fleet, the home location first, also those that are TERMINATED."""
    return [entry.doc for entry in FLEET_LOCATIONS(ctx).find("FleetId", fleet_id)]


def location_id(fleet_id: str, name: str) -> str:
    """Return the id under which a location of a fleet is kept."""
    return f"{fleet_id}/{name}"
