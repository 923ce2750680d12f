"""What happens to game sessions: they begin on a process, become active, end, and are forgotten.

The steps are those of states.GAME_SESSION. A long GameSessionData or MatchmakerData is kept beside the document, since the
document is written again whenever a player comes or goes. Source: API Reference, GameSession; GameLift Developer Guide.
"""

from apitrail.services.context import Context
from apitrail.services.gamelift import players, pool, process_messages
from apitrail.services.gamelift.arns import find_game_session_id, game_session_arn
from apitrail.services.gamelift.collections import FLEETS, GAME_SESSION_TEXTS, GAME_SESSIONS, PROCESSES
from apitrail.services.gamelift.errors import InvalidRequestException, NotFoundException
from apitrail.services.gamelift.fleet_events import add_event
from apitrail.services.gamelift.fleets_access import is_anywhere
from apitrail.services.gamelift.moments import SESSION_ACTIVE, SESSION_ENDED
from apitrail.services.gamelift.process_facts import HOSTING, TERMINATING
from apitrail.services.gamelift.process_logs import log_of
from apitrail.services.gamelift.session_logs import end_log
from apitrail.services.gamelift.states import GAME_SESSION, GONE
from apitrail.services.gamelift.texts import put_aside, together
from apitrail.services.operation import timer
from apitrail.store.resources import Doc

STARTED = "gamelift/virtual-process-started-session"
PROCESS_ENDED = "gamelift/process-ended"
ACTIVATION_TIMEOUT = "gamelift/session-activation-timeout"
FORGET = "gamelift/forget-session"

ACTIVATION_TIMEOUT_S = 300.0
"""How long a process may take to activate a session, where the fleet's runtime configuration does not say."""

FORCED = "SERVER_PROCESS_FORCE_TERMINATED"

KEPT_S = 30 * 86_400.0
"""How long game and player sessions are kept after the game session's end."""

LIVE = ("ACTIVATING", "ACTIVE", "TERMINATING")


def session_key(fleet_id: str, tail: str) -> str:
    """Return the id under which a session is kept. tail: the last part of its ARN, unique in its fleet."""
    return f"{fleet_id}/{tail}"


def key_of(session: Doc) -> str:
    """Return the id under which a session is kept."""
    return session_key(session["FleetId"], session["GameSessionId"].rpartition("/")[2])


def put_session(ctx: Context, session: Doc) -> None:
    """Store a session."""
    GAME_SESSIONS(ctx).put(key_of(session), session)


def get_session(ctx: Context, text: str) -> Doc:
    """Return the session of an ARN, with or without account, without the texts kept beside it.

    Raises: InvalidRequestException (not the ARN of a game session); NotFoundException.
    """
    if ":gamesession/" not in text:
        raise InvalidRequestException(f"GameSessionId {text} must be the ARN of a game session.")
    arn = find_game_session_id(ctx, text)
    parts = [] if arn is None else arn.split("/")
    session = GAME_SESSIONS(ctx).get(session_key(parts[1], parts[-1])) if len(parts) in (3, 4) else None
    if session is None or session["GameSessionId"] != arn:
        raise NotFoundException(f"Game session {text} was not found in {ctx.region}.")
    return session


def complete(ctx: Context, session: Doc) -> Doc:
    """Return the session together with the texts that are kept beside it."""
    return together(GAME_SESSION_TEXTS(ctx), key_of(session), session) if session.get("_Aside") else session


