"""What connected agents ask for: each action, in one transaction.

Source: GameLift's Agent, messages of the agent to the service. GetFleetRoleCredentials, which calls another
service, is in gateway/sdk_roles.py. Inferred: errors have the StatusCodes of the server SDK, besides 412.
"""

from collections.abc import Mapping
from typing import Any

from apitrail.services.context import Context
from apitrail.services.gamelift import agent_shapes, agents, sdk_shapes
from apitrail.services.gamelift.errors import InvalidRequestException
from apitrail.services.gamelift.sdk_actions import NOTHING, Action, Caller


def _heartbeat(ctx: Context, caller: Caller, said: agent_shapes.SendHeartbeat) -> Mapping[str, Any]:
    heard = agents.heartbeat(ctx, caller.fleet_id, caller.compute_name, said.Status, said.ProcessList or ())
    lists = {"UnhealthyProcesses": heard.unhealthy, "UnregisteredProcesses": heard.unregistered}
    return {"Status": heard.status, **lists}


def _runtime(ctx: Context, caller: Caller, _: sdk_shapes.Nothing) -> Mapping[str, Any]:
    return agents.runtime_configuration(ctx, caller.fleet_id)


def _terminated(ctx: Context, caller: Caller, said: agent_shapes.NotifyServerProcessTermination) -> Mapping[str, Any]:
    code = said.EventCode or ""
    if code and code not in agents.ENDS:
        raise InvalidRequestException(f"EventCode must be one of {', '.join(agents.ENDS)}, or be left out.")
    place = (caller.fleet_id, caller.compute_name)
    agents.process_terminated(ctx, *place, said.ProcessId, code, said.TerminationReason or "")
    return NOTHING


AGENT_ACTIONS: Mapping[str, Action] = {
    "SendHeartbeat": Action(agent_shapes.SendHeartbeat, _heartbeat),
    "DescribeRuntimeConfiguration": Action(sdk_shapes.Nothing, _runtime),
    "NotifyServerProcessTermination": Action(agent_shapes.NotifyServerProcessTermination, _terminated),
}
"""What is done in a transaction, by the request's Action."""
