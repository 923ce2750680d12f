"""What tests of hosted fleets begin with: a stage whose host and game servers are played by the test, order by order."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from apitrail.host.messages import Exited, Prepared, WasSetUp
from apitrail.host.messages import SetUp as SetUpOrder
from apitrail.services.gamelift import process_life
from apitrail.services.gamelift.collections import PROCESSES
from apitrail.services.gamelift.hosted_builds import prepared
from apitrail.services.gamelift.hosted_folders import was_set_up
from apitrail.services.gamelift.hosted_processes import exited
from apitrail.services.host_orders import Fetch, HostOrder
from apitrail.settings import GameLift, Hosting, Settings
from apitrail.testing import Stage

PLACE = "111122223333/us-west-2"
ROUNDS = 20


def real_processes(path: Path, **hosting: Any) -> Settings:
    """Return settings under which managed fleets have real processes."""
    return Settings(data=str(path), gamelift=GameLift(run_processes=True), hosting=Hosting(**hosting))


def answer(stage: Stage, order: HostOrder, problem: str = "") -> None:
    """Do as a host what an order about folders says, or say what is wrong."""
    if isinstance(order, Fetch):
        said = Prepared(PLACE, order.order.fleet, problem, "it is out of luck" if problem else "")
        stage.change(lambda ctx: prepared(ctx, said))
    elif isinstance(order, SetUpOrder):
        made = WasSetUp(PLACE, order.fleet, order.instance, problem)
        stage.change(lambda ctx: was_set_up(ctx, made))


def be_host(stage: Stage, seconds: float = 1.0, problem: str = "") -> list[HostOrder]:
    """Let time pass, carry out what is ordered of folders, and return all orders that came."""
    if not stage.app.host_orders.epoch:
        stage.app.host_orders.begin()
    stage.advance(seconds)
    orders = stage.app.host_orders.take()
    for order in orders:
        answer(stage, order, problem)
    return orders


def processes_in(stage: Stage, fleet_id: str, *states: str) -> list[str]:
    """Return the ids of a fleet's processes in these states, oldest first."""
    docs = stage.read(lambda ctx: [entry.doc for entry in PROCESSES(ctx).all()])
    return [doc["ProcessId"] for doc in docs if doc["FleetId"] == fleet_id and doc["State"] in states]


def process_doc(stage: Stage, process_id: str) -> dict[str, Any]:
    found = stage.read(lambda ctx: PROCESSES(ctx).get(process_id))
    assert found is not None
    return found


def connect(stage: Stage, process_id: str) -> None:
    """Say as a game server InitSDK."""
    doc = process_doc(stage, process_id)
    stage.change(lambda ctx: process_life.process_connected(ctx, doc["FleetId"], doc["ComputeName"], process_id))


def get_ready(stage: Stage, process_id: str, log_paths: Sequence[str] = ()) -> None:
    """Say as a game server InitSDK and ProcessReady, with a first heartbeat."""
    connect(stage, process_id)
    stage.change(lambda ctx: process_life.process_activated(ctx, process_id, 9000, log_paths))
    stage.change(lambda ctx: process_life.process_reported(ctx, process_id, healthy=True))


def exit_as(stage: Stage, process_id: str, text: str = "exit code 1", problem: str = "") -> None:
    """Say as a host that a process has exited."""
    stage.change(lambda ctx: exited(ctx, Exited(PLACE, process_id, text, problem)))


def launched(stage: Stage, fleet_id: str) -> str:
    """Wait for the first process of a fleet, and return its id."""
    for _ in range(ROUNDS):
        be_host(stage)
        if found := processes_in(stage, fleet_id, "LAUNCHED"):
            return found[0]
    raise AssertionError("no process was launched")


def make_active(stage: Stage, fleet_id: str) -> None:
    """Take a new hosted fleet to ACTIVE; the process that did it has ended then, and others are to be started."""
    process_id = launched(stage, fleet_id)
    get_ready(stage, process_id)
    stage.change(lambda ctx: process_life.process_ending(ctx, process_id))
    exit_as(stage, process_id)
