"""Real processes of hosted fleets: started when their time has come, killed when they are gone from the pool, and ended when the
host says that they are.

What a process says of itself comes through the server SDK and is in process_life.py. Source: GameLift Developer Guide.
"""

from collections.abc import Sequence

from apitrail.host.messages import PATH_PROBLEM, Exited, Kill, Start
from apitrail.services.context import Context
from apitrail.services.gamelift import pool, process_messages, sessions
from apitrail.services.gamelift.collections import FLEETS, GAME_SESSIONS, HOSTS, PROCESSES
from apitrail.services.gamelift.compute_tokens import issue_token
from apitrail.services.gamelift.fleet_events import add_event
from apitrail.services.gamelift.hosted import (
    HOSTED_PROCESSES,
    LAUNCH,
    here,
    is_hosted,
    is_kept,
    place_of,
    running_on,
    step_again,
)
from apitrail.services.gamelift.process_facts import CONNECTED, ENDING, LAUNCHED, READY, WAITING
from apitrail.services.gamelift.process_life import CONNECT, await_from, process_exited
from apitrail.services.gamelift.process_logs import write_process_log
from apitrail.services.gamelift.process_messages import GONE_ANNOUNCED
from apitrail.services.gamelift.sdk_endpoint import sdk_endpoint
from apitrail.services.gamelift.session_logs import write_log_of
from apitrail.services.operation import Deed, effect, observer, timer
from apitrail.services.runtime import Runtime
from apitrail.store.database import Tx
from apitrail.store.resources import Doc

START = "gamelift/start-process"
FULL_RETRY_S = 10.0
"""How long a process waits for others to end when as many as allowed run on this machine."""


@timer(LAUNCH)
def launch(ctx: Context, doc: Doc) -> None:
    """Have a process started whose time has come, if there is room for one more on this machine."""
    process = PROCESSES(ctx).get(doc["ProcessId"])
    if process is None or process["State"] != LAUNCHED or is_kept(ctx, doc["ProcessId"]):
        return
    if HOSTED_PROCESSES.at(ctx.tx).count() >= ctx.settings.hosting.processes_max:
        text = f"No more than {ctx.settings.hosting.processes_max} server processes are started on this machine"
        add_event(ctx, process["FleetId"], "GENERIC_EVENT", text, merge=True)
        ctx.schedule(LAUNCH, doc, FULL_RETRY_S)
        return
    facts = {"FleetId": process["FleetId"], "InstanceId": process["ComputeName"]}
    HOSTED_PROCESSES.at(ctx.tx).put(doc["ProcessId"], here(ctx, **facts))
    process["StartedAt"] = ctx.now
    await_from(ctx, process, CONNECT)
    PROCESSES(ctx).put(doc["ProcessId"], process)
    ctx.effect(START, doc)


@effect(START)
async def order_process(runtime: Runtime, deed: Deed) -> None:
    """Give the order for a process, with a token that is made now, as only its hash is ever kept."""

    def make(ctx: Context) -> tuple[Start | None, int]:
        return _start_order(ctx, deed.doc["ProcessId"]), runtime.host_orders.epoch

    order, epoch = await runtime.write(deed.account, deed.region, make)
    if order is not None:
        runtime.host_orders.give(order, epoch)


@observer(GONE_ANNOUNCED)
async def kill(runtime: Runtime, deed: Deed) -> None:
    """Have a process killed that is gone from the pool; the host knows whether it is one of its own and still there."""
    runtime.host_orders.give(Kill(deed.doc["ProcessId"]))


def exited(ctx: Context, report: Exited) -> None:
    """Note that a process has exited, or could not be started."""
    process_is_gone(ctx, report.process, report.text, path_missing=report.problem == PATH_PROBLEM)


