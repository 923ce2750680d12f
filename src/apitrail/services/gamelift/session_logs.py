"""Logs of game sessions: a zip per ended session in a bucket of the service, kept for 14 days.

It tells what the session went through; of a process that a host has run it also has what that has printed, and the files
that it has named as its logs. Source: API Reference, GetGameSessionLogUrl; GameLift Developer Guide.
"""

import asyncio
import io
import zipfile
from collections.abc import Sequence
from datetime import datetime

from apitrail.arn import make_arn
from apitrail.host.builds import instance_folder
from apitrail.host.logs import LogFile, collect
from apitrail.identity.credentials import Credential
from apitrail.identity.signer import presign_url
from apitrail.services.buckets import ensure_service_bucket
from apitrail.services.context import Context
from apitrail.services.gamelift.collections import GAME_SESSIONS, PLAYER_SESSIONS, PROCESSES
from apitrail.services.gamelift.hosted import HOSTED_PROCESSES, host_root
from apitrail.services.gamelift.session_facts import player_listing
from apitrail.services.gamelift.storage import service_session
from apitrail.services.operation import Deed, effect, timer
from apitrail.services.runtime import Runtime
from apitrail.services.sessions import issue_session
from apitrail.store.database import Tx
from apitrail.store.resources import Doc

WRITE_LOG = "gamelift/write-session-log"
DROP_LOG = "gamelift/drop-session-log"
LOG_OVER = "gamelift/session-log-over"

URL_S = 900
LOG_KEPT_S = 14 * 86_400.0
PLAYERS_MAX = 5000
"""Player sessions that a log tells of; the first ones."""

LOG_NAME = "session.log"


def log_bucket(region: str) -> str:
    """Return the bucket of a region's logs."""
    return f"gamelift-logs-{region}"


def log_key(account: str, key: str) -> str:
    """Return the object key of a session's log. key: the id under which the session is kept."""
    return f"{account}/{key}.zip"


def end_log(ctx: Context, key: str, process_id: str) -> None:
    """Have the log of a session that has just ended written, and removed when its time is over.

    A process that a host runs goes on writing until it has exited, so its session's log waits for that.
    """
    ensure_service_bucket(ctx, log_bucket(ctx.region))
    kept, process = HOSTED_PROCESSES.at(ctx.tx).get(process_id), PROCESSES(ctx).get(process_id)
    if kept is None:
        ctx.effect(WRITE_LOG, {"Key": key})
    else:
        paths = [] if process is None else process.get("LogPaths", [])
        HOSTED_PROCESSES.at(ctx.tx).put(process_id, kept | {"Session": key, "LogPaths": paths})
    ctx.schedule(LOG_OVER, {"Key": key}, LOG_KEPT_S)


def write_log_of(ctx: Context, process_id: str, kept: Doc) -> None:
    """Have the log of a session written whose process was run by a host and has exited. kept: its hosted process."""
    names = ("FleetId", "InstanceId", "LogPaths")
    ctx.effect(WRITE_LOG, {"Key": kept["Session"], "ProcessId": process_id, **{name: kept[name] for name in names}})


def log_url(ctx: Context, key: str) -> str:
    """Return a URL that downloads a session's log for 15 minutes, at the address that the caller has used.

    It is signed by credentials of the service that reach this one object.
    """
    return log_urls(ctx, [key], f"{key}.zip")[key]


def log_urls(ctx: Context, keys: Sequence[str], reach: str) -> dict[str, str]:
    """Return URLs of logs by their keys, as log_url does. reach: what their one credential reaches of the account's logs."""
    bucket = log_bucket(ctx.region)
    resource = make_arn("s3", "", "", f"{bucket}/{ctx.account}/{reach}")
    statement = {"Effect": "Allow", "Action": "s3:GetObject", "Resource": resource}
    policy = {"Version": "2012-10-17", "Statement": [statement]}
    reader = service_session(ctx, "session-log", policy)
    issued = issue_session(ctx, reader, URL_S)
    key_pair = Credential(issued["AccessKeyId"], issued["SecretAccessKey"], reader, issued["SessionToken"])
    call, server = ctx.call, ctx.settings.server
    scheme = "https" if call is not None and call.tls is not None else "http"
    host = call.host if call is not None and call.host else f"{server.advertised_host}:{server.port}"
    base = f"{scheme}://{host}/{bucket}"
    return {
        key: presign_url("GET", f"{base}/{log_key(ctx.account, key)}", key_pair, ctx.region, "s3", ctx.now, URL_S)
        for key in keys
    }


