"""Metrics of one server, in Prometheus' text form. Never a principal, an address or a resource name as a label."""

from functools import cache

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

SECONDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)


class Metrics:
    """The figures of one server; each server has a registry of its own, so several fit into one process.

    requests_of, recorded_of: the counter of some labels, found fast, for what counts every call.
    """

    def __init__(self) -> None:
        here = self.registry = CollectorRegistry()
        call = ("service", "operation", "outcome")
        self.requests = Counter("apitrail_requests", "Calls by their outcome.", call, registry=here)
        self.requests_of = cache(self.requests.labels)
        self.seconds = Histogram("apitrail_request_seconds", "From request to answer.", buckets=SECONDS, registry=here)
        self.recorded = Counter("apitrail_events_recorded", "Events in the journal.", ("category",), registry=here)
        self.recorded_of = cache(self.recorded.labels)
        self.dropped = Counter("apitrail_events_dropped", "Answered without a record.", ("reason",), registry=here)
        self.auth_failures = Counter("apitrail_auth_failures", "Callers not let in.", ("reason",), registry=here)
        self.game_servers = Gauge("apitrail_game_servers_connected", "Connections of the server SDK.", registry=here)
        self.journal_bytes = Gauge("apitrail_journal_bytes", "Size of the journal file.", registry=here)
        self.journal_oldest = Gauge(
            "apitrail_journal_oldest_seconds", "Age of the oldest event that is not sealed.", registry=here
        )
        self.lag = Gauge(
            "apitrail_delivery_lag_seconds", "Age of the oldest event delivered.", ("trail",), registry=here
        )
        self.failures = Counter("apitrail_delivery_failures", "Failed puts.", ("trail", "reason"), registry=here)

    def text(self) -> bytes:
        """Return all figures in Prometheus' text form."""
        return generate_latest(self.registry)