def begin(ctx: Context, fleet: Doc, location: str, tail: str, members: Doc, *, at_once: bool = False) -> Doc | None:
    """Begin a session on a free process of a location and return it, ACTIVATING; None when no process is free.

    tail: the last part of its ARN. members: further members of the document. at_once: a virtual process activates it in
    this transaction, after what is returned, instead of in one of its own that is due at once.
    """
    key = session_key(fleet["FleetId"], tail)
    slots = members["MaximumPlayerSessionCount"] if at_once else None
    process = pool.reserve(ctx, fleet["FleetId"], location, key, slots=slots)
    if process is None:
        return None
    session = _new_session(ctx, fleet, location, tail, process) | members
    put_aside(GAME_SESSION_TEXTS(ctx), key, session)
    if process["State"] == HOSTING:
        begun = complete(ctx, session).copy()
        _become_active(ctx, session)
        return begun
    put_session(ctx, session)
    if process["Virtual"]:
        ctx.schedule(STARTED, {"Key": key}, 0)
    else:
        process_messages.create_session(ctx, process, complete(ctx, session))
        timeout = pool.runtime_of(fleet).get("GameSessionActivationTimeoutSeconds", ACTIVATION_TIMEOUT_S)
        ctx.schedule(ACTIVATION_TIMEOUT, {"Key": key}, timeout)
    return complete(ctx, session)


def activate(ctx: Context, session: Doc) -> None:
    """Take a session from ACTIVATING to ACTIVE, as its process says."""
    process = PROCESSES(ctx).get(session["_Process"])
    assert process is not None, f"{session['GameSessionId']} is active on no process"
    pool.move(ctx, process, HOSTING, slots=session["MaximumPlayerSessionCount"])
    _become_active(ctx, session)


def terminate(ctx: Context, session: Doc, reason: str, *, at_once: bool) -> None:
    """Take a session to TERMINATING and tell its process to end; at_once: end the process, which hears nothing of it.

    reason: the StatusReason that the session will end with.
    """
    process = PROCESSES(ctx).get(session["_Process"])
    assert process is not None, f"{session['GameSessionId']} is live on no process"
    if session["Status"] != "TERMINATING":
        leave_active(ctx, session)
        _step(session, "TERMINATING")
        pool.move(ctx, process, TERMINATING)
    session["_EndReason"] = reason
    put_session(ctx, session)
    if not process["Virtual"] and not at_once:
        process_messages.terminate_process(ctx, process, ctx.settings.hosting.terminate_grace_s)
    fleet = FLEETS(ctx).get(session["FleetId"])
    if process["Virtual"] or at_once:
        ctx.schedule(PROCESS_ENDED, {"ProcessId": process["ProcessId"]}, 0)
    elif fleet is not None and not is_anywhere(fleet):
        ctx.schedule(
            PROCESS_ENDED, {"ProcessId": process["ProcessId"], "Killed": True}, ctx.settings.hosting.terminate_grace_s
        )


def end(ctx: Context, session: Doc, status: str = "TERMINATED", reason: str = "") -> None:
    """Take a live session to TERMINATED or ERROR, with its player sessions.

    reason: the StatusReason; empty for a session whose process ended of itself.
    """
    leave_active(ctx, session)
    _step(session, status)
    session["TerminationTime"] = ctx.now
    if reason:
        session["StatusReason"] = reason
    players.end_all(ctx, session)
    put_session(ctx, session)
    end_log(ctx, key_of(session), session["_Process"])
    ctx.schedule(FORGET, {"Key": key_of(session)}, KEPT_S)
    SESSION_ENDED.tell(ctx, session)


def leave_active(ctx: Context, session: Doc) -> None:
    """Take an active session out of its host's figures."""
    if session["Status"] == "ACTIVE":
        connected = session.get("_Connected", 0)
        pool.count_players(ctx, session["_Process"], slots=-session["MaximumPlayerSessionCount"], players=-connected)


def end_process(ctx: Context, process_id: str, *, crashed: bool = False, reason: str = "") -> None:
    """Note that a process is gone: its session ends, and its host starts another one unless it stops.

    crashed: it ended without a word or was killed as unhealthy, so that its session ends in ERROR, unless it was to end
    anyway. reason: the StatusReason of its session. Nothing happens for a process that is gone already.
    """
    process = PROCESSES(ctx).get(process_id)
    if process is None:
        return
    end_session_on(ctx, process, crashed=crashed, reason=reason)
    pool.let_go(ctx, None if process.get("Draining") else FLEETS(ctx).get(process["FleetId"]), process)


