"""A new host: what ran on the one before has ended with it, and everything that shall run is ordered anew.

So it is after a restart of the server, after the host was killed, and when `gamelift.run_processes` was switched on or off
between two runs: then the instances of hosted fleets go on with virtual processes.
"""

from apitrail.services.context import Context
from apitrail.services.gamelift import pool, sessions
from apitrail.services.gamelift.collections import FLEETS, HOSTS, INSTANCES, PROCESSES
from apitrail.services.gamelift.hosted import HOSTED_FLEETS, HOSTED_PROCESSES, INSTANCE_STEP, is_hosted, place_of
from apitrail.services.gamelift.hosted_builds import PREPARE, go_on, waits_for_build
from apitrail.services.gamelift.hosted_folders import fleet_gone, set_up
from apitrail.services.gamelift.hosted_processes import process_is_gone
from apitrail.services.gamelift.process_facts import host_id_of
from apitrail.store.resources import Doc

ENDED_TEXT = "its host has ended"


def begin_anew(ctx: Context) -> None:
    """Let everything that is hosted in this account and region begin again."""
    for entry in HOSTED_FLEETS.at(ctx.tx).all():
        if place_of(entry.doc) != (ctx.account, ctx.region):
            continue
        fleet = FLEETS(ctx).get(entry.id)
        if fleet is None:
            fleet_gone(ctx, entry.id)
        else:
            _renew(ctx, fleet)


def _renew(ctx: Context, fleet: Doc) -> None:
    for entry in HOSTS(ctx).find("FleetId", fleet["FleetId"]):
        HOSTS(ctx).put(entry.id, entry.doc | {"SetUp": False})
    for kept in HOSTED_PROCESSES.at(ctx.tx).find("FleetId", fleet["FleetId"]):
        process_is_gone(ctx, kept.id, ENDED_TEXT)
    for found in INSTANCES(ctx).find("FleetId", fleet["FleetId"]):
        _renew_instance(ctx, fleet, found.doc)
    if is_hosted(ctx, fleet) and waits_for_build(ctx, fleet, fleet):
        ctx.effect(PREPARE, {"FleetId": fleet["FleetId"]})
    go_on(ctx, fleet["FleetId"])


def _renew_instance(ctx: Context, fleet: Doc, instance: Doc) -> None:
    """End what is left on an instance, virtual processes as well, and start it again."""
    host_id = host_id_of(fleet["FleetId"], instance["InstanceId"])
    hosted = is_hosted(ctx, fleet)
    for entry in PROCESSES(ctx).find("HostId", host_id):
        if hosted or not entry.doc["Virtual"]:
            sessions.end_process(ctx, entry.id, crashed=True)
    host = HOSTS(ctx).get(host_id)
    if host is None:
        return
    if hosted:
        set_up(ctx, host)
    elif instance["Status"] == "PENDING":
        HOSTS(ctx).delete(host_id)
        ctx.schedule(INSTANCE_STEP, {"InstanceId": instance["InstanceId"], "Status": "PENDING"}, 0)
    else:
        pool.top_up(ctx, fleet, host)