def log_lines(session: Doc, joined: list[Doc]) -> list[str]:
    """Return the life of a session, a line each, in the order of time."""
    moments = [
        (session["CreationTime"], f"game session {session['GameSessionId']} was created"),
        *_moment(session, "_ActivatedAt", "game session is ACTIVE"),
    ]
    for player in joined:
        name = player["PlayerSessionId"]
        moments.append((player["CreationTime"], f"player session {name} was reserved"))
        moments += _moment(player, "_AcceptedAt", f"player session {name} was accepted")
        moments += _moment(player, "TerminationTime", f"player session {name} is {player['Status']}")
    reason = f", {session['StatusReason']}" if "StatusReason" in session else ""
    moments += _moment(session, "TerminationTime", f"game session is {session['Status']}{reason}")
    return [f"{at:%Y-%m-%dT%H:%M:%S}.{at.microsecond // 1000:03d}Z {text}" for at, text in sorted(moments, key=_time)]


def log_zip(lines: list[str], at: datetime, files: Sequence[LogFile] = (), name: str = LOG_NAME) -> bytes:
    """Return a zip with a file of the lines, and more files; the same bytes for the same content and time."""
    packed = io.BytesIO()
    own = LogFile(name, "".join(f"{line}\n" for line in lines).encode())
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in (own, *files):
            entry = zipfile.ZipInfo(file.name, at.timetuple()[:6])
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, file.content)
    return packed.getvalue()


@effect(WRITE_LOG)
async def write_log(runtime: Runtime, deed: Deed) -> None:
    """Put the log of an ended session into the bucket, then say in the session that it is there."""
    key = deed.doc["Key"]

    def read(tx: Tx) -> tuple[Doc, list[Doc]] | None:
        session = GAME_SESSIONS.at(tx, deed.account, deed.region).get(key)
        if session is None:
            return None
        found = PLAYER_SESSIONS.at(tx, deed.account, deed.region)
        listed = found.find("listing", player_listing(session["GameSessionId"]), PLAYERS_MAX)
        return session, [entry.doc for entry in listed]

    facts = await runtime.database.read(read)
    if facts is None:
        return
    session, joined = facts
    files = await asyncio.to_thread(written_by, runtime, deed.doc)
    body = log_zip(log_lines(session, joined), session["TerminationTime"], files)
    await runtime.bucket(log_bucket(deed.region)).put(log_key(deed.account, key), body, content_type="application/zip")
    await runtime.write(deed.account, deed.region, lambda ctx: _set_log(ctx, key, there=True))


@timer(LOG_OVER)
def log_over(ctx: Context, doc: Doc) -> None:
    """Have a log removed whose time is over."""
    _set_log(ctx, doc["Key"], there=False)
    ctx.effect(DROP_LOG, doc)


@effect(DROP_LOG)
async def drop_log(runtime: Runtime, deed: Deed) -> None:
    """Remove a log from the bucket."""
    await runtime.bucket(log_bucket(deed.region)).delete(log_key(deed.account, deed.doc["Key"]))


def written_by(runtime: Runtime, doc: Doc) -> list[LogFile]:
    """Return what a process has written, if a host has run it."""
    if "InstanceId" not in doc:
        return []
    hosting = runtime.settings.hosting
    folder = instance_folder(host_root(runtime.data_dir, hosting.folder), doc["FleetId"], doc["InstanceId"])
    return collect(folder, doc["ProcessId"], doc["LogPaths"], hosting.log_bytes_max)


def _set_log(ctx: Context, key: str, *, there: bool) -> None:
    session = GAME_SESSIONS(ctx).get(key)
    if session is not None:
        session["_Log"] = there
        GAME_SESSIONS(ctx).put(key, session)


def _moment(doc: Doc, member: str, text: str) -> list[tuple[datetime, str]]:
    return [(doc[member], text)] if member in doc else []


def _time(moment: tuple[datetime, str]) -> datetime:
    return moment[0]
