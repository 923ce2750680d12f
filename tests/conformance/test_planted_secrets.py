"""No secret is in a record, a log, an error or an answer to somebody else, whatever operation it was given to.

Every operation of every served model gets marks in all members that are secret, valid and invalid ones, in every protocol
of its service; then records, logs, errors, log files and what others can read are searched. Secrets that answers
hand out are searched for as well.
"""

import gzip
import json
import logging
import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from apitrail.clock import VirtualClock
from apitrail.events.build import RecordOptions, build_bytes
from apitrail.events.redact import HIDDEN
from apitrail.identity.credentials import Credential
from apitrail.services.registry import SERVICES
from apitrail.testing.stage import REGION, root
from apitrail.wire.call import Call
from apitrail.wire.http import HttpRequest
from apitrail.wire.models import OperationModel, protocols_of, service_model
from door import Reply
from planting import (
    GAME_DATA,
    MARK,
    SECRETS,
    Planter,
    found_marks,
    operations_with_secrets,
    parts_of,
    secrets_in,
)
from worlds import ALLOW, World, furnish, in_order

ROUNDS = 40 if os.environ.get("APITRAIL_SOAK") == "1" else 2
STRANGER = "444455556666"
AT = VirtualClock().now()


class Search:
    """A world, what it was given and what it has answered. answered: secrets out of answers, to their operation."""

    def __init__(self, path: Path, *, show_game_data: bool) -> None:
        self.world = World(path, show_game_data=show_game_data)
        furnish(self.world)
        self.stranger = self.world.account(STRANGER)
        self.game_data = not show_game_data
        self.answered: dict[str, str] = {}
        self.errors: list[tuple[str, str]] = []
        self.planted = 0

    def plant(self, operation: OperationModel, seed: str, protocol: str, *, spoil: bool) -> Reply:
        """Make a call full of marks."""
        service = operation.service_model.service_name
        planter = Planter(seed, self.world.known, service, game_data=self.game_data, spoil=spoil)
        params = planter.params(operation)
        self.planted += planter.planted
        reply = self.world.call(service, operation.name, params, protocol=protocol)
        self.note(operation, reply)
        return reply

    def note(self, operation: OperationModel, reply: Reply) -> None:
        """Keep the secrets and the error of an answer."""
        service = operation.service_model.service_name
        self.world.learn(reply.result)
        for texts in self.world.known.values():  # game data that is answered must not come back as what is no secret
            texts[:] = [text for text in texts if MARK not in text]
        for secret in secrets_in(service, operation.output_shape, reply.result):
            for part in parts_of(secret):
                self.answered.setdefault(part, operation.name)
        if reply.code:
            self.errors.append((operation.name, reply.message))

    def traces(self, caplog: pytest.LogCaptureFixture) -> Iterator[tuple[str, str]]:
        """Yield everything that is written down or told to others: where, and the text."""
        for event in self.world.new_events():
            yield f"record of {event['eventName']}", json.dumps(event)
        yield "log", caplog.text
        log = self.world.app.data_dir / "security.log"
        yield "security.log", log.read_text() if log.exists() else ""
        yield from self._told_to_others()
        yield from self._delivered()

    def _told_to_others(self) -> Iterator[tuple[str, str]]:
        for name in ("health", "ready", "metrics", "info"):
            yield name, self.world.send(HttpRequest("GET", f"/_apitrail/{name}".encode(), b"", ())).body.decode()
        yield "status", self.world.send(self.world.own("status", key=self.stranger)).body.decode()
        for service in SERVICES:
            for operation in in_order(service):
                if operation.name.startswith(("List", "Describe", "Lookup")) and operation.name in served(service):
                    yield f"{operation.name} of a stranger", self._asked_by_stranger(operation)

    def _asked_by_stranger(self, operation: OperationModel) -> str:
        service = operation.service_model.service_name
        planter = Planter(operation.name, self.world.known, service, game_data=False, spoil=False)
        reply = self.world.call(service, operation.name, planter.params(operation), key=self.stranger)
        return reply.response.body.decode("latin-1")

    def _delivered(self) -> Iterator[tuple[str, str]]:
        self.world.stage.run(self.world.app.deliverer.flush())
        for path in self.world.app.data_dir.glob("buckets/audit/**/*.json.gz"):
            yield path.name, gzip.decompress(path.read_bytes()).decode()


def served(service: str) -> set[str]:
    return set(SERVICES[service].operations)


