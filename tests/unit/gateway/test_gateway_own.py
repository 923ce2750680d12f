"""The server's own endpoints: what anybody may ask, what only those who may look up events, and what only `dev` has."""

import asyncio
import json
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import orjson
import pytest
from prometheus_client.parser import text_string_to_metric_families

from apitrail.errors import JournalUnavailable
from apitrail.gateway import own
from apitrail.identity.credentials import Credential
from apitrail.testing.stage import REGION, root
from apitrail.wire.http import HttpRequest
from door import Door

STRANGER = "444455556666"


def ask(door: Door, name: str, method: str = "GET", body: bytes = b"") -> tuple[int, Any]:
    response = door.send(HttpRequest(method, f"/_apitrail/{name}".encode(), b"", (), body))
    return response.status, orjson.loads(response.body)


def signed_json(door: Door, name: str, query: dict[str, str] | None = None, **how: Any) -> tuple[int, Any]:
    response = door.send(door.own(name, query, **how))
    return response.status, orjson.loads(response.body)


def user_key(door: Door) -> Credential:
    door.ok("iam", "CreateUser", UserName="ana")
    key = door.ok("iam", "CreateAccessKey", UserName="ana")["AccessKey"]
    return Credential(key["AccessKeyId"], key["SecretAccessKey"], root())


class Listener:
    """Reads the stream of events until it is stopped."""

    def __init__(self, door: Door, query: dict[str, str]) -> None:
        self.door = door
        self.request = door.own("events", query)
        self.lines: list[str] = []
        self.status = 0
        self.ended = False

    async def listen(self) -> None:
        async def receive() -> Any:
            return {"type": "http.request", "body": b"", "more_body": False}

        async def send(message: Any) -> None:
            self.status = message.get("status", self.status)
            self.lines += message.get("body", b"").decode().splitlines()
            self.ended = message["type"] == "http.response.body" and not message.get("more_body", False)

        await self.door.server(self.door.scope(self.request), receive, send)

    @property
    def events(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.lines if line]


async def until(wanted: Callable[[], Any]) -> None:
    async with asyncio.timeout(5):
        while not wanted():
            await asyncio.sleep(0.005)


async def heard(door: Door, listener: Listener, meanwhile: Any, wanted: Callable[[], Any]) -> None:
    """Listen until something is heard; meanwhile is awaited once the stream has begun."""
    task = asyncio.create_task(listener.listen())
    await until(lambda: listener.status)
    await meanwhile()
    await until(wanted)
    door.app.quiesce()
    await asyncio.wait_for(task, 5)


def test_health_and_info_tell_versions_and_services(door: Door) -> None:
    status, health = ask(door, "health")
    assert (status, health["status"]) == (200, "ok")
    assert health["services"]["gamelift"] > 50
    status, info = ask(door, "info")
    assert (status, info["mode"], info["capture_mode"], info["auth_mode"]) == (
        200,
        "serve",
        "blocking-strict",
        "strict",
    )


def test_open_endpoints_tell_no_secret_and_no_names(door: Door) -> None:
    door.ok("gamelift", "CreateLocation", LocationName="custom-quiet-place")
    for name in ("health", "ready", "metrics", "info"):
        body = door.send(HttpRequest("GET", f"/_apitrail/{name}".encode(), b"", ())).body.decode()
        for secret in (door.root.secret_key, door.root.access_key, "quiet-place", "111122223333", door.app.key.hex()):
            assert secret not in body


def test_ready_says_what_is_missing(door: Door) -> None:
    assert ask(door, "ready") == (200, {"ready": True, "failing": []})
    door.app.staging_dir.rmdir()
    status, answer = ask(door, "ready")
    assert (status, answer["ready"]) == (503, False)
    assert "staging" in answer["failing"][0]
    journal = door.app.data_dir / "journal.db"
    journal.rename(journal.with_name("elsewhere"))
    _, answer = ask(door, "ready")
    assert any("removed" in line for line in answer["failing"])
    journal.with_name("elsewhere").rename(journal)


