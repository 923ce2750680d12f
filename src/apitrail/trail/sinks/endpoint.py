"""Signed calls of an AWS-compatible service that speaks awsJson1.1. Blocking: to be used on a thread.

Source: Smithy, AWS JSON 1.1 protocol; Signature Version 4.
"""

import http.client
import ssl
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import orjson

from apitrail.clock import Clock
from apitrail.errors import SettingsError, SinkError
from apitrail.identity.credentials import Credential
from apitrail.identity.principal import Principal
from apitrail.identity.signer import sign_headers
from apitrail.settings import Events, Kms, Logs

CONTENT_TYPE = "application/x-amz-json-1.1"
ANSWER_BYTES_MAX = 4 * 1024 * 1024
CODE_LENGTH_MAX = 100
TEMPORARY_STATUS = 500
TEMPORARY = frozenset(
    ("ThrottlingException", "Throttling", "TooManyRequestsException", "RequestTimeout", "LimitExceeded")
)


class Endpoint:
    """One service at one URL. service: its signing name. target: what stands before the operation in X-Amz-Target."""

    def __init__(
        self, url: str, credential: Credential, service: str, target: str, clock: Clock, timeout_s: float
    ) -> None:
        self._url = f"{url.rstrip('/')}/"
        self._split = urlsplit(self._url)
        self._credential = credential
        self._service = service
        self._target = target
        self._clock = clock
        self._timeout_s = timeout_s

    def call(self, region: str, operation: str, params: dict[str, Any]) -> dict[str, Any]:
        """Call an operation and return its answer. Redirects are not followed. Raises: SinkError."""
        body = orjson.dumps(params)
        headers = {"content-type": CONTENT_TYPE, "x-amz-target": f"{self._target}.{operation}"}
        now = self._clock.now()
        signed = sign_headers("POST", self._url, headers, body, self._credential, region, self._service, now)
        try:
            status, error_type, text = self._send(body, signed)
        except (OSError, http.client.HTTPException) as error:
            raise SinkError(f"{operation}: no answer: {error!r}", code="", temporary=True) from error
        answer = _decoded(text)
        if status != http.client.OK:
            raise _refusal(operation, status, error_type or str(answer.get("__type", "")), answer)
        return answer

    def _send(self, body: bytes, headers: dict[str, str]) -> tuple[int, str, bytes]:
        connection = self._connect()
        try:
            connection.request("POST", self._split.path, body, headers)
            response = connection.getresponse()
            return response.status, response.getheader("x-amzn-errortype", ""), response.read(ANSWER_BYTES_MAX)
        finally:
            connection.close()

    def _connect(self) -> http.client.HTTPConnection:
        host, port = self._split.hostname or "", self._split.port
        if self._split.scheme == "http":
            return http.client.HTTPConnection(host, port, timeout=self._timeout_s)
        context = ssl.create_default_context()
        return http.client.HTTPSConnection(host, port, timeout=self._timeout_s, context=context)


def open_endpoint(section: Logs | Events | Kms, name: str, service: str, target: str, clock: Clock) -> Endpoint | None:
    """Return the endpoint of a section of the settings, by its name, or None when none is configured. Raises: SettingsError."""
    if not section.endpoint:
        return None
    try:
        secret = Path(section.secret_key_file).read_text().strip() if section.secret_key_file else ""
    except OSError as error:
        raise SettingsError(str(error), where=f"{name}.secret_key_file") from error
    principal = Principal("AWSService", "", "", "cloudtrail.amazonaws.com")
    credential = Credential(section.access_key, secret, principal)
    return Endpoint(section.endpoint, credential, service, target, clock, section.timeout_s)


def _decoded(text: bytes) -> dict[str, Any]:
    try:
        answer = orjson.loads(text) if text else {}
    except orjson.JSONDecodeError:
        return {}
    return answer if isinstance(answer, dict) else {}


def _refusal(operation: str, status: int, error_type: str, answer: dict[str, Any]) -> SinkError:
    code = error_type.rpartition("#")[2].partition(":")[0][:CODE_LENGTH_MAX] or f"Http{status}"
    said = str(answer.get("message") or answer.get("Message") or "")[: CODE_LENGTH_MAX * 2]
    temporary = status >= TEMPORARY_STATUS or code in TEMPORARY
    return SinkError(f"{operation}: {code} (HTTP {status}) {said}".rstrip(), code=code, temporary=temporary)
