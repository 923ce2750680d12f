"""A small AWS client: HTTP with Signature Version 4, JSON for CloudTrail, query for IAM and STS, the server's own pages."""

import http.client
import json
import os
import ssl
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urlencode, urlsplit

from apitrail import __version__
from apitrail.cli import query_wire
from apitrail.cli.discovery import START_HINT, Target
from apitrail.cli.errors import REFUSED, REMOTE, CliError, usage_error
from apitrail.cli.profiles import masked
from apitrail.clock import Clock
from apitrail.identity.credentials import Credential
from apitrail.identity.principal import Principal
from apitrail.identity.signer import sign_headers

TIMEOUT_S = 30.0
ANSWER_BYTES_MAX = 64 * 1024 * 1024
LINE_BYTES_MAX = 8 * 1024 * 1024
PAGES_MAX = 10_000
IAM_REGION = "us-east-1"
CLOUDTRAIL_TARGET = "com.amazonaws.cloudtrail.v20131101.CloudTrail_20131101"
USER_AGENT = f"apitrail-cli/{__version__} lang/python#{sys.version_info[0]}.{sys.version_info[1]}"
SKEW_S = 300
REFUSALS = {
    "SignatureDoesNotMatch": "signature-mismatch",
    "InvalidSignatureException": "signature-mismatch",
    "UnrecognizedClientException": "unknown-key",
    "InvalidClientTokenId": "unknown-key",
    "InvalidAccessKeyId": "unknown-key",
    "ExpiredToken": "expired-token",
    "ExpiredTokenException": "expired-token",
    "RequestExpired": "clock-skew",
    "RequestTimeTooSkewed": "clock-skew",
    "MissingAuthenticationToken": "not-signed-in",
    "MissingAuthenticationTokenException": "not-signed-in",
    "IncompleteSignature": "signature-mismatch",
    "IncompleteSignatureException": "signature-mismatch",
    "AccessDenied": "access-denied",
    "AccessDeniedException": "access-denied",
}


@dataclass(frozen=True, slots=True)
class Answer:
    """One HTTP answer, read whole. date: the server's clock by its Date header, if it sent one."""

    status: int
    body: bytes
    date: datetime | None

    def json(self) -> dict[str, Any]:
        """Return the body as a JSON object. Raises: CliError when it is something else."""
        try:
            content = json.loads(self.body or b"{}")
        except ValueError:
            content = None
        if not isinstance(content, dict):
            raise CliError("the answer is not a JSON object", code="bad-answer", exit_code=REMOTE)
        return content


class ServiceFailure(CliError):
    """The server answered with an API error. api_code: the error's name on the wire."""

    def __init__(self, api_code: str, message: str, *, code: str, exit_code: int, hint: str = "") -> None:
        super().__init__(message, code=code, exit_code=exit_code, hint=hint)
        self.api_code = api_code


def parse_endpoint(endpoint: str) -> tuple[str, str, int]:
    """Return scheme, host and port of an address. Raises: CliError (usage)."""
    try:
        split = urlsplit(endpoint)
        port = split.port or {"https": 443, "http": 80}.get(split.scheme, 0)
    except ValueError:
        split, port = urlsplit(""), 0
    if split.scheme not in ("http", "https") or not split.hostname or split.path not in ("", "/"):
        raise usage_error(f"not a server address: {endpoint!r}", hint="use a form like http://127.0.0.1:4580")
    return split.scheme, split.hostname, port


def connect(endpoint: str, timeout_s: float) -> http.client.HTTPConnection:
    """Return a connection, not opened yet; AWS_CA_BUNDLE names further certificates to trust."""
    scheme, host, port = parse_endpoint(endpoint)
    if scheme == "http":
        return http.client.HTTPConnection(host, port, timeout=timeout_s)
    context = ssl.create_default_context(cafile=os.environ.get("AWS_CA_BUNDLE"))
    return http.client.HTTPSConnection(host, port, timeout=timeout_s, context=context)


