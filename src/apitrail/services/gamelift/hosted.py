"""Managed fleets with real processes (`gamelift.run_processes`): what is kept of what a host runs, and when to start what.

Three kinds of documents outlive what they are about, until the host has said that it is gone: fleets with folders, instances
with folders, and processes that were ordered. A fleet is hosted when it was created while the setting was on.
Inferred: the pauses between starts.
"""

from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

from apitrail.services.context import Context
from apitrail.services.gamelift.states import delay
from apitrail.store.database import Tx
from apitrail.store.resources import Collection, Doc

HOSTED_FLEETS = Collection("gamelift/hosted-fleet", "global")
HOSTED_INSTANCES = Collection("gamelift/hosted-instance", "global", indexes=["FleetId"])
HOSTED_PROCESSES = Collection("gamelift/hosted-process", "global", indexes=["FleetId", "InstanceId"])

INSTANCE_STEP = "gamelift/instance-step"
LAUNCH = "gamelift/launch-process"
FAILING = "gamelift/host-failing"

STAGGER_S = 0.5
"""How far apart processes of an instance are started; one of AWS's slow steps, so it is scaled."""

PAUSE_S, PAUSE_MAX_S = 1.0, 60.0
"""How long a process that keeps dying is not started again: twice as long each time."""

FAIR_LIFE = timedelta(seconds=60)
"""A process that lived this long, or had a session, has not failed."""

FAILURES_MAX = 4
"""Processes of a new instance that may fail one after another before its fleet's activation does."""

FOLDER = "hosts"


def is_hosted(ctx: Context, fleet: Doc) -> bool:
    """Return whether the processes of a fleet are real ones, started here."""
    return ctx.settings.gamelift.run_processes and bool(fleet.get("_Hosted"))


def is_kept(ctx: Context, process_id: str) -> bool:
    """Return whether a process was ordered from the host and is not known to be gone."""
    return HOSTED_PROCESSES.at(ctx.tx).has(process_id)


def running_on(ctx: Context, instance_id: str) -> int:
    """Return how many processes were ordered for an instance and are not known to be gone."""
    return HOSTED_PROCESSES.at(ctx.tx).count("InstanceId", instance_id)


def host_root(data_dir: Path, folder: str) -> Path:
    """Return where the folders of all hosts are. folder: the setting `hosting.folder`."""
    return Path(folder) if folder else data_dir / FOLDER


def place_of(doc: Doc) -> tuple[str, str]:
    """Return the account and region of one of this module's documents."""
    return doc["Account"], doc["Region"]


def here(ctx: Context, **members: str) -> Doc:
    """Return a document of this module's kinds with its account and region."""
    return {"Account": ctx.account, "Region": ctx.region, **members}


def folders(tx: Tx) -> dict[str, list[str]]:
    """Return the fleets that have folders, each with its instances that have one."""
    kept: dict[str, list[str]] = {entry.id: [] for entry in HOSTED_FLEETS.at(tx).all()}
    for entry in HOSTED_INSTANCES.at(tx).all():
        kept.setdefault(entry.doc["FleetId"], []).append(entry.id)
    return kept


def hosted_places(tx: Tx) -> Sequence[tuple[str, str]]:
    """Return every account and region that has hosted fleets."""
    return sorted({place_of(entry.doc) for entry in HOSTED_FLEETS.at(tx).all()})


def launch_later(ctx: Context, host: Doc, process: Doc, launch: Doc, number: int) -> None:
    """Have a process started that is LAUNCHED already; it is changed, but stored by whoever calls.

    launch: its ServerProcess. number: its place among those that are started together.
    """
    process |= {"Hosted": True, "Path": launch["LaunchPath"], "Parameters": launch.get("Parameters", "")}
    pause = pause_after(host.get("Failures", {}).get(process["Entry"], 0))
    ctx.schedule(LAUNCH, {"ProcessId": process["ProcessId"]}, pause + delay(ctx, STAGGER_S * number))


def pause_after(failures: int) -> float:
    """Return how long to wait before a process is started of which so many have failed one after another."""
    return min(PAUSE_MAX_S, PAUSE_S * 2.0 ** (failures - 1)) if failures else 0.0


def note_end(ctx: Context, host: Doc, process: Doc) -> None:
    """Count a process of a hosted fleet that has ended as failed, or forget the failures before; the host is changed.

    A host that was never ready and only fails is told to whom it concerns.
    """
    if "StartedAt" not in process:
        return
    failures = host.setdefault("Failures", {})
    fair = process.get("Served") or ctx.now - process["StartedAt"] >= FAIR_LIFE
    failures[process["Entry"]] = 0 if fair else failures.get(process["Entry"], 0) + 1
    if host.get("Starting") and sum(failures.values()) >= FAILURES_MAX:
        ctx.schedule(FAILING, {"FleetId": host["FleetId"], "InstanceId": host["ComputeName"]}, 0)


def step_again(ctx: Context, instance_id: str) -> None:
    """Let an instance that is stopped look again whether it can go."""
    ctx.schedule(INSTANCE_STEP, {"InstanceId": instance_id, "Status": "TERMINATING"}, 0)
