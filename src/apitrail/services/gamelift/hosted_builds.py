"""The creation of a hosted fleet: its build is fetched, unpacked and installed by the host, and its launch paths are looked for.

The fleet waits in DOWNLOADING until the host has said how that went. Its document has meanwhile `_Preparing`, then `_Prepared`,
and `_Problem` (event code and text) when it cannot be used. Source: GameLift Developer Guide.
"""

from typing import NamedTuple

from apitrail.host.messages import Installing, Prepare, Prepared
from apitrail.services.context import Context
from apitrail.services.gamelift.collections import BUILDS, FLEETS
from apitrail.services.gamelift.fleet_events import add_event
from apitrail.services.gamelift.fleet_steps import LOCATION_STEP
from apitrail.services.gamelift.fleets_access import ENDED, locations_of, put_fleet
from apitrail.services.gamelift.hosted import HOSTED_FLEETS, here, host_root, is_hosted
from apitrail.services.gamelift.pool import runtime_of
from apitrail.services.host_orders import Fetch
from apitrail.services.operation import Deed, effect, timer
from apitrail.services.runtime import Runtime
from apitrail.store.resources import Doc

PREPARE = "gamelift/prepare-build"
PREPARE_OVER = "gamelift/prepare-build-over"
ARCHIVE = "build.zip"
EXTRACTING = "FLEET_CREATION_EXTRACTING_BUILD"
BUILD_GONE = ("FLEET_BINARY_DOWNLOAD_FAILED", "its build was deleted before it could be fetched")
TIMED_OUT = ("FLEET_VALIDATION_TIMED_OUT", "The build was not unpacked and installed in time")

AT_LAUNCH_PATHS = ("FLEET_VALIDATION_LAUNCH_PATH_NOT_FOUND", "FLEET_VALIDATION_EXECUTABLE_RUNTIME_FAILURE")
"""Problems that show when the launch paths are checked; all others show before."""

PREPARE_S = 900.0
"""How long fetching and unpacking may take, besides the time for the install script."""


class Source(NamedTuple):
    """Where a build lies, and what of it shall be run."""

    bucket: str
    key: str
    version: str | None
    launch_paths: list[str]


def is_prepared_here(ctx: Context, fleet: Doc) -> bool:
    """Return whether a fleet's build is unpacked by the host: not for a script, which cannot be run here."""
    return is_hosted(ctx, fleet) and "BuildId" in fleet


def prepare_build(ctx: Context, fleet: Doc, _: Doc) -> None:
    """Have the host make a fleet's build, unless it does or has done so."""
    if not is_prepared_here(ctx, fleet) or "_Preparing" in fleet:
        return
    fleet["_Preparing"] = True
    put_fleet(ctx, fleet)
    HOSTED_FLEETS.at(ctx.tx).put(fleet["FleetId"], here(ctx, FleetId=fleet["FleetId"]))
    ctx.effect(PREPARE, {"FleetId": fleet["FleetId"]})
    ctx.schedule(PREPARE_OVER, {"FleetId": fleet["FleetId"]}, PREPARE_S + ctx.settings.hosting.install_timeout_s)


def waits_for_build(ctx: Context, fleet: Doc, _: Doc) -> bool:
    """Return whether the host has not said yet whether a fleet's build can be used."""
    return is_prepared_here(ctx, fleet) and "_Prepared" not in fleet


def build_problem(ctx: Context, fleet: Doc, *, at_launch_paths: bool) -> tuple[str, str] | None:
    """Return the event that says why a hosted fleet's build cannot be used, or None."""
    problem = fleet.get("_Problem")
    if problem is None or not is_hosted(ctx, fleet) or (problem[0] in AT_LAUNCH_PATHS) != at_launch_paths:
        return None
    return problem[0], problem[1]


def installing(ctx: Context, report: Installing) -> None:
    """Note that the host runs a build's install script."""
    fleet = FLEETS(ctx).get(report.fleet)
    if fleet is None or "_Prepared" in fleet or fleet["Status"] in ENDED:
        return
    fleet["_Told"] = [EXTRACTING]
    put_fleet(ctx, fleet)
    text = "The build of fleet {fleet} was downloaded and is being extracted"
    add_event(ctx, report.fleet, EXTRACTING, text.format(fleet=report.fleet))
    add_event(ctx, report.fleet, "FLEET_CREATION_RUNNING_INSTALLER", f"The install script of {report.fleet} is running")


def prepared(ctx: Context, report: Prepared) -> None:
    """Note what has become of a build; the fleet's locations go on."""
    fleet = FLEETS(ctx).get(report.fleet)
    if fleet is None or "_Prepared" in fleet or fleet["Status"] in ENDED:
        return
    if report.installed:
        text = f"The install script of fleet {report.fleet} has ended"
        add_event(ctx, report.fleet, "FLEET_CREATION_COMPLETED_INSTALLER", text)
    _settle(ctx, fleet, [report.code, report.text] if report.code else None)


@timer(PREPARE_OVER)
def preparing_took_too_long(ctx: Context, doc: Doc) -> None:
    """Let the creation of a fleet fail when nothing was heard of its build in time."""
    fleet = FLEETS(ctx).get(doc["FleetId"])
    if fleet is not None and waits_for_build(ctx, fleet, fleet):
        _settle(ctx, fleet, list(TIMED_OUT))


@effect(PREPARE)
async def order_build(runtime: Runtime, deed: Deed) -> None:
    """Give the order for a build."""
    fleet_id, epoch = deed.doc["FleetId"], runtime.host_orders.epoch
    source = await runtime.write(deed.account, deed.region, lambda ctx: _source(ctx, fleet_id))
    if source is None:
        return
    root = host_root(runtime.data_dir, runtime.settings.hosting.folder)
    archive = str(root / fleet_id / ARCHIVE)
    order = Prepare(f"{deed.account}/{deed.region}", fleet_id, archive, source.launch_paths)
    runtime.host_orders.give(Fetch(order, source.bucket, source.key, source.version), epoch)


def go_on(ctx: Context, fleet_id: str) -> None:
    """Let the locations of a fleet that wait for its build look again."""
    for location in locations_of(ctx, fleet_id):
        if location["Status"] == "DOWNLOADING":
            step = {"FleetId": fleet_id, "Location": location["Location"], "Status": "DOWNLOADING"}
            ctx.schedule(LOCATION_STEP, {**step, "At": location["_entered"]}, 0)


def _settle(ctx: Context, fleet: Doc, problem: list[str] | None) -> None:
    fleet["_Prepared"] = True
    if problem is not None:
        fleet["_Problem"] = problem
    put_fleet(ctx, fleet)
    go_on(ctx, fleet["FleetId"])


def _source(ctx: Context, fleet_id: str) -> Source | None:
    """Return where a fleet's build is, or None when it is not wanted any more or gone, which is noted."""
    fleet = FLEETS(ctx).get(fleet_id)
    if fleet is None or fleet["Status"] in ENDED or not waits_for_build(ctx, fleet, fleet):
        return None
    build = BUILDS(ctx).get(fleet["BuildId"])
    if build is None:
        _settle(ctx, fleet, list(BUILD_GONE))
        return None
    where = build["_Storage"]
    paths = [launch["LaunchPath"] for launch in runtime_of(fleet).get("ServerProcesses", ())]
    return Source(where["Bucket"], where["Key"], where.get("ObjectVersion"), paths)