def process_is_gone(ctx: Context, process_id: str, how: str, *, path_missing: bool = False) -> None:
    """Note that the host has a process no more: whatever it owed is over, and its log is complete. Repeating it does nothing."""
    process_exited(ctx, process_id, path_missing=path_missing, how=how)
    kept = HOSTED_PROCESSES.at(ctx.tx).get(process_id)
    if kept is None:
        return
    HOSTED_PROCESSES.at(ctx.tx).delete(process_id)
    if "Session" in kept:
        write_log_of(ctx, process_id, kept)
    elif "Log" in kept:
        write_process_log(ctx, process_id, kept, how)
    if not running_on(ctx, kept["InstanceId"]):
        step_again(ctx, kept["InstanceId"])


def drain(ctx: Context, process: Doc, reason: str) -> None:
    """Let a process whose host stops end by itself, and kill it when it has not after its time.

    The process is on no host any more. One that was never ready hears nothing, so it is killed. reason: the StatusReason of
    its session, empty for none.
    """
    if process["State"] in (LAUNCHED, CONNECTED):
        pool.let_go(ctx, None, process)
        return
    process["Draining"] = True
    PROCESSES(ctx).put(process["ProcessId"], process)
    session = GAME_SESSIONS(ctx).get(process.get("GameSession", ""))
    if session is not None and reason:
        session["_EndReason"] = reason
        sessions.put_session(ctx, session)
    grace_s = ctx.settings.hosting.terminate_grace_s
    process_messages.terminate_process(ctx, process, grace_s)
    doc = {"ProcessId": process["ProcessId"], "Killed": True, "Reason": reason}
    ctx.schedule(sessions.PROCESS_ENDED, doc, grace_s)


def take_leave(ctx: Context) -> list[str]:
    """Tell the hosted processes of this account and region to end, because the server stops; return those that were told.

    None is given a session or replaced any more. One that was never ready hears nothing; the host ends it.
    """
    told = []
    for entry in HOSTED_PROCESSES.at(ctx.tx).all():
        process = PROCESSES(ctx).get(entry.id) if place_of(entry.doc) == (ctx.account, ctx.region) else None
        if process is None or process.get("Draining"):
            continue
        process["Draining"] = True
        PROCESSES(ctx).put(entry.id, process)
        if process["State"] == READY:
            pool.move(ctx, process, WAITING)
        if process["State"] not in (LAUNCHED, CONNECTED, ENDING):
            grace_s = min(ctx.settings.hosting.stop_grace_s, ctx.settings.hosting.terminate_grace_s)
            process_messages.terminate_process(ctx, process, grace_s)
            told.append(entry.id)
    return told


def still_there(tx: Tx, process_ids: Sequence[str]) -> list[str]:
    """Return which of some hosted processes are not known to be gone."""
    return [process_id for process_id in process_ids if HOSTED_PROCESSES.at(tx).has(process_id)]


def _start_order(ctx: Context, process_id: str) -> Start | None:
    """Return the order for a process, or None for one that is not wanted any more."""
    process = PROCESSES(ctx).get(process_id)
    fleet = None if process is None else FLEETS(ctx).get(process["FleetId"])
    if process is None or fleet is None or not is_hosted(ctx, fleet) or not HOSTS(ctx).has(process["HostId"]):
        return None
    fleet_id, name = process["FleetId"], process["ComputeName"]
    token, _ = issue_token(ctx, fleet_id, name)
    environment = {
        "GAMELIFT_SDK_WEBSOCKET_URL": sdk_endpoint(ctx.settings),
        "GAMELIFT_SDK_AUTH_TOKEN": token,
        "GAMELIFT_SDK_PROCESS_ID": process_id,
        "GAMELIFT_SDK_HOST_ID": name,
        "GAMELIFT_SDK_FLEET_ID": fleet_id,
    }
    place, launched = f"{ctx.account}/{ctx.region}", (process["Path"], process["Parameters"])
    return Start(place, fleet_id, name, process_id, *launched, environment, _ports(fleet))


def _ports(fleet: Doc) -> list[tuple[int, int]]:
    """Return the ports that a fleet lets in, or those that virtual processes use when it names none."""
    allowed = [(rule["FromPort"], rule["ToPort"]) for rule in fleet.get("_InboundPermissions", ())]
    return allowed or [(pool.PORT_FIRST, pool.PORT_MAX)]
