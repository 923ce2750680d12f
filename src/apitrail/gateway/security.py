"""What happens before a caller is known: a metric and a line of the security log, never an event of an account."""

import logging
from logging.handlers import RotatingFileHandler
from pathlib import Path

import orjson

from apitrail.clock import Clock
from apitrail.errors import ServiceError
from apitrail.telemetry import Metrics
from apitrail.wire.http import HttpRequest
from apitrail.wire.route import Route
from apitrail.wire.scope import Scope

FILE_BYTES_MAX = 10 * 1024 * 1024
FILES = 5
TEXT_MAX = 256


class SecurityLog:
    """JSON lines in DATA/security.log, bounded in size; keys are shortened, no header or body is kept."""

    def __init__(self, path: Path, clock: Clock, metrics: Metrics) -> None:
        self._clock = clock
        self._metrics = metrics
        self._log = logging.Logger("apitrail.security")
        self._file = RotatingFileHandler(path, maxBytes=FILE_BYTES_MAX, backupCount=FILES, delay=True)
        self._log.addHandler(self._file)

    def refused(self, request: HttpRequest, route: Route, scope: Scope | None, error: ServiceError) -> None:
        """Note a request whose caller could not be established."""
        reason = getattr(error, "reason", "malformed")
        self._metrics.auth_failures.labels(reason).inc()
        line = {
            "time": self._clock.now().isoformat(timespec="milliseconds"),
            "reason": reason,
            "errorCode": error.error_code,
            "sourceIPAddress": request.peer,
            "userAgent": (request.header("user-agent") or "")[:TEXT_MAX],
            "service": route.service or "",
            "operation": (route.operation.name if route.operation else route.unknown)[:TEXT_MAX],
            "accessKeyId": shortened(scope.access_key) if scope else "",
            "userIdentity": {"type": "Unknown"},
        }
        self._log.warning(orjson.dumps(line).decode())

    def refused_process(self, peer: str, reason: str, message: str, fleet: str, compute: str, process_id: str) -> None:
        """Note a game server that was not let in, with the exact reason; its token or signature is not known here."""
        self._metrics.auth_failures.labels(reason).inc()
        line = {
            "time": self._clock.now().isoformat(timespec="milliseconds"),
            "reason": reason,
            "message": message[:TEXT_MAX],
            "sourceIPAddress": peer,
            "service": "gamelift",
            "fleet": fleet[:TEXT_MAX],
            "compute": compute[:TEXT_MAX],
            "process": process_id[:TEXT_MAX],
        }
        self._log.warning(orjson.dumps(line).decode())

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def shortened(access_key: str) -> str:
    """Return the first and last four characters of a key id, enough to recognise it."""
    return f"{access_key[:4]}...{access_key[-4:]}" if len(access_key) > 8 else "..."