def leaks_in(search: Search, caplog: pytest.LogCaptureFixture) -> list[str]:
    """Return where a mark or an answered secret was found."""
    leaks = []
    for where, text in search.traces(caplog):
        leaks += [f"{where}: ...{found}..." for found in found_marks(text)]
        leaks += [
            f"{where}: a secret that {name} answered" for secret, name in search.answered.items() if secret in text
        ]
    return leaks


def assert_no_leaks(search: Search, caplog: pytest.LogCaptureFixture) -> None:
    leaks = leaks_in(search, caplog)
    assert not leaks, "\n".join(leaks[:50])


@pytest.fixture
def search(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> Iterator[Search]:
    caplog.set_level(logging.DEBUG, logger="apitrail")
    made = Search(tmp_path, show_game_data=False)
    yield made
    made.world.close()


@pytest.mark.parametrize("service", sorted(SERVICES))
def test_a_secret_in_a_call_is_nowhere_else(search: Search, service: str, caplog: pytest.LogCaptureFixture) -> None:
    for number in range(ROUNDS):
        for operation in in_order(service):
            protocols = protocols_of(service)
            search.plant(operation, f"{operation.name}/{number}", protocols[number % len(protocols)], spoil=False)
    search.world.stage.settle()
    assert search.planted >= len(operations_with_secrets(service)) * ROUNDS
    assert_no_leaks(search, caplog)


@pytest.mark.parametrize("service", sorted(SERVICES))
def test_a_secret_that_breaks_a_rule_is_not_told(
    search: Search, service: str, caplog: pytest.LogCaptureFixture
) -> None:
    for operation in operations_with_secrets(service):
        for number, protocol in enumerate(protocols_of(service)):
            search.plant(operation, f"{operation.name}/{number}", protocol, spoil=True)
    assert [(name, message) for name, message in search.errors if found_marks(message)] == []
    assert_no_leaks(search, caplog)


@pytest.mark.parametrize("service", sorted(SERVICES))
def test_a_body_that_cannot_be_read_tells_no_secret(
    search: Search, service: str, caplog: pytest.LogCaptureFixture
) -> None:
    world = search.world
    for operation in operations_with_secrets(service):
        for protocol in protocols_of(service):
            planter = Planter(operation.name, world.known, service, game_data=True, spoil=False)
            request = world.request(service, operation.name, planter.params(operation), protocol=protocol)
            for body in broken(request.body):
                again = world.signed(replace(request, body=body, headers=unsigned(request)), service)
                reply = world.answered(again, service, operation.name, protocol)
                assert reply.status < 500 or reply.status == 501  # not implemented, as S3 says
                assert found_marks(reply.message) == []
    assert_no_leaks(search, caplog)


def broken(body: bytes) -> list[bytes]:
    """Return a body cut within a mark, with marks where other types belong, and with its marks as names."""
    mark = MARK.encode()
    cut = body[: body.find(mark) + len(mark)] if mark in body else body[: len(body) // 2]
    return [cut, body.replace(b":", b":[", 1), body.replace(b'"', b"", 3), body.replace(b"=", b".x=", 1), mark + body]


def unsigned(request: HttpRequest) -> tuple[tuple[bytes, bytes], ...]:
    """Return a request's headers without those of its signature."""
    dropped = (b"authorization", b"x-amz-date", b"x-amz-content-sha256", b"host", b"content-length")
    return tuple((name, value) for name, value in request.headers if name not in dropped)


def test_secrets_that_answers_hand_out_are_nowhere_else(search: Search, caplog: pytest.LogCaptureFixture) -> None:
    known = search.world.known
    calls: dict[str, dict[str, dict[str, Any]]] = {
        "gamelift": {
            "CreateBuild": {"OperatingSystem": "AMAZON_LINUX_2023"},
            "RequestUploadCredentials": {"BuildId": known["BuildId"][0]},
            "GetGameSessionLogUrl": {"GameSessionId": known["GameSessionId"][-1]},
        },
        "iam": {"CreateAccessKey": {"UserName": "user-2"}},
        "sts": {
            "AssumeRole": {"RoleArn": known["RoleArn"][0], "RoleSessionName": "session"},
            "GetSessionToken": {},
            "GetFederationToken": {"Name": "partner"},
        },
    }
    made = search.world.ok("iam", "CreateAccessKey", UserName="user-1")["AccessKey"]
    search.world.ok("iam", "PutUserPolicy", UserName="user-1", PolicyName="all", PolicyDocument=ALLOW)
    user = Credential(made["AccessKeyId"], made["SecretAccessKey"], root())
    for service, operations in calls.items():
        for name, params in operations.items():
            operation = service_model(service).operation_model(name)
            before = len(search.answered)
            reply = search.world.call(service, name, params, key=user)
            search.note(operation, reply)
            assert not reply.code, (name, reply.message)
            assert len(search.answered) > before, name
    use_and_spoil_keys(search)
    assert_no_leaks(search, caplog)


def use_and_spoil_keys(search: Search) -> None:
    """Use a session's key as it should be, with a wrong secret, and in a URL that is refused."""
    world = search.world
    made = world.ok("sts", "GetSessionToken")["Credentials"]
    key = Credential(made["AccessKeyId"], made["SecretAccessKey"], root(), made["SessionToken"])
    search.answered[key.secret_key] = search.answered[key.token] = "GetSessionToken"
    assert world.call("sts", "GetCallerIdentity", {}, key=key).status == 200
    assert world.call("sts", "GetCallerIdentity", {}, key=replace(key, secret_key="wrong" * 8)).status == 403
    assert world.call("gamelift", "ListBuilds", {}, key=replace(key, token=key.token[:-4])).status == 400
    query = f"X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential={key.access_key}&X-Amz-Security-Token={key.token}"
    for path in (b"/bucket/key", b"/"):
        refused = world.send(HttpRequest("GET", path, query.encode(), ((b"host", b"localhost"),)))
        assert 400 <= refused.status < 500
        assert key.token not in refused.body.decode()


@pytest.mark.parametrize("service", sorted(SERVICES))
def test_no_operation_would_record_a_secret_that_it_answers(service: str) -> None:
    """Also those that are not served yet, and those that count as reads: their rules are there already."""
    rules = replace(SERVICES[service].rules, read_only=lambda operation: False)
    leaks = []
    for operation in in_order(service):
        if operation.output_shape is None or operation.has_event_stream_output:
            continue
        planter = Planter(operation.name, {}, service, game_data=True, spoil=False)
        result = planter.value(operation.output_shape)
        call = Call(service, operation, {}, REGION, "request", "127.0.0.1", "agent")
        event = build_bytes(call, root(), rules, result=result, error=None, at=AT, event_id="event")
        leaks += [f"{operation.name}: {found}" for found in found_marks(event)]
    assert leaks == []


def test_game_data_is_shown_when_it_is_asked_for_and_secrets_are_not(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    search = Search(tmp_path, show_game_data=True)
    for service in SERVICES:
        for operation in operations_with_secrets(service):
            search.plant(operation, operation.name, protocols_of(service)[0], spoil=False)
    assert_no_leaks(search, caplog)
    search.world.close()


def test_the_search_finds_what_is_there() -> None:
    """Game data that is shown on purpose, plain and in base64: so a leak would have been found."""
    operation = service_model("gamelift").operation_model("CreateGameSession")
    planter = Planter("seed", {}, "gamelift", game_data=True, spoil=False)
    call = Call("gamelift", operation, planter.params(operation), REGION, "request", "127.0.0.1", "agent")
    for show, expected in ((True, 2), (False, 0)):
        options = RecordOptions(show_game_data=show)
        event = build_bytes(
            call, root(), SERVICES["gamelift"].rules, result=None, error=None, at=AT, event_id="event", options=options
        )
        assert len(found_marks(event)) >= expected
        assert bool(found_marks(event)) == show
        assert (HIDDEN.encode() in event) != show
    assert found_marks("=" + "WnE3eFBsYW50ZWQwMDAx")
    assert found_marks("prefix xWnE3eFBsYW50ZWQ".replace("x", "eA", 1)) or found_marks("AFpxN3hQbGFudGVkMQ==")


@pytest.mark.parametrize("service", sorted(set(SERVICES) & set(SECRETS)))
def test_the_list_of_secrets_names_members_that_exist(service: str) -> None:
    model = service_model(service)
    shapes = [model.shape_for(name) for name in model.shape_names]
    members = {name for shape in shapes if shape.type_name == "structure" for name in shape.members}
    assert SECRETS[service] <= members
    owners = {f"{s.name}.{name}" for s in shapes if s.type_name == "structure" for name in s.members}
    if service == "gamelift":
        assert members | owners >= GAME_DATA
