"""Aliases: names that lead to a fleet (SIMPLE), or to a message (TERMINAL).

Source: GameLift API Reference, the operations on aliases.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from apitrail.services.context import Context
from apitrail.services.gamelift import collections
from apitrail.services.gamelift.arns import FLEET_WORDS, arn_of, id_of
from apitrail.services.gamelift.errors import InvalidRequestException, NotFoundException
from apitrail.services.gamelift.fleets_access import fleet_of_alias
from apitrail.services.gamelift.pages import Where, page_of
from apitrail.services.gamelift.room_waits import alias_name, thing_changed
from apitrail.services.gamelift.tagging import check_tags, drop_tags, tag_new
from apitrail.services.operation import operation
from apitrail.store.resources import Doc

if TYPE_CHECKING:
    from mypy_boto3_gamelift.type_defs import (
        CreateAliasInputTypeDef,
        DeleteAliasInputTypeDef,
        DescribeAliasInputTypeDef,
        ListAliasesInputTypeDef,
        ResolveAliasInputTypeDef,
        RoutingStrategyTypeDef,
        UpdateAliasInputTypeDef,
    )

GONE_STATE = "TERMINATED"


@operation
def create_alias(ctx: Context, params: "CreateAliasInputTypeDef") -> dict[str, Any]:
    """Create an alias; its name need not be unique.

    Raises: InvalidRequestException (a routing strategy without type, or SIMPLE without an existing fleet);
    TaggingFailedException. Inferred: the fleet must exist.
    """
    _check_strategy(params["RoutingStrategy"])
    check_tags(params)
    alias_id = ctx.ids.new("alias")
    alias: Doc = {
        "AliasId": alias_id,
        "AliasArn": arn_of(ctx, "alias", alias_id),
        **_described(params),
        "RoutingStrategy": _strategy(ctx, params["RoutingStrategy"]),
        "CreationTime": ctx.now,
        "LastUpdatedTime": ctx.now,
    }
    _put(ctx, alias)
    tag_new(ctx, alias["AliasArn"], params)
    return {"Alias": alias}


@operation
def describe_alias(ctx: Context, params: "DescribeAliasInputTypeDef") -> dict[str, Any]:
    """Return an alias. Raises: NotFoundException."""
    return {"Alias": _get(ctx, params["AliasId"])}


@operation
def list_aliases(ctx: Context, params: "ListAliasesInputTypeDef") -> dict[str, Any]:
    """Return the aliases of the account and region, or those of a type, a name or both.

    Raises: InvalidRequestException (token).
    """
    page, token = page_of(ctx, "ListAliases", params, collections.ALIASES(ctx), where=_asked(params))
    return {"Aliases": page, "NextToken": token}


@operation
def resolve_alias(ctx: Context, params: "ResolveAliasInputTypeDef") -> dict[str, Any]:
    """Return the id and ARN of the fleet that an alias leads to, even if the fleet is gone.

    Raises: NotFoundException; TerminalRoutingStrategyException, whose message is the alias's.
    """
    fleet_id = fleet_of_alias(ctx, params["AliasId"])
    return {"FleetId": fleet_id, "FleetArn": arn_of(ctx, fleet_id.partition("-")[0], fleet_id)}


@operation
def update_alias(ctx: Context, params: "UpdateAliasInputTypeDef") -> dict[str, Any]:
    """Give an alias another name, description or routing strategy; a strategy replaces the old one as a whole.

    Raises: InvalidRequestException (as create_alias); NotFoundException.
    """
    if "RoutingStrategy" in params:
        _check_strategy(params["RoutingStrategy"])
    alias = _get(ctx, params["AliasId"])
    alias |= _described(params)
    if "RoutingStrategy" in params:
        alias["RoutingStrategy"] = _strategy(ctx, params["RoutingStrategy"])
        thing_changed(ctx, alias_name(alias["AliasId"]))
    alias["LastUpdatedTime"] = ctx.now
    _put(ctx, alias)
    return {"Alias": alias}


@operation
def delete_alias(ctx: Context, params: "DeleteAliasInputTypeDef") -> None:
    """Remove an alias; queues that name it skip it from now on. Raises: NotFoundException."""
    alias = _get(ctx, params["AliasId"])
    collections.ALIASES(ctx).delete(alias["AliasId"])
    drop_tags(ctx, alias["AliasArn"])


def _check_strategy(strategy: "RoutingStrategyTypeDef") -> None:
    """Check a routing strategy by itself."""
    if "Type" not in strategy:
        raise InvalidRequestException("RoutingStrategy needs a Type, SIMPLE or TERMINAL.")
    if strategy["Type"] == "SIMPLE" and "FleetId" not in strategy:
        raise InvalidRequestException("A SIMPLE routing strategy needs the FleetId that the alias leads to.")
    if strategy["Type"] == "SIMPLE" and strategy["FleetId"].partition("-")[0] not in FLEET_WORDS:
        raise InvalidRequestException(f"{strategy['FleetId']} is not the id of a fleet.")


def _strategy(ctx: Context, given: "RoutingStrategyTypeDef") -> Doc:
    """Return the strategy to keep: what belongs to its type and no more."""
    kept = ("Type", "FleetId") if given["Type"] == "SIMPLE" else ("Type", "Message")
    strategy: Doc = {name: value for name, value in given.items() if name in kept}
    if given["Type"] == "SIMPLE":
        fleet = collections.FLEETS(ctx).get(given["FleetId"])
        if fleet is None or fleet["Status"] == GONE_STATE:
            raise InvalidRequestException(f"Fleet {given['FleetId']} does not exist in {ctx.region}.")
    return strategy


def _described(params: Mapping[str, Any]) -> Doc:
    return {name: params[name] for name in ("Name", "Description") if name in params}


def _asked(params: "ListAliasesInputTypeDef") -> Where | None:
    kind, name = params.get("RoutingStrategyType"), params.get("Name")
    if kind and name:
        return "Type+Name", collections.joined(kind, name)
    if kind:
        return "Type", kind
    return ("Name", name) if name else None


def _get(ctx: Context, text: str) -> Doc:
    alias = collections.ALIASES(ctx).get(id_of(ctx, text, "alias"))
    if alias is None:
        raise NotFoundException(f"Alias ({text}) not found.")
    return alias


def _put(ctx: Context, alias: Doc) -> None:
    collections.ALIASES(ctx).put(alias["AliasId"], alias)