def test_metrics_are_prometheus_text(door: Door) -> None:
    door.ok("gamelift", "ListBuilds")
    response = door.send(HttpRequest("GET", b"/_apitrail/metrics", b"", ()))
    assert (b"content-type", b"text/plain; version=0.0.4") in response.headers
    families = {family.name: family for family in text_string_to_metric_families(response.body.decode())}
    calls = {tuple(sorted(s.labels.items())): s.value for s in families["apitrail_requests"].samples}
    assert calls[(("operation", "ListBuilds"), ("outcome", "success"), ("service", "gamelift"))] == 1
    assert families["apitrail_journal_bytes"].samples[0].value > 1000
    assert "apitrail_events_dropped" in families
    assert families["apitrail_request_seconds"].type == "histogram"


def test_status_needs_a_signature_and_the_right_to_look_up_events(door: Door) -> None:
    assert ask(door, "status")[0] == 403
    status, answer = signed_json(door, "status", key=user_key(door))
    assert status in (400, 403)
    assert answer["error"]["code"] == "AccessDeniedException"
    status, answer = signed_json(door, "status")
    assert (status, answer["dropped"], answer["journal"]["problem"]) == (200, 0, "")
    looked_up = [event for event in door.events() if event["eventName"] == "LookupEvents"]
    assert [event.get("errorCode") for event in looked_up] == ["AccessDeniedException", None]


def test_a_wrong_signature_opens_nothing(door: Door) -> None:
    for name in ("status", "events"):
        wrong = replace(door.root, secret_key="wrong")
        assert signed_json(door, name, key=wrong)[0] in (400, 403)


def test_anything_else_is_not_found_in_json(door: Door) -> None:
    for name in ("nothing", "", "status/more", "x" * 500):
        status, answer = ask(door, name)
        assert (status, answer["error"]["code"]) == (404, "not-found")
        assert len(answer["error"]["message"]) < 200