def end_session_on(ctx: Context, process: Doc, *, crashed: bool = False, reason: str = "") -> None:
    """End the session of a process, if it has one that is live; see end_process."""
    session = GAME_SESSIONS(ctx).get(process.get("GameSession", ""))
    if session is not None and session["Status"] in LIVE:
        failed = crashed and session["Status"] != "TERMINATING"
        end(ctx, session, "ERROR" if failed else "TERMINATED", reason or session.get("_EndReason", ""))


@timer(STARTED)
def virtual_process_started(ctx: Context, doc: Doc) -> None:
    """Activate the session of a virtual process, unless something else has happened to it."""
    session = GAME_SESSIONS(ctx).get(doc["Key"])
    if session is not None and session["Status"] == "ACTIVATING":
        activate(ctx, session)


@timer(ACTIVATION_TIMEOUT)
def activation_timed_out(ctx: Context, doc: Doc) -> None:
    """End a session whose process has not activated it in time, and the process with it."""
    session = GAME_SESSIONS(ctx).get(doc["Key"])
    if session is None or session["Status"] != "ACTIVATING":
        return
    message = f"Game session {session['GameSessionId']} was not activated in time"
    add_event(ctx, session["FleetId"], "GAME_SESSION_ACTIVATION_TIMEOUT", message)
    end_process(ctx, session["_Process"])


@timer(PROCESS_ENDED)
def process_ended(ctx: Context, doc: Doc) -> None:
    """Note that a process is gone, by itself or killed after its time to end has passed."""
    process = PROCESSES(ctx).get(doc["ProcessId"])
    if process is not None and doc.get("Killed"):
        message = f"Process {doc['ProcessId']} did not end in time and was killed"
        add_event(ctx, process["FleetId"], FORCED, message, merge=True, log=log_of(ctx, process))
    end_process(ctx, doc["ProcessId"], reason=doc.get("Reason", ""))


@timer(FORGET)
def forget(ctx: Context, doc: Doc) -> None:
    """Remove a session and its player sessions when their time is over."""
    session = GAME_SESSIONS(ctx).get(doc["Key"])
    if session is None:
        return
    if players.forget_all(ctx, session):
        GAME_SESSION_TEXTS(ctx).delete(doc["Key"])
        GAME_SESSIONS(ctx).delete(doc["Key"])
        _step(session, GONE)
    else:
        ctx.schedule(FORGET, doc, 0)


def _new_session(ctx: Context, fleet: Doc, location: str, tail: str, process: Doc) -> Doc:
    away = None if location == ctx.region else location
    created = ctx.now.replace(microsecond=ctx.now.microsecond // 1000 * 1000)
    return {
        "GameSessionId": game_session_arn(ctx.region, fleet["FleetId"], away, tail),
        "FleetId": fleet["FleetId"],
        "FleetArn": fleet["FleetArn"],
        "CreationTime": created,
        "CurrentPlayerSessionCount": 0,
        "Status": GAME_SESSION.step(GONE, "ACTIVATING").target,
        "PlayerSessionCreationPolicy": "ACCEPT_ALL",
        "PlayerGatewayStatus": "DISABLED",
        "Location": location,
        **{name: process[name] for name in ("IpAddress", "DnsName", "Port", "ComputeName") if process[name]},
        "_Process": process["ProcessId"],
        "_ProtectionPolicy": fleet.get("NewGameSessionProtectionPolicy", "NoProtection"),
    }


def _become_active(ctx: Context, session: Doc) -> None:
    """Store a session, ACTIVE, whose process is hosting it."""
    _step(session, "ACTIVE")
    session["_ActivatedAt"] = ctx.now
    SESSION_ACTIVE.tell(ctx, session)
    put_session(ctx, session)


def _step(session: Doc, target: str) -> None:
    session["Status"] = GAME_SESSION.step(session["Status"], target).target
