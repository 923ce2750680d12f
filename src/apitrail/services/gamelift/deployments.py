"""Deployments: how the instances of a container fleet come to run what its settings say; listing and describing them.

A deployment is validated, and then replaces all instances that run something else, at once rather than by the percentage
asked for, but not those with protected sessions before these end, unless protection is to be ignored. It fails
when a container of its definitions has an environment variable APITRAIL_FAIL_DEPLOYMENT; the fleet is then as after the last
deployment that succeeded. Source: API Reference, FleetDeployment; GameLift Developer Guide. Inferred: that nothing was replaced
when it fails, and a deployment that is the first of its fleet leaves it CREATED.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from apitrail.services.context import Context
from apitrail.services.gamelift.collections import DEPLOYMENTS, FLEETS
from apitrail.services.gamelift.container_images import DEPLOY
from apitrail.services.gamelift.container_settings import calculated, deployed_of, set_deployed
from apitrail.services.gamelift.deployment_steps import STEP, move_deployment, open_deployment
from apitrail.services.gamelift.errors import InvalidRequestException, NotFoundException
from apitrail.services.gamelift.fleet_events import add_event
from apitrail.services.gamelift.fleet_steps import move_location
from apitrail.services.gamelift.fleets_access import get_container_fleet, is_working, locations_of, put_fleet
from apitrail.services.gamelift.pages import page_of
from apitrail.services.gamelift.states import DEPLOYMENT, delay
from apitrail.services.operation import operation, timer
from apitrail.store.resources import Doc

if TYPE_CHECKING:
    from mypy_boto3_gamelift.type_defs import (
        DescribeFleetDeploymentInputTypeDef,
        ListFleetDeploymentsInputTypeDef,
    )

DEFAULTS = {"ProtectionStrategy": "WITH_PROTECTION", "MinimumHealthyPercentage": 75, "ImpairmentStrategy": "MAINTAIN"}
KEPT_MAX = 100
"""Deployments kept per fleet; older ones make room."""

BINARIES = {
    "GameServer": "GameServerContainerGroupDefinitionArn",
    "PerInstance": "PerInstanceContainerGroupDefinitionArn",
}


def start(ctx: Context, fleet: Doc, configuration: Mapping[str, Any]) -> None:
    """Begin to deploy a fleet's settings, in place of a deployment that is in progress.

    configuration: what the caller says of its DeploymentConfiguration. In a fleet that is being created it waits for
    the first location.
    """
    cancel(ctx, fleet)
    locations = [location for location in locations_of(ctx, fleet["FleetId"]) if location["Status"] != "TERMINATED"]
    deployment: Doc = {
        "DeploymentId": ctx.ids.new("deployment"),
        "FleetId": fleet["FleetId"],
        **_binaries("", deployed_of(fleet)),
        **_binaries("Rollback", fleet.get("_Good", {})),
        "DeploymentConfiguration": {**DEFAULTS, **configuration},
        "CreationTime": ctx.now,
        "_Locations": [location["Location"] for location in locations],
        "_Done": [],
    }
    fleet["DeploymentDetails"] = {"LatestDeploymentId": deployment["DeploymentId"]}
    put_fleet(ctx, fleet)
    move_deployment(ctx, deployment, "PENDING")
    _make_room(ctx, fleet)
    if fleet["Status"] == "PENDING":
        return
    for location in locations:
        if location["Status"] == "ACTIVE":
            move_location(ctx, fleet, location, "UPDATING")
    timed = DEPLOYMENT.timed("PENDING")
    assert timed is not None and timed.delay_s is not None
    step = {"DeploymentId": deployment["DeploymentId"], "Status": "PENDING"}
    ctx.schedule(STEP, step, delay(ctx, timed.delay_s))


def cancel(ctx: Context, fleet: Doc) -> None:
    """End a fleet's deployment that is in progress, if there is one."""
    deployment = open_deployment(ctx, fleet)
    if deployment is not None:
        move_deployment(ctx, deployment, "CANCELLED")


@operation
def list_fleet_deployments(ctx: Context, params: "ListFleetDeploymentsInputTypeDef") -> dict[str, Any]:
    """Return the deployments of a container fleet or of all, newest first.

    Raises: NotFoundException; InvalidRequestException (token).
    """
    where = None
    if "FleetId" in params:
        where = ("FleetId", get_container_fleet(ctx, params["FleetId"])["FleetId"])
    page, token = page_of(ctx, "ListFleetDeployments", params, DEPLOYMENTS(ctx), where=where, newest_first=True)
    return {"FleetDeployments": page, "NextToken": token}


@operation
def describe_fleet_deployment(ctx: Context, params: "DescribeFleetDeploymentInputTypeDef") -> dict[str, Any]:
    """Return a deployment of a container fleet, by default the latest, and its state in each of several locations.

    Raises: NotFoundException (fleet; deployment; a fleet that has none, inferred).
    """
    fleet = get_container_fleet(ctx, params["FleetId"])
    latest = fleet.get("DeploymentDetails", {}).get("LatestDeploymentId", "")
    deployment = DEPLOYMENTS(ctx).get(params.get("DeploymentId", latest))
    if deployment is None or deployment["FleetId"] != fleet["FleetId"]:
        raise NotFoundException(
            f"Fleet {fleet['FleetId']} has no deployment {params.get('DeploymentId', '')}".rstrip() + "."
        )
    result: dict[str, Any] = {"FleetDeployment": deployment}
    if len(deployment["_Locations"]) > 1:
        result["LocationalDeployments"] = {
            name: {"DeploymentStatus": _status_in(deployment, name)} for name in deployment["_Locations"]
        }
    return result


@timer(DEPLOY)
def deploy_version(ctx: Context, doc: Doc) -> None:
    """Deploy a new version of a definition to a fleet that uses the version it was made from, if the fleet is at work.

    Inferred: a version with which the fleet's settings no longer fit is not deployed, and an event says why.
    """
    fleet = FLEETS(ctx).get(doc["FleetId"])
    if fleet is None or not is_working(fleet):
        return
    settings = deployed_of(fleet)
    for name in BINARIES.values():
        if settings.get(name) == doc["Source"]:
            settings[name] = doc["Arn"]
    if settings == deployed_of(fleet):
        return
    try:
        settings = calculated(ctx, fleet["InstanceType"], settings)
    except InvalidRequestException as error:
        add_event(ctx, fleet["FleetId"], "GENERIC_EVENT", f"{doc['Arn']} was not deployed: {error.message}")
        return
    set_deployed(fleet, settings)
    start(ctx, fleet, {})


def _status_in(deployment: Doc, location: str) -> str:
    status = str(deployment["DeploymentStatus"])
    return "COMPLETE" if status == "IN_PROGRESS" and location in deployment["_Done"] else status


def _binaries(prefix: str, settings: Doc) -> Doc:
    return {f"{prefix}{name}BinaryArn": settings[arn] for name, arn in BINARIES.items() if arn in settings}


def _make_room(ctx: Context, fleet: Doc) -> None:
    documents = DEPLOYMENTS(ctx)
    if documents.count("FleetId", fleet["FleetId"]) > KEPT_MAX:
        documents.delete(documents.find("FleetId", fleet["FleetId"], 1)[0].id)