def test_a_journal_that_is_away_is_503(door: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    async def away(*_: Any, **__: Any) -> Any:
        raise JournalUnavailable("the disk is full")

    monkeypatch.setattr(door.app.database, "write", away)
    status, answer = signed_json(door, "status")
    assert (status, answer["error"]) == (503, {"code": "journal-unavailable", "message": "the disk is full"})
    monkeypatch.undo()


def test_the_stream_begins_with_the_newest_events_and_goes_on(door: Door) -> None:
    for number in range(4):
        door.ok("gamelift", "CreateLocation", LocationName=f"custom-{number}")
    listener = Listener(door, {"n": "3"})

    async def one_more() -> None:
        await door.sent(door.request("gamelift", "CreateLocation", {"LocationName": "custom-last"}))

    door.stage.run(heard(door, listener, one_more, lambda: len(listener.events) >= 4))
    names = [(line["event"]["requestParameters"] or {}).get("locationName") for line in listener.events]
    assert names == ["custom-2", "custom-3", None, "custom-last"]  # None: the look-up that opened the stream
    seqs = [line["seq"] for line in listener.events]
    assert seqs == sorted(seqs)
    assert listener.ended


def test_a_stream_can_go_on_from_a_seq(door: Door) -> None:
    for number in range(3):
        door.ok("gamelift", "CreateLocation", LocationName=f"custom-{number}")
    listener = Listener(door, {"since": "1"})

    async def nothing() -> None:
        return None

    door.stage.run(heard(door, listener, nothing, lambda: len(listener.events) >= 3))
    assert [line["seq"] for line in listener.events] == [2, 3, 4]


def test_a_stream_shows_only_the_caller_s_account(door: Door) -> None:
    stranger = door.account(STRANGER)
    listener = Listener(door, {})

    async def both() -> None:
        await door.sent(door.request("gamelift", "ListBuilds", {}, key=stranger))
        await door.sent(door.request("gamelift", "ListScripts", {}))

    door.stage.run(heard(door, listener, both, lambda: listener.events))
    assert [line["event"]["eventName"] for line in listener.events] == ["ListScripts"]


def test_a_quiet_stream_has_heartbeats(door: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(own, "HEARTBEAT_S", 0.01)
    listener = Listener(door, {})

    async def nothing() -> None:
        return None

    door.stage.run(heard(door, listener, nothing, lambda: listener.lines.count("") >= 2))


@pytest.mark.parametrize("query", [{"since": "x"}, {"n": "many"}, {"n": " "}, {"since": "1e3"}])
def test_a_stream_from_nowhere_is_refused(door: Door, query: dict[str, str]) -> None:
    status, answer = signed_json(door, "events", query)
    assert (status, answer["error"]["code"]) == (400, "bad-request")


@pytest.mark.parametrize("query", [{"since": "9" * 40}, {"since": "-5"}, {"n": "-5"}, {"n": "9" * 40}])
def test_a_stream_takes_any_number(door: Door, query: dict[str, str]) -> None:
    listener = Listener(door, query)

    async def nothing() -> None:
        return None

    door.stage.run(heard(door, listener, nothing, lambda: listener.status))
    assert listener.status == 200
    assert listener.ended


SERVICE_CALL = {
    "servicePrincipal": "autoscaling.amazonaws.com",
    "account": "111122223333",
    "region": REGION,
    "service": "gamelift",
    "operation": "CreateLocation",
    "params": {"LocationName": "custom-a"},
}


def test_a_service_call_is_there_in_dev_only(door: Door) -> None:
    assert ask(door, "service-call", "POST", orjson.dumps(SERVICE_CALL))[0] == 404
    assert list(door.events()) == []


def test_a_service_call_is_recorded_as_made_on_behalf(door: Door) -> None:
    door.app.is_dev = True
    assert ask(door, "service-call")[0] == 404
    status, answer = ask(door, "service-call", "POST", orjson.dumps(SERVICE_CALL))
    assert (status, answer["Location"]["LocationName"]) == (200, "custom-a")
    (record,) = door.events()
    assert record["userIdentity"]["type"] == "AssumedRole"
    assert record["userIdentity"]["invokedBy"] == "autoscaling.amazonaws.com"
    assert record["sourceIPAddress"] == record["userAgent"] == "autoscaling.amazonaws.com"


@pytest.mark.parametrize(
    "change",
    [{"params": [1]}, {"params": "x"}, {"params": 5}, {"params": None}, {"service": "nothing"}, {"service": []},
     {"operation": "Nothing"}, {"operation": {}}],
)  # fmt: skip
def test_a_service_call_that_makes_no_sense_is_refused(door: Door, change: dict[str, Any]) -> None:
    door.app.is_dev = True
    status, answer = ask(door, "service-call", "POST", orjson.dumps(SERVICE_CALL | change))
    assert status == 400
    assert answer["error"]["message"]


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b"{}", b"null", b'"text"'])
def test_a_service_call_without_an_object_is_refused(door: Door, body: bytes) -> None:
    door.app.is_dev = True
    assert ask(door, "service-call", "POST", body)[0] == 400


def test_a_service_call_that_is_too_large_is_refused(door: Door) -> None:
    door.app.is_dev = True
    assert ask(door, "service-call", "POST", b" " * (own.BODY_MAX + 1))[0] == 413


def test_the_clock_is_set_forward_in_dev_only(door: Door) -> None:
    body = orjson.dumps({"advance_s": 86_400})
    assert ask(door, "clock", "POST", body)[0] == 404
    door.app.is_dev = True
    before = door.app.clock.now()
    status, answer = ask(door, "clock", "POST", body)
    assert (status, answer["now"]) == (200, (before + timedelta(days=1)).isoformat())
    assert door.app.clock.now() - before == timedelta(days=1)


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"{}", b'{"advance_s": -1}', b'{"advance_s": 1e99}', b'{"advance_s": []}']
)
def test_a_clock_goes_neither_back_nor_out_of_reach(door: Door, body: bytes) -> None:
    door.app.is_dev = True
    assert ask(door, "clock", "POST", body)[0] == 400
