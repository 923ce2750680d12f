"""Scaling policies: PutScalingPolicy, DescribeScalingPolicies, DeleteScalingPolicy.

A policy belongs to a fleet and counts in each of its locations. When it acts is in auto_scaling.py.
Source: GameLift API Reference of these; GameLift Developer Guide.
"""

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from apitrail.services.common import make_token, take_page
from apitrail.services.context import Context
from apitrail.services.gamelift.auto_scaling import change_name
from apitrail.services.gamelift.collections import FLEET_LOCATIONS, SCALING_POLICIES
from apitrail.services.gamelift.errors import InvalidRequestException, NotFoundException
from apitrail.services.gamelift.fleets_access import ENDED, get_fleet, get_location, is_anywhere
from apitrail.services.gamelift.pages import bound_to, page_limit, position_of
from apitrail.services.gamelift.propagation import PENDING_UPDATE, is_pending, propagate_to_all
from apitrail.services.gamelift.scaling_rules import is_target_based
from apitrail.services.gamelift.scaling_watch import policies_of, policy_id, watch_all
from apitrail.services.operation import operation
from apitrail.store.resources import Doc

if TYPE_CHECKING:
    from mypy_boto3_gamelift.type_defs import (
        DeleteScalingPolicyInputTypeDef,
        DescribeScalingPoliciesInputTypeDef,
        PutScalingPolicyInputTypeDef,
    )

Params = Mapping[str, Any]

POLICIES_MAX = 50
"""Policies of one fleet. Inferred; AWS names no number, but each is evaluated every minute in each location."""

TARGET_METRIC = "PercentAvailableGameSessions"
RULE = ("ScalingAdjustment", "ScalingAdjustmentType", "Threshold", "ComparisonOperator", "EvaluationPeriods")
TARGET = ("TargetConfiguration",)


@operation
def put_scaling_policy(ctx: Context, params: "PutScalingPolicyInputTypeDef") -> dict[str, Any]:
    """Create a fleet's policy of this name, or replace it, and return the name; it is in force at once.

    A RuleBased policy, the default (inferred), has all members of a rule; a TargetBased one a TargetConfiguration and
    the metric PercentAvailableGameSessions. Raises: InvalidRequestException (members that do not fit; fleet in ERROR,
    DELETING or TERMINATED; Anywhere fleet; a second target-based policy; too many policies); NotFoundException.
    """
    policy: Doc = {"PolicyType": "RuleBased", **params}
    _check_policy(policy)
    fleet = get_fleet(ctx, params["FleetId"])
    _check_fleet(fleet)
    _check_others(fleet["FleetId"], policies_of(ctx, fleet["FleetId"]), policy)
    policy |= {"FleetId": fleet["FleetId"], "FleetArn": fleet["FleetArn"], "_put_at": ctx.now}
    SCALING_POLICIES(ctx).put(policy_id(fleet["FleetId"], policy["Name"]), policy)
    propagate_to_all(ctx, fleet["FleetId"], change_name(policy["Name"]))
    watch_all(ctx, fleet["FleetId"])
    return {"Name": policy["Name"]}


@operation
def describe_scaling_policies(ctx: Context, params: "DescribeScalingPoliciesInputTypeDef") -> dict[str, Any]:
    """Return a fleet's policies, each once per location or in one location, those in one status or all.

    Policies whose actions are stopped are ACTIVE all the same. Raises: NotFoundException (fleet, location);
    InvalidRequestException (bad token).
    """
    fleet = get_fleet(ctx, params["FleetId"])
    name = None if "Location" not in params else get_location(ctx, fleet, params["Location"])["Location"]
    bound, limit = bound_to("DescribeScalingPolicies", params), page_limit(params)
    after = tuple(position_of(ctx, bound, params) or (0, 0))
    rows = [
        (position, entry)
        for position, entry in _entries(ctx, fleet["FleetId"], name)
        if position > after and params.get("StatusFilter", entry["Status"]) == entry["Status"]
    ]
    page, more = take_page(rows, limit)
    token = make_token(ctx, bound, page[-1][0]) if more else None
    return {"ScalingPolicies": [entry for _, entry in page], "NextToken": token}