class Client:
    """Asks one server with one key. region: of the target; IAM is always asked in us-east-1, as SDKs do."""

    def __init__(self, target: Target, clock: Clock, timeout_s: float = TIMEOUT_S) -> None:
        self.target = target
        self._clock = clock
        self._timeout_s = timeout_s
        keys = target.keys
        self._credential = Credential(
            keys.access_key, keys.secret_key, Principal("AWSAccount", "", "", "", keys.access_key), keys.token
        )

    def call(self, operation: str, params: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Return the answer of a CloudTrail operation. Raises: ServiceFailure, CliError."""
        headers = {"content-type": "application/x-amz-json-1.1", "x-amz-target": f"{CLOUDTRAIL_TARGET}.{operation}"}
        answer = self._send("POST", "/", headers, json.dumps(params or {}).encode(), "cloudtrail")
        if answer.status >= 300:
            raise self.failure(answer)
        return answer.json()

    def query(self, service: str, operation: str, params: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Return the answer of an IAM or STS operation, leaves as text. Raises: ServiceFailure, CliError."""
        headers = {"content-type": "application/x-www-form-urlencoded; charset=utf-8"}
        answer = self._send("POST", "/", headers, query_wire.encode(service, operation, params or {}), service)
        if answer.status >= 300:
            raise self.failure(answer)
        try:
            return query_wire.decode(answer.body)
        except ValueError as error:
            raise CliError(str(error), code="bad-answer", exit_code=REMOTE, where=self.target.endpoint) from error

    def query_all(self, operation: str, member: str, params: Mapping[str, Any] | None = None) -> list[Any]:
        """Return the items of all pages of an IAM list operation. member: the list's name."""
        items: list[Any] = []
        marker: dict[str, str] = {}
        for _ in range(PAGES_MAX):
            page = self.query("iam", operation, {**(params or {}), **marker})
            items += query_wire.listed(page.get(member))
            if page.get("IsTruncated") != "true":
                break
            marker = {"Marker": page["Marker"]}
        return items

    def own(self, name: str) -> dict[str, Any]:
        """Return the JSON of a signed page of the server itself, `status`. Raises: CliError."""
        answer = self._send("GET", f"/_apitrail/{name}", {}, b"", "cloudtrail")
        if answer.status >= 300:
            raise self.failure(answer)
        return answer.json()

    def stream(self, query: Mapping[str, str], silence_s: Callable[[], float]) -> Iterator[bytes]:
        """Yield the lines of the event stream until the server ends it: b"" when it begins and for a heartbeat.

        silence_s: how long to wait for the next line, asked before each. Raises: TimeoutError after it, other
        OSErrors when the connection breaks; ServiceFailure, CliError.
        """
        path = f"/_apitrail/events?{urlencode(query)}"
        with self._request("GET", path, {}, b"", "cloudtrail", self._timeout_s) as connection:
            socket = connection.sock
            response = connection.getresponse()
            if response.status >= 300:
                raise self.failure(_read(response))
            yield b""
            while True:
                socket.settimeout(silence_s())
                line = response.readline(LINE_BYTES_MAX)
                if not line:
                    return
                yield line.rstrip(b"\r\n")

    def failure(self, answer: Answer) -> ServiceFailure:
        """Return an answer that is an error as the end of the command."""
        api_code, message = _error_of(answer)
        code = REFUSALS.get(api_code, "")
        exit_code = REFUSED if code else REMOTE
        text = message or f"the server answered with status {answer.status}"
        if code:
            text = f"{text} (key {masked(self.target.keys.access_key)}, from {self.target.keys.origin})"
        return ServiceFailure(
            api_code, text, code=code or kebab_case(api_code), exit_code=exit_code, hint=self._hint(code, answer)
        )

    def _hint(self, code: str, answer: Answer) -> str:
        if code in ("signature-mismatch", "clock-skew") and answer.date is not None:
            behind = (answer.date - self._clock.now()).total_seconds()
            if abs(behind) > SKEW_S:
                word = "behind" if behind > 0 else "ahead of"
                return f"this machine's clock is {abs(behind) / 60:.0f} min {word} the server's; set it"
        return {
            "unknown-key": 'use the keys of this server: eval "$(apitrail env)"',
            "access-denied": "ask with a key whose policy allows this, or see: apitrail identity session show",
        }.get(code, "")

    def _send(self, method: str, path: str, headers: dict[str, str], body: bytes, service: str) -> Answer:
        with self._request(method, path, headers, body, service, self._timeout_s) as connection:
            try:
                return _read(connection.getresponse())
            except (OSError, http.client.HTTPException) as error:
                raise unreachable(self.target.endpoint, error) from error

    def _request(
        self, method: str, path: str, headers: dict[str, str], body: bytes, service: str, timeout_s: float
    ) -> "Opened":
        region = IAM_REGION if service == "iam" else self.target.region
        url = self.target.endpoint + path
        signed = sign_headers(method, url, headers, body, self._credential, region, service, self._clock.now())
        connection = connect(self.target.endpoint, timeout_s)
        try:
            connection.request(method, path, body or None, {**signed, "user-agent": USER_AGENT})
        except (OSError, http.client.HTTPException) as error:
            connection.close()
            raise unreachable(self.target.endpoint, error) from error
        return Opened(connection)


class Opened:
    """A connection with a request sent, closed at the end of the block."""

    def __init__(self, connection: http.client.HTTPConnection) -> None:
        self._connection = connection

    def __enter__(self) -> http.client.HTTPConnection:
        return self._connection

    def __exit__(self, *_: object) -> None:
        self._connection.close()


def fetch_open(endpoint: str, name: str, timeout_s: float) -> Answer:
    """Return an unsigned page of the server, `health`, `ready` or `info`. Raises: CliError when unreachable."""
    with Opened(connect(endpoint, timeout_s)) as connection:
        try:
            connection.request("GET", f"/_apitrail/{name}", headers={"user-agent": USER_AGENT})
            return _read(connection.getresponse())
        except (OSError, http.client.HTTPException) as error:
            raise unreachable(endpoint, error) from error


def unreachable(endpoint: str, error: Exception) -> CliError:
    """Return the error of a server that does not answer."""
    reason = "timed out" if isinstance(error, TimeoutError) else getattr(error, "strerror", "") or str(error)
    return CliError(
        f"no answer from {endpoint}: {reason or type(error).__name__}",
        code="unreachable",
        exit_code=REMOTE,
        where=endpoint,
        hint=f"check the address; {START_HINT}",
    )


def kebab_case(api_code: str) -> str:
    """Return an API error's name as a stable word: TrailNotFoundException is `trail-not-found`."""
    name = api_code.removesuffix("Exception")
    text = "".join(f"-{letter.lower()}" if letter.isupper() else letter for letter in name).strip("-")
    return text or "failure"


def _read(response: http.client.HTTPResponse) -> Answer:
    body = response.read(ANSWER_BYTES_MAX + 1)
    if len(body) > ANSWER_BYTES_MAX:
        raise CliError("the answer is larger than 64 MiB", code="bad-answer", exit_code=REMOTE)
    return Answer(response.status, body, _date(response.getheader("date")))


def _date(text: str | None) -> datetime | None:
    try:
        return parsedate_to_datetime(text) if text else None
    except ValueError:
        return None


def _error_of(answer: Answer) -> tuple[str, str]:
    """Return code and message of an error, in whichever of the three forms it came; empty when in none."""
    if answer.body.lstrip()[:1] == b"<":
        try:
            return query_wire.decode_error(answer.body)
        except ValueError:
            return "", ""
    try:
        content = json.loads(answer.body)
    except ValueError:
        return "", ""
    if not isinstance(content, dict):
        return "", ""
    own = content.get("error")
    if isinstance(own, dict):
        return str(own.get("code", "")), str(own.get("message", ""))
    code = str(content.get("__type", "")).rpartition("#")[2]
    return code, str(content.get("message") or content.get("Message") or "")
