"""What happens to a deployment over time: it begins, is validated, replaces instances, and completes or fails.

See deployments.py. The steps are those of states.DEPLOYMENT.
"""

from apitrail.services.context import Context
from apitrail.services.gamelift import processes
from apitrail.services.gamelift.collections import DEPLOYMENTS, FLEET_LOCATIONS, FLEETS
from apitrail.services.gamelift.container_rules import containers_of
from apitrail.services.gamelift.container_settings import deployed_of, fingerprint, set_deployed, version_in
from apitrail.services.gamelift.fleet_events import add_event
from apitrail.services.gamelift.fleet_steps import ACTIVATED, DEPLOYMENT_CHECK, move_location
from apitrail.services.gamelift.fleets_access import ENDED, location_id, locations_of, put_fleet
from apitrail.services.gamelift.instances import RETRY_S, follow_desired, instances_in, stop
from apitrail.services.gamelift.states import DEPLOYMENT, GONE, delay
from apitrail.services.operation import timer
from apitrail.store.resources import Doc

STEP = "gamelift/deployment-step"
REST = "gamelift/replace-rest-of-deployment"
FAILS = "APITRAIL_FAIL_DEPLOYMENT"
"""Environment variable of a container whose deployment is to fail."""

OPEN = ("PENDING", "IN_PROGRESS", "ROLLBACK_IN_PROGRESS")
START_S = 1.0
"""How long new instances are given before they are looked at; scaled as their start is."""

TOLD = -1.0
DONE = -2.0

GROUP_ARNS = ("GameServerContainerGroupDefinitionArn", "PerInstanceContainerGroupDefinitionArn")


def move_deployment(ctx: Context, deployment: Doc, target: str) -> None:
    """Take a deployment to another state and store it. A new one has no state before."""
    deployment["DeploymentStatus"] = DEPLOYMENT.step(deployment.get("DeploymentStatus", GONE), target).target
    DEPLOYMENTS(ctx).put(deployment["DeploymentId"], deployment)


def open_deployment(ctx: Context, fleet: Doc) -> Doc | None:
    """Return a fleet's deployment that is in progress, or None."""
    deployment = DEPLOYMENTS(ctx).get(fleet.get("DeploymentDetails", {}).get("LatestDeploymentId", ""))
    return deployment if deployment is not None and deployment["DeploymentStatus"] in OPEN else None


@timer(ACTIVATED)
def location_activating(ctx: Context, doc: Doc) -> None:
    """Deploy to a location that has become ACTIVATING, or take it back to CREATED when the deployment has failed."""
    fleet = FLEETS(ctx).get(doc["FleetId"])
    location = FLEET_LOCATIONS(ctx).get(location_id(doc["FleetId"], doc["Location"]))
    if fleet is None or location is None or location["Status"] != "ACTIVATING":
        return
    deployment = open_deployment(ctx, fleet)
    if deployment is None and "_Good" not in fleet:
        move_location(ctx, fleet, location, "CREATED")
        return
    if deployment is not None and deployment["DeploymentStatus"] == "PENDING":
        move_deployment(ctx, deployment, "IN_PROGRESS")
        if _is_to_fail(ctx, fleet):
            _fail(ctx, fleet, deployment)
            return
    if deployment is None or deployment["DeploymentStatus"] == "IN_PROGRESS":
        follow_desired(ctx, fleet, location)


@timer(STEP)
def take_deployment_step(ctx: Context, doc: Doc) -> None:
    """Take the step that a deployment makes by itself after some time in a state."""
    deployment = DEPLOYMENTS(ctx).get(doc["DeploymentId"])
    fleet = None if deployment is None else FLEETS(ctx).get(deployment["FleetId"])
    if fleet is None or deployment is None or deployment["DeploymentStatus"] != doc["Status"]:
        return
    if doc["Status"] == "PENDING":
        _begin(ctx, fleet, deployment)
    elif doc["Status"] == "ROLLBACK_IN_PROGRESS":
        move_deployment(ctx, deployment, "ROLLBACK_COMPLETE")
        _settle(ctx, fleet)
    elif _is_to_fail(ctx, fleet):
        _fail(ctx, fleet, deployment)
    else:
        _pursue(ctx, fleet, deployment)


@timer(REST)
def replace_rest(ctx: Context, doc: Doc) -> None:
    """Go on with taking back what a deployment had begun, unless another one does it."""
    fleet = FLEETS(ctx).get(doc["FleetId"])
    location = FLEET_LOCATIONS(ctx).get(location_id(doc["FleetId"], doc["Location"]))
    if fleet is not None and location is not None and location["Status"] == "ACTIVE":
        _replace_rest(ctx, fleet, location)


@timer(DEPLOYMENT_CHECK)
def check_deployment(ctx: Context, doc: Doc) -> None:
    """Look whether a deployment can complete."""
    fleet = FLEETS(ctx).get(doc["FleetId"])
    deployment = None if fleet is None else open_deployment(ctx, fleet)
    if fleet is not None and deployment is not None and deployment["DeploymentStatus"] == "IN_PROGRESS":
        _pursue(ctx, fleet, deployment)