@operation
def delete_scaling_policy(ctx: Context, params: "DeleteScalingPolicyInputTypeDef") -> None:
    """Remove a policy of a fleet; it no longer acts. Raises: NotFoundException (fleet, policy)."""
    fleet = get_fleet(ctx, params["FleetId"])
    if not SCALING_POLICIES(ctx).delete(policy_id(fleet["FleetId"], params["Name"])):
        raise NotFoundException(f"Fleet {fleet['FleetId']} has no scaling policy {params['Name']}.")


def _check_policy(policy: Params) -> None:
    """Raise InvalidRequestException unless a policy has the members of its type, and only these."""
    needed, foreign = (TARGET, RULE) if is_target_based(policy) else (RULE, TARGET)
    for name in needed:
        if name not in policy:
            raise InvalidRequestException(f"A {policy['PolicyType']} scaling policy needs {name}.")
    for name in foreign:
        if name in policy:
            raise InvalidRequestException(f"A {policy['PolicyType']} scaling policy cannot have {name}.")
    if is_target_based(policy):
        _check_target(policy)
    else:
        _check_rule(policy)


def _check_target(policy: Params) -> None:
    """Inferred: the range of the target, since no capacity leaves all of itself free while it is used."""
    if policy["MetricName"] != TARGET_METRIC:
        raise InvalidRequestException(f"A TargetBased scaling policy needs MetricName {TARGET_METRIC}.")
    target = policy["TargetConfiguration"]["TargetValue"]
    if not 0 <= target < 100:
        raise InvalidRequestException(f"TargetValue {target:g} must be at least 0 and less than 100 percent.")


def _check_rule(policy: Params) -> None:
    """Inferred: both rules, about values that could never mean anything."""
    if not math.isfinite(policy["Threshold"]):
        raise InvalidRequestException("Threshold must be a number.")
    if policy["ScalingAdjustmentType"] == "ExactCapacity" and policy["ScalingAdjustment"] < 0:
        raise InvalidRequestException("ScalingAdjustment must not be negative with ExactCapacity.")


def _check_fleet(fleet: Doc) -> None:
    if is_anywhere(fleet):
        raise InvalidRequestException(f"Fleet {fleet['FleetId']} is an Anywhere fleet; it cannot be scaled.")
    if fleet["Status"] in ("ERROR", *ENDED):
        raise InvalidRequestException(
            f"Fleet {fleet['FleetId']} is in status {fleet['Status']} and cannot have scaling policies."
        )


def _check_others(fleet_id: str, known: list[Doc], policy: Params) -> None:
    others = [other for other in known if other["Name"] != policy["Name"]]
    if len(others) >= POLICIES_MAX:
        raise InvalidRequestException(f"Fleet {fleet_id} has {POLICIES_MAX} scaling policies; that is the most.")
    rival = next((other["Name"] for other in others if is_target_based(other)), None)
    if is_target_based(policy) and rival is not None:
        raise InvalidRequestException(f"Fleet {fleet_id} already has a TargetBased scaling policy, {rival}.")


def _entries(ctx: Context, fleet_id: str, location: str | None) -> list[tuple[tuple[int, int], Doc]]:
    """Return (position, entry) of every policy in every location, or in one."""
    places = [entry for entry in FLEET_LOCATIONS(ctx).find("FleetId", fleet_id) if entry.doc["Status"] != "TERMINATED"]
    return [
        ((policy.ord, place.ord), _entry(policy.doc, place.doc))
        for policy in SCALING_POLICIES(ctx).find("FleetId", fleet_id)
        for place in places
        if location in (None, place.doc["Location"])
    ]


def _entry(policy: Doc, location: Doc) -> Doc:
    """Return the ScalingPolicy of a policy in a location."""
    entry = {**policy, "Location": location["Location"], "Status": "ACTIVE"}
    if is_pending(location, change_name(policy["Name"])):
        entry |= {"Status": "UPDATE_REQUESTED", "UpdateStatus": PENDING_UPDATE}
    return entry
