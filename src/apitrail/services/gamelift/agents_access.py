"""Whether an agent watches a compute's processes. What agents say and hear is in agents.py."""

from apitrail.services.context import Context
from apitrail.services.gamelift.collections import AGENTS
from apitrail.services.gamelift.process_facts import host_id_of
from apitrail.store.resources import Doc


def agent_of(ctx: Context, process: Doc) -> Doc | None:
    """Return the agent of a process's compute, connected or away, or None."""
    return AGENTS(ctx).get(host_id_of(process["FleetId"], process["ComputeName"]))


def is_attended(ctx: Context, process: Doc) -> bool:
    """Return whether the agent of a process's compute is connected, so that it reports exits and can end the process."""
    agent = agent_of(ctx, process)
    return agent is not None and bool(agent["Connected"])
