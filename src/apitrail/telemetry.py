"""Metrics of one server, in Prometheus' text form. Never a principal, an address or a resource name as a label."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

SECONDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)


class Metrics:
    """The figures of one server; each server has a registry of its own, so several fit into one process."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        make = {"registry": self.registry}
        self.requests = Counter(
            "apitrail_requests", "Calls by their outcome.", ("service", "operation", "outcome"), registry=self.registry
        )
        self.seconds = Histogram(
            "apitrail_request_seconds", "From request to answer.", buckets=SECONDS, registry=self.registry
        )
        self.recorded = Counter("apitrail_events_recorded", "Events in the journal.", ("category",), **make)
        self.dropped = Counter("apitrail_events_dropped", "Answered calls without a record.", ("reason",), **make)
        self.auth_failures = Counter(
            "apitrail_auth_failures", "Refused before a caller was known.", ("reason",), **make
        )
        self.journal_bytes = Gauge("apitrail_journal_bytes", "Size of the journal file.", **make)
        self.journal_oldest = Gauge("apitrail_journal_oldest_seconds", "Age of the oldest event not delivered.", **make)
        self.lag = Gauge("apitrail_delivery_lag_seconds", "Age of the oldest waiting event.", ("trail",), **make)
        self.failures = Counter("apitrail_delivery_failures", "Failed puts.", ("trail", "reason"), **make)

    def text(self) -> bytes:
        """Return all figures in Prometheus' text form."""
        return generate_latest(self.registry)
