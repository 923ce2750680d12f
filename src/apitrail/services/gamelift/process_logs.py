"""Logs that fleet events of server processes point at: what a process that a host has run has printed, and the files it named.

If the process had a game session, it is the session's log; else one of its own is written when the process has exited, kept for
14 days. An event has the URL in DescribeFleetEvents as soon as there is something to fetch. Source: service model
(Event.PreSignedLogUrl); GameLift Developer Guide. Inferred: the newest 20 of a fleet are kept.
"""

import asyncio
from collections.abc import Sequence

from apitrail.services.buckets import ensure_service_bucket
from apitrail.services.context import Context
from apitrail.services.gamelift.collections import GAME_SESSIONS, PROCESS_LOGS
from apitrail.services.gamelift.hosted import HOSTED_PROCESSES
from apitrail.services.gamelift.session_logs import (
    DROP_LOG,
    LOG_KEPT_S,
    log_bucket,
    log_key,
    log_urls,
    log_zip,
    written_by,
)
from apitrail.services.operation import Deed, effect, timer
from apitrail.services.runtime import Runtime
from apitrail.store.resources import Doc

WRITE = "gamelift/write-process-log"
OVER = "gamelift/process-log-over"
LOGS_MAX = 20
"""Logs of processes without a session that are kept per fleet; older ones make room, as a process may crash for days."""

LOG_NAME = "process.log"
LINK = "_Log"
"""The member of a fleet event that names its log; a game session's member of this name says whether it has one."""


def log_of(ctx: Context, process: Doc) -> str:
    """Return the key of the log that an event of a process is to point at, and have it written if it is not a session's.

    Empty for a process that no host runs.
    """
    kept = HOSTED_PROCESSES.at(ctx.tx).get(process["ProcessId"])
    if kept is None:
        return ""
    session = process.get("GameSession") or kept.get("Session")
    if session:
        return str(session)
    key = f"{process['FleetId']}/process/{process['ProcessId']}"
    HOSTED_PROCESSES.at(ctx.tx).put(
        process["ProcessId"], kept | {"Log": key, "LogPaths": list(process.get("LogPaths", ()))}
    )
    return key


def write_process_log(ctx: Context, process_id: str, kept: Doc, how: str) -> None:
    """Have the log of a process written that has exited. kept: its hosted process. how: it has ended."""
    ensure_service_bucket(ctx, log_bucket(ctx.region))
    names = ("FleetId", "InstanceId", "LogPaths")
    ctx.effect(WRITE, {"Key": kept["Log"], "ProcessId": process_id, "How": how, **{name: kept[name] for name in names}})


def with_urls(ctx: Context, fleet_id: str, events: Sequence[Doc]) -> list[Doc]:
    """Return fleet events, each with a URL that downloads its log for 15 minutes, if it has one."""
    keys = {event[LINK] for event in events if LINK in event}
    there = sorted(key for key in keys if _is_there(ctx, key))
    urls = log_urls(ctx, there, f"{fleet_id}/*") if there else {}
    return [event | {"PreSignedLogUrl": urls[event[LINK]]} if event.get(LINK) in urls else event for event in events]


@effect(WRITE)
async def write(runtime: Runtime, deed: Deed) -> None:
    """Put the log of a process into the bucket, unless it has written nothing, then note that it is there."""
    files = await asyncio.to_thread(written_by, runtime, deed.doc)
    if not files:
        return
    now = runtime.clock.now()
    lines = [f"server process {deed.doc['ProcessId']} has ended: {deed.doc['How']}"]
    body = log_zip(lines, now, files, LOG_NAME)
    key: str = deed.doc["Key"]
    await runtime.bucket(log_bucket(deed.region)).put(log_key(deed.account, key), body, content_type="application/zip")
    await runtime.write(deed.account, deed.region, lambda ctx: _note(ctx, deed.doc["FleetId"], key))


@timer(OVER)
def log_over(ctx: Context, doc: Doc) -> None:
    """Have a log removed whose time is over."""
    _drop(ctx, doc["Key"])


def _is_there(ctx: Context, key: str) -> bool:
    session = GAME_SESSIONS(ctx).get(key)
    return bool(session.get("_Log")) if session is not None else PROCESS_LOGS(ctx).has(key)


def _note(ctx: Context, fleet_id: str, key: str) -> None:
    logs = PROCESS_LOGS(ctx)
    if logs.has(key):
        return
    for entry in logs.find("FleetId", fleet_id, newest_first=True)[LOGS_MAX - 1 :]:
        _drop(ctx, entry.id)
    logs.put(key, {"FleetId": fleet_id})
    ctx.schedule(OVER, {"Key": key}, LOG_KEPT_S)


def _drop(ctx: Context, key: str) -> None:
    if PROCESS_LOGS(ctx).delete(key):
        ctx.effect(DROP_LOG, {"Key": key})
