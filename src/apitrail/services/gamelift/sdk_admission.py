"""Letting a server process in: what a connection of the server SDK does to the state, and its renewal.

Source: server SDK 5.
"""

from datetime import datetime, timedelta

from apitrail.arn import parse_arn
from apitrail.services.context import Context
from apitrail.services.gamelift import process_messages
from apitrail.services.gamelift.arns import SERVICE
from apitrail.services.gamelift.collections import FLEETS, PROCESSES
from apitrail.services.gamelift.compute_tokens import issue_token
from apitrail.services.gamelift.errors import InvalidFleetStatusException, NotFoundException
from apitrail.services.gamelift.fleet_events import add_event
from apitrail.services.gamelift.fleets_access import is_anywhere
from apitrail.services.gamelift.process_delivery import take_parked
from apitrail.services.gamelift.process_life import is_connected, process_connected, start_anew
from apitrail.services.gamelift.sdk_actions import Caller
from apitrail.services.gamelift.sdk_endpoint import sdk_endpoint
from apitrail.services.operation import timer
from apitrail.store.database import Tx
from apitrail.store.resources import Doc

REFRESH = "gamelift/refresh-connection"
REFRESH_BEFORE = timedelta(minutes=15)
REFRESH_AFTER_S_MIN = 10.0
"""How soon after connecting a process is told to connect again, however short its token still lives."""


def fleet_id_of(account: str, region: str, text: str) -> str:
    """Return the fleet id that a process names by id or ARN; empty for an ARN of another account or region."""
    if not text.startswith("arn:"):
        return text
    arn = parse_arn(text)
    if arn is None or arn.service != SERVICE or arn.region != region or arn.account not in ("", account):
        return ""
    return arn.resource.partition("/")[2]


def compute_name_of(text: str) -> str:
    """Return the compute's name from a name or an ARN."""
    return text.rpartition(":compute/")[2]


def admit(ctx: Context, caller: Caller, token_ends_at: datetime | None) -> list[str]:
    """Note a new connection of a process and return the messages that were kept for it.

    token_ends_at: None for a process that signs. Raises: NotFoundException (fleet, compute); InvalidFleetStatusException;
    ConflictException (process of another compute); InvalidRequestException (too many processes).
    """
    fleet = FLEETS(ctx).get(caller.fleet_id)
    if fleet is None:
        raise NotFoundException(f"Fleet {caller.fleet_id} was not found in {ctx.region}.")
    allowed = ("ACTIVE",) if is_anywhere(fleet) else ("ACTIVATING", "ACTIVE")
    if fleet["Status"] not in allowed:
        raise InvalidFleetStatusException(
            f"Fleet {caller.fleet_id} is in status {fleet['Status']}; it must be {' or '.join(allowed)}."
        )
    process = process_connected(ctx, *caller)
    if token_ends_at is not None:
        doc = {"ProcessId": caller.process_id, "Connections": process["Connections"]}
        after_s = (token_ends_at - REFRESH_BEFORE - ctx.now).total_seconds()
        ctx.schedule(REFRESH, doc, max(REFRESH_AFTER_S_MIN, after_s))
    return take_parked(ctx, caller.process_id)


def note_refusal(ctx: Context, caller: Caller, reason: str) -> None:
    """Add an event to a fleet's log that says why a process, whose token or signature is right, was not let in."""
    text = f"{reason} (processId({caller.process_id}), computeName({caller.compute_name}))"
    add_event(ctx, caller.fleet_id, "SERVER_PROCESS_SDK_INITIALIZATION_FAILED", text, merge=True)


def real_processes(tx: Tx) -> list[tuple[str, str, str]]:
    """Return account, region and id of every process that is expected or connected."""
    found = PROCESSES.everywhere(tx)
    return [(account, region, entry.id) for account, region, entry in found if "Awaits" in entry.doc]


def all_start_anew(ctx: Context, process_ids: list[str]) -> None:
    """Let processes come back after the server was away, with full time for what they owe."""
    for process_id in process_ids:
        start_anew(ctx, process_id)


@timer(REFRESH)
def refresh(ctx: Context, doc: Doc) -> None:
    """Give a process a new token before its own ends, if it is still on the same connection."""
    process = PROCESSES(ctx).get(doc["ProcessId"])
    if process is None or process["Connections"] != doc["Connections"] or not is_connected(process):
        return
    token, _ = issue_token(ctx, process["FleetId"], process["ComputeName"])
    process_messages.refresh_connection(ctx, process, sdk_endpoint(ctx.settings), token)
