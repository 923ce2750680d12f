"""A service on loopback that checks signatures and keeps what it is sent, as CloudWatch Logs and EventBridge do."""

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import orjson

from apitrail.clock import Clock
from apitrail.identity.credentials import Credential
from apitrail.identity.principal import Principal
from apitrail.identity.refusals import AuthenticationError
from apitrail.identity.sigv4 import authenticate
from apitrail.wire.http import HttpRequest
from apitrail.wire.scope import find_scope

KEY, SECRET = "AKIAEXAMPLESINK00001", "a-secret-of-a-sink"


class Keys:
    """The one key that the service knows."""

    def find(self, access_key: str) -> Credential | None:
        known = Credential(
            KEY, SECRET, Principal("Root", "111122223333", "arn:aws:iam::111122223333:root", "111122223333")
        )
        return known if access_key == KEY else None


class Receiver:
    """Answers the calls of both services.

    calls: (region, operation, parameters). logs: messages by (region, group, stream). groups: the log groups that exist.
    fail_next: (status, code) of answers to come; lose_next: how many calls happen whose answer is lost.
    refused_entries: error codes for the entries of the next PutEvents.
    """

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.calls: list[tuple[str, str, dict[str, Any]]] = []
        self.entries: list[tuple[str, dict[str, Any]]] = []
        self.logs: dict[tuple[str, str, str], list[dict[str, Any]]] = {}
        self.groups = {"audit"}
        self.fail_next: list[tuple[int, str]] = []
        self.lose_next = 0
        self.refused_entries: list[str] = []
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def operations(self) -> list[str]:
        return [operation for _, operation, _ in self.calls]

    def messages(self) -> list[str]:
        """Return the ids of the events in all streams."""
        return [orjson.loads(entry["message"])["eventID"] for events in self.logs.values() for entry in events]

    def arrive(self, request: HttpRequest) -> tuple[int, dict[str, Any]]:
        """Check the signature, then do what is asked."""
        try:
            caller = authenticate(request, find_scope(request), Keys(), self.clock.now())
        except AuthenticationError:
            return 400, {"__type": "UnrecognizedClientException", "message": "The security token is invalid."}
        operation = (request.header("x-amz-target") or "").rpartition(".")[2]
        return self.answer(caller.region, operation, orjson.loads(request.body))

    def answer(self, region: str, operation: str, params: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        """Do what is asked; return status and body."""
        self.calls.append((region, operation, params))
        if self.fail_next:
            status, code = self.fail_next.pop(0)
            return status, {"__type": f"com.amazonaws#{code}", "message": "as told"}
        return {"PutEvents": self._put_events, "PutLogEvents": self._put_log_events, "CreateLogStream": self._create}[
            operation
        ](region, params)

    def _put_events(self, region: str, params: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        results: list[dict[str, Any]] = []
        for entry in params["Entries"]:
            code = self.refused_entries.pop(0) if self.refused_entries else ""
            results.append({"ErrorCode": code} if code else {"EventId": "1"})
            if not code:
                self.entries.append((region, entry))
        return 200, {"FailedEntryCount": sum("ErrorCode" in result for result in results), "Entries": results}

    def _put_log_events(self, region: str, params: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        stream = self.logs.get((region, params["logGroupName"], params["logStreamName"]))
        if stream is None:
            return 400, {"__type": "ResourceNotFoundException", "message": "The specified log stream does not exist."}
        times = [event["timestamp"] for event in params["logEvents"]]
        if times != sorted(times):
            return 400, {"__type": "InvalidParameterException", "message": "Log events must be in order."}
        stream += params["logEvents"]
        return 200, {}

    def _create(self, region: str, params: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        if params["logGroupName"] not in self.groups:
            return 400, {"__type": "ResourceNotFoundException", "message": "The specified log group does not exist."}
        self.logs.setdefault((region, params["logGroupName"], params["logStreamName"]), [])
        return 200, {}

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                headers = tuple((name.lower().encode(), value.encode()) for name, value in self.headers.items())
                request = HttpRequest("POST", self.path.encode(), b"", headers, body)
                status, answer = receiver.arrive(request)
                if receiver.lose_next:
                    receiver.lose_next -= 1
                    self.connection.close()
                    return
                text = orjson.dumps(answer)
                self.send_response(status)
                self.send_header("content-length", str(len(text)))
                self.end_headers()
                self.wfile.write(text)

            def log_message(self, *_: Any) -> None:
                """Say nothing."""

        return Handler
