"""Automatic scaling: the policies of a fleet are evaluated every minute in each of its locations, one after another.

How far a policy has got is kept with the location's watch: for how many minutes its rule was met (Met), until when it
rests after it has acted (RestsUntil), and which version of the policy that was (PutAt). Source: GameLift Developer Guide.
"""

from datetime import timedelta

from apitrail.services.context import Context
from apitrail.services.gamelift.capacity import instances_allowed, scales_to_zero, set_capacity
from apitrail.services.gamelift.collections import FLEET_LOCATIONS, FLEETS, SCALING_WATCHES
from apitrail.services.gamelift.fleets_access import ENDED, is_working, location_id
from apitrail.services.gamelift.pool import runtime_of
from apitrail.services.gamelift.processes import counts
from apitrail.services.gamelift.propagation import is_pending
from apitrail.services.gamelift.scaling_metrics import metric_value
from apitrail.services.gamelift.scaling_rules import (
    adjusted,
    bounded,
    is_met,
    is_target_based,
    processes_per_instance,
    target_instances,
)
from apitrail.services.gamelift.scaling_watch import EVALUATION, evaluate_later, policies_of
from apitrail.services.operation import timer
from apitrail.store.resources import Doc

REST = timedelta(minutes=10)
"""How long a rule-based policy rests after it has changed the capacity."""

AUTO_SCALING = "AUTO_SCALING"
GROUPS = "GameServerContainerGroupsPerInstance"
"""What a container fleet has on each instance, with a process each."""

LOST = (*ENDED, "ERROR")
"""States of a location that will never be scaled again."""


def change_name(policy_name: str) -> str:
    """Return what the change of a policy is called on its way to remote locations."""
    return f"policy/{policy_name}"


@timer(EVALUATION)
def evaluate_location(ctx: Context, doc: Doc) -> None:
    """Evaluate the policies of a fleet in one location, and again in a minute while there are any."""
    id = location_id(doc["FleetId"], doc["Location"])
    fleet, location = FLEETS(ctx).get(doc["FleetId"]), FLEET_LOCATIONS(ctx).get(id)
    policies = policies_of(ctx, doc["FleetId"])
    if fleet is None or location is None or location["Status"] in LOST or not policies:
        SCALING_WATCHES(ctx).delete(id)
        return
    evaluate_later(ctx, doc["FleetId"], doc["Location"])
    before = SCALING_WATCHES(ctx).get(id) or {"Policies": {}}
    progress = {}
    if _may_scale(location):
        in_force = [policy for policy in policies if not is_pending(location, change_name(policy["Name"]))]
        for policy in in_force:
            known = before["Policies"].get(policy["Name"])
            progress[policy["Name"]] = _evaluate(ctx, fleet, location, policy, known)
    if progress != before["Policies"]:
        SCALING_WATCHES(ctx).put(id, {"Policies": progress})


def _may_scale(location: Doc) -> bool:
    """Return whether policies count in a location. Inferred: not at zero, where a game session is what starts it again."""
    at_zero = scales_to_zero(location) and location["_desired"] == 0
    return is_working(location) and AUTO_SCALING not in location.get("StoppedActions", ()) and not at_zero


def _evaluate(ctx: Context, fleet: Doc, location: Doc, policy: Doc, known: Doc | None) -> Doc:
    """Do what a policy asks for now, and return how far it has got. Inferred: a policy that is put again begins anew."""
    place = (fleet["FleetId"], location["Location"])
    progress = known if known is not None and known["PutAt"] == policy["_put_at"] else {"PutAt": policy["_put_at"]}
    if is_target_based(policy):
        per_instance = fleet.get(GROUPS) or processes_per_instance(runtime_of(fleet))
        _scale(ctx, fleet, location, target_instances(policy, counts(ctx, *place).session_count, per_instance))
        return progress
    met = progress.get("Met", 0) + 1 if is_met(policy, metric_value(ctx, policy["MetricName"], *place)) else 0
    rests = "RestsUntil" in progress and ctx.now < progress["RestsUntil"]
    if met < policy["EvaluationPeriods"] or rests:
        return {**progress, "Met": min(met, policy["EvaluationPeriods"])}
    if not _scale(ctx, fleet, location, adjusted(policy, location["_desired"])):
        return {**progress, "Met": policy["EvaluationPeriods"]}
    return {"PutAt": policy["_put_at"], "Met": 0, "RestsUntil": ctx.now + REST}


def _scale(ctx: Context, fleet: Doc, location: Doc, wanted: int) -> bool:
    """Change how many instances are desired, as far as settings and quota allow; return whether that is a change."""
    current, minimum, maximum = location["_desired"], location["_min"], location["_max"]
    desired = bounded(wanted, current, minimum, maximum, instances_allowed(ctx, location))
    set_capacity(ctx, fleet, location, desired, minimum, maximum)
    return bool(desired != current)