def _begin(ctx: Context, fleet: Doc, deployment: Doc) -> None:
    """Begin a deployment to a fleet that is there: its instances are validated, or its first ones launched."""
    created = [location for location in _locations(ctx, fleet) if location["Status"] == "CREATED"]
    for location in created:
        move_location(ctx, fleet, location, "ACTIVATING")
    if not created:
        move_deployment(ctx, deployment, "IN_PROGRESS")
        _plan(ctx, deployment)


def _pursue(ctx: Context, fleet: Doc, deployment: Doc) -> None:
    """Replace the instances that can be replaced, and complete the deployment when none is left."""
    waits = [_replace(ctx, fleet, location, deployment) for location in _locations(ctx, fleet)]
    if set(waits) <= {DONE}:
        move_deployment(ctx, deployment, "COMPLETE")
        fleet["_Good"] = deployed_of(fleet)
        put_fleet(ctx, fleet)
        _settle(ctx, fleet)
        return
    wait, now = max(waits), ctx.now.timestamp()
    if wait >= 0 and deployment.get("_LookAt", 0.0) <= now:
        deployment["_LookAt"] = now + wait
        ctx.schedule(DEPLOYMENT_CHECK, {"FleetId": fleet["FleetId"]}, wait)
    DEPLOYMENTS(ctx).put(deployment["DeploymentId"], deployment)


def _replace(ctx: Context, fleet: Doc, location: Doc, deployment: Doc) -> float:
    """Replace the instances of a location that run something else; return after how long to look again.

    DONE when all is replaced; TOLD when a timer will come of itself, because the location is still being made.
    """
    if location["Status"] not in ("ACTIVE", "UPDATING"):
        return TOLD
    ignored = deployment["DeploymentConfiguration"]["ProtectionStrategy"] == "IGNORE_PROTECTION"
    if _stop_others(ctx, fleet, location, ignored=ignored):
        return RETRY_S
    if instances_in(ctx, location, "PENDING"):
        return delay(ctx, START_S)
    if location["Location"] not in deployment["_Done"]:
        deployment["_Done"].append(location["Location"])
    return DONE


def _stop_others(ctx: Context, fleet: Doc, location: Doc, *, ignored: bool = False) -> bool:
    """Stop the instances of a location that run something else, launch others, and return whether some are left.

    ignored: even those with protected sessions.
    """
    current, left, changed = fingerprint(fleet), False, False
    for status in ("PENDING", "ACTIVE"):
        for instance in instances_in(ctx, location, status):
            if instance["_Settings"] == current:
                continue
            if not ignored and processes.load_of(ctx, fleet["FleetId"], instance["InstanceId"]).protected:
                left = True
            else:
                stop(ctx, fleet, instance)
                changed = True
    if changed:
        follow_desired(ctx, fleet, location)
    return left


def _replace_rest(ctx: Context, fleet: Doc, location: Doc) -> None:
    """Replace the instances that do not run what they should, those with protected sessions when these have ended."""
    if _stop_others(ctx, fleet, location):
        ctx.schedule(REST, {"FleetId": fleet["FleetId"], "Location": location["Location"]}, RETRY_S)


def _fail(ctx: Context, fleet: Doc, deployment: Doc) -> None:
    """End a deployment that does not stand validation."""
    add_event(ctx, fleet["FleetId"], "GENERIC_EVENT", f"Deployment {deployment['DeploymentId']} failed validation")
    rolls_back = deployment["DeploymentConfiguration"]["ImpairmentStrategy"] == "ROLLBACK"
    if "_Good" in fleet:
        set_deployed(fleet, fleet["_Good"])
    elif rolls_back:
        set_deployed(fleet, {name: value for name, value in deployed_of(fleet).items() if name == "LogConfiguration"})
        fleet["_Manual"] = []
    put_fleet(ctx, fleet)
    if rolls_back:
        move_deployment(ctx, deployment, "ROLLBACK_IN_PROGRESS")
        _plan(ctx, deployment)
    else:
        move_deployment(ctx, deployment, "IMPAIRED")
        _settle(ctx, fleet)


def _settle(ctx: Context, fleet: Doc) -> None:
    """Bring a fleet's locations to rest after a deployment: ACTIVE, or CREATED if nothing was ever deployed."""
    for location in _locations(ctx, fleet):
        if location["Status"] == "UPDATING":
            _replace_rest(ctx, fleet, location)
            move_location(ctx, fleet, location, "ACTIVE")
        elif location["Status"] == "ACTIVATING" and "_Good" not in fleet:
            move_location(ctx, fleet, location, "CREATED")


def _is_to_fail(ctx: Context, fleet: Doc) -> bool:
    versions = [version_in(ctx, fleet, name) for name in GROUP_ARNS]
    containers = [item for version in versions if version is not None for item in containers_of(version)]
    return any(pair["Name"] == FAILS for item in containers for pair in item.get("EnvironmentOverride", ()))


def _locations(ctx: Context, fleet: Doc) -> list[Doc]:
    return [location for location in locations_of(ctx, fleet["FleetId"]) if location["Status"] not in ENDED]


def _plan(ctx: Context, deployment: Doc) -> None:
    """Plan the step that a deployment takes by itself out of its state."""
    timed = DEPLOYMENT.timed(deployment["DeploymentStatus"])
    assert timed is not None and timed.delay_s is not None
    step = {"DeploymentId": deployment["DeploymentId"], "Status": deployment["DeploymentStatus"]}
    ctx.schedule(STEP, step, delay(ctx, timed.delay_s))
