"""The metrics that scaling policies follow, of one location of a fleet, counted from what is there.

Source: service model (MetricName); GameLift Developer Guide. Inferred: a share of nothing is 0.
"""

from collections.abc import Callable, Iterable, Mapping

from apitrail.services.context import Context
from apitrail.services.gamelift.collections import GAME_SESSIONS, HOSTS
from apitrail.services.gamelift.process_facts import ACTIVATING, HOSTING, READY, place_of, session_count
from apitrail.services.gamelift.room_waits import depth
from apitrail.services.gamelift.session_facts import listing
from apitrail.store.resources import Doc

Metric = Callable[[Context, str, str], float]
OfHost = Callable[[Doc], int]


def metric_value(ctx: Context, name: str, fleet_id: str, location: str) -> float:
    """Return the value of a metric now. name: a MetricName of the model."""
    return METRICS[name](ctx, fleet_id, location)


def _hosts(ctx: Context, fleet_id: str, location: str) -> list[Doc]:
    return [entry.doc for entry in HOSTS(ctx).find("place", place_of(fleet_id, location))]


def _sum(of_host: OfHost) -> Metric:
    return lambda ctx, fleet_id, location: sum(map(of_host, _hosts(ctx, fleet_id, location)))


def _share(part: OfHost, whole: OfHost) -> Metric:
    """Return the metric that is the percentage of one sum over the hosts in another."""

    def share(ctx: Context, fleet_id: str, location: str) -> float:
        hosts = _hosts(ctx, fleet_id, location)
        total = sum(map(whole, hosts))
        return 100 * sum(map(part, hosts)) / total if total else 0.0

    return share


def _in_state(state: str) -> OfHost:
    return lambda host: int(host["Counts"][state])


def _available_or_active(host: Doc) -> int:
    return int(host["Counts"][READY] + host["Counts"][HOSTING])


def _is_idle(host: Doc) -> int:
    return int(not session_count(host))


def _is_busy(host: Doc) -> int:
    return int(session_count(host) > 0)


def _one(_: Doc) -> int:
    return 1


def _activatable(host: Doc) -> int:
    """Return how many sessions may be activated on a host now: free processes, within its limit of activations."""
    free: int = host["Counts"][READY]
    allowed: int = host["ActivationsMax"] - host["Counts"][ACTIVATING]
    return min(free, max(0, allowed))


def _active_sessions(ctx: Context, fleet_id: str, location: str) -> list[Doc]:
    return [entry.doc for entry in GAME_SESSIONS(ctx).find("listing", listing(fleet_id, location, "ACTIVE"))]


def _free_slots(ctx: Context, fleet_id: str, location: str) -> float:
    sessions = _active_sessions(ctx, fleet_id, location)
    return sum(int(session["MaximumPlayerSessionCount"]) for session in sessions) - _taken_in(sessions)


def _taken_slots(ctx: Context, fleet_id: str, location: str) -> float:
    return _taken_in(_active_sessions(ctx, fleet_id, location))


def _taken_in(sessions: Iterable[Doc]) -> int:
    return sum(int(session["CurrentPlayerSessionCount"]) for session in sessions)


def _queue_depth(ctx: Context, fleet_id: str, location: str) -> float:
    return depth(ctx, fleet_id, location).pending


def _wait_time(ctx: Context, fleet_id: str, location: str) -> float:
    """Return how long the oldest placement has waited. Inferred: seconds."""
    return depth(ctx, fleet_id, location).oldest_s


METRICS: Mapping[str, Metric] = {
    "ActivatingGameSessions": _sum(_in_state(ACTIVATING)),
    "ActiveGameSessions": _sum(_in_state(HOSTING)),
    "ActiveInstances": _sum(_is_busy),
    "AvailableGameSessions": _sum(_in_state(READY)),
    "AvailablePlayerSessions": _free_slots,
    "ConcurrentActivatableGameSessions": _sum(_activatable),
    "CurrentPlayerSessions": _taken_slots,
    "IdleInstances": _sum(_is_idle),
    "PercentAvailableGameSessions": _share(_in_state(READY), _available_or_active),
    "PercentIdleInstances": _share(_is_idle, _one),
    "QueueDepth": _queue_depth,
    "WaitTime": _wait_time,
}
