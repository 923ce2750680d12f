"""Folders of hosted instances: made by the host before their processes are started, removed when they are gone.

Source: GameLift Developer Guide. Inferred: an instance that there is no room for on this machine stays PENDING.
"""

from apitrail.host.messages import RemoveFleet, RemoveInstance, SetUp, WasSetUp
from apitrail.services.context import Context
from apitrail.services.gamelift import pool
from apitrail.services.gamelift.collections import FLEETS, HOSTS, INSTANCES
from apitrail.services.gamelift.fleet_events import add_event
from apitrail.services.gamelift.hosted import HOSTED_FLEETS, HOSTED_INSTANCES, INSTANCE_STEP, here, is_hosted
from apitrail.services.gamelift.process_facts import host_id_of
from apitrail.services.operation import Deed, effect, timer
from apitrail.services.runtime import Runtime
from apitrail.store.resources import Doc

SET_UP = "gamelift/set-up-instance"
SET_UP_AGAIN = "gamelift/set-up-instance-again"
REMOVE_INSTANCE = "gamelift/remove-instance"
REMOVE_FLEET = "gamelift/remove-fleet"

FULL_RETRY_S = 10.0
"""How long an instance waits for others to go when as many as allowed are on this machine."""

SET_UP_RETRY_S = 60.0


def begin_instance(ctx: Context, fleet: Doc, instance: Doc) -> None:
    """Add a PENDING instance to the pool and have its folder made, if there is room for one more on this machine."""
    if HOSTED_INSTANCES.at(ctx.tx).count() >= ctx.settings.hosting.instances_max:
        text = f"No more than {ctx.settings.hosting.instances_max} instances are started on this machine"
        add_event(ctx, fleet["FleetId"], "GENERIC_EVENT", text, merge=True)
        ctx.schedule(INSTANCE_STEP, {"InstanceId": instance["InstanceId"], "Status": "PENDING"}, FULL_RETRY_S)
        return
    names = [instance[name] for name in ("Location", "InstanceId", "IpAddress", "DnsName")]
    host = pool.add_host(ctx, fleet, *names)
    host["Starting"] = True
    set_up(ctx, host)


def set_up(ctx: Context, host: Doc) -> None:
    """Have the folder of an instance made; until it is there, nothing is started. The host is stored."""
    host["SetUp"] = False
    pool.put_host(ctx, host)
    facts = {"FleetId": host["FleetId"], "InstanceId": host["ComputeName"]}
    HOSTED_INSTANCES.at(ctx.tx).put(host["ComputeName"], here(ctx, **facts))
    ctx.effect(SET_UP, facts)


def was_set_up(ctx: Context, report: WasSetUp) -> None:
    """Start the processes of an instance whose folder is there, or try again later when it could not be made."""
    host, fleet = HOSTS(ctx).get(host_id_of(report.fleet, report.instance)), FLEETS(ctx).get(report.fleet)
    if host is None or fleet is None or not is_hosted(ctx, fleet):
        return
    if report.problem:
        add_event(ctx, report.fleet, "GENERIC_EVENT", report.problem, merge=True)
        ctx.schedule(SET_UP_AGAIN, {"FleetId": report.fleet, "InstanceId": report.instance}, SET_UP_RETRY_S)
        return
    host["SetUp"] = True
    pool.put_host(ctx, host)
    pool.top_up(ctx, fleet, host)


def instance_gone(ctx: Context, instance: Doc) -> None:
    """Have the folder of an instance removed that is gone."""
    if HOSTED_INSTANCES.at(ctx.tx).delete(instance["InstanceId"]):
        ctx.effect(REMOVE_INSTANCE, {"FleetId": instance["FleetId"], "InstanceId": instance["InstanceId"]})


def fleet_gone(ctx: Context, fleet_id: str) -> None:
    """Have the folders of a fleet removed that is terminated."""
    if HOSTED_FLEETS.at(ctx.tx).delete(fleet_id):
        ctx.effect(REMOVE_FLEET, {"FleetId": fleet_id})


@timer(SET_UP_AGAIN)
def try_again(ctx: Context, doc: Doc) -> None:
    """Have the folder of an instance made that could not be made before."""
    host, instance = (
        HOSTS(ctx).get(host_id_of(doc["FleetId"], doc["InstanceId"])),
        INSTANCES(ctx).get(doc["InstanceId"]),
    )
    if host is not None and instance is not None and host.get("SetUp") is False:
        set_up(ctx, host)


@effect(SET_UP)
async def order_folder(runtime: Runtime, deed: Deed) -> None:
    """Give the order for an instance's folder."""
    order = SetUp(f"{deed.account}/{deed.region}", deed.doc["FleetId"], deed.doc["InstanceId"])
    runtime.host_orders.give(order)


@effect(REMOVE_INSTANCE)
async def order_removal(runtime: Runtime, deed: Deed) -> None:
    """Give the order to remove an instance's folder; a host that begins later removes it by itself."""
    runtime.host_orders.give(RemoveInstance(deed.doc["FleetId"], deed.doc["InstanceId"]))


@effect(REMOVE_FLEET)
async def order_end(runtime: Runtime, deed: Deed) -> None:
    """Give the order to remove a fleet's folders; a host that begins later removes them by itself."""
    runtime.host_orders.give(RemoveFleet(deed.doc["FleetId"]))
