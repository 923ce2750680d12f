"""What reads bytes of strangers, as functions of bytes: each ends normally or in a refusal meant for the caller.

The same functions are run by hypothesis with small examples and by a coverage-guided fuzzer for hours. SEEDS holds true
inputs from which mutations begin; LARGEST the length up to which inputs of a target make sense.
"""

import io
import json
import struct
import tempfile
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import cbor2

from apitrail.archive.lookup import Lookup
from apitrail.archive.lookup import _read_token as read_history_token
from apitrail.errors import ServiceError, SettingsError
from apitrail.events.build import build_bytes
from apitrail.events.redact import hidden_names
from apitrail.flexmatch import parse_rule_set
from apitrail.flexmatch.errors import RuleSetError
from apitrail.gateway.body import Staging, read_chunked
from apitrail.gateway.sdk_frames import failure, read_frame, read_members
from apitrail.gateway.sdk_handshake import Refusal, read_claim
from apitrail.gateway.sdk_kinds import AGENT, GAME_SERVER
from apitrail.identity.chunks import ChunkVerifier
from apitrail.identity.credentials import Credential
from apitrail.identity.policy import evaluate
from apitrail.identity.policy_document import validate_policy_document
from apitrail.identity.principal import Principal
from apitrail.identity.sigv4 import authenticate
from apitrail.services.common import make_token, read_token
from apitrail.services.gamelift.errors import InvalidRequestException
from apitrail.services.gamelift.expressions import read_filter, read_sort
from apitrail.services.gamelift.zips import zip_problem
from apitrail.services.registry import SERVICES
from apitrail.services.s3.listing import read_position
from apitrail.settings import load_settings
from apitrail.wire.aws_chunked import ChunkedDecoder
from apitrail.wire.call import Call
from apitrail.wire.codec import CODECS
from apitrail.wire.http import HttpRequest
from apitrail.wire.models import OperationModel, service_model
from apitrail.wire.route import Router
from apitrail.wire.scope import find_scope
from apitrail.wire.validate import validation_message, validator

Target = Callable[[bytes], None]
MESSAGE_MAX = 2000
RECORD_MAX = 256 * 1024
NOW = datetime(2026, 3, 4, 9, 15, tzinfo=UTC)
ROOT = Principal("Root", "111122223333", "arn:aws:iam::111122223333:root", "111122223333")
USER = replace(ROOT, kind="IAMUser", user_name="ana", arn="arn:aws:iam::111122223333:user/ana")
SESSION = {"GameSessionId": "arn:aws:gamelift:us-west-2::gamesession/fleet-1/gsess-1", "FleetId": "fleet-1",
           "Name": "n", "Status": "ACTIVE", "CreationTime": NOW, "CurrentPlayerSessionCount": 1,
           "MaximumPlayerSessionCount": 4, "GameProperties": [{"Key": "mode", "Value": "3"}]}  # fmt: skip


def at(service: str, *operations: str) -> list[OperationModel]:
    return [service_model(service).operation_model(name) for name in operations]


JSON = [
    *at("gamelift", "CreateFleet", "CreateScript", "CreateGameSession", "CreatePlayerSessions"),
    *at("cloudtrail", "LookupEvents", "PutEventSelectors", "CreateTrail"),
]
CBOR = [*JSON]
QUERY = [
    *at("sts", "AssumeRole", "GetFederationToken"),
    *at("iam", "CreateUser", "TagRole", "UpdateAccountPasswordPolicy"),
]
EC2 = at("ec2", "DescribeInstances", "RunInstances")
REST_JSON = at("cloudtrail-data", "PutAuditEvents")
REST_XML = at(
    "s3", "PutBucketLifecycleConfiguration", "DeleteObjects", "CompleteMultipartUpload", "PutObject", "ListObjectsV2",
    "CreateBucket", "PutBucketTagging", "CopyObject",
)  # fmt: skip


def split(data: bytes, count: int) -> list[bytes]:
    """Return a text cut at its first zero bytes into exactly count parts."""
    parts = data.split(b"\0", count - 1)
    return parts + [b""] * (count - len(parts))


def chosen(among: list[OperationModel], data: bytes) -> tuple[OperationModel, bytes]:
    """Return the operation that the first byte picks, and the rest."""
    return among[(data[0] if data else 0) % len(among)], data[1:]


def told(error: ServiceError, protocol: str, operation: OperationModel | None) -> None:
    """Check that a refusal can be told."""
    assert 400 <= error.error_status < 500, error.error_status
    assert 0 < len(error.message) <= MESSAGE_MAX, len(error.message)
    CODECS[protocol].encode_error(error, None, operation, "request-1")


def decoded(protocol: str, request: HttpRequest, operation: OperationModel) -> None:
    """Decode, check against the model, and make a record of whatever came out."""
    service = operation.service_model.service_name
    failure, params = None, {}
    try:
        params = CODECS[protocol].decode(request, operation)
    except ServiceError as error:
        told(error, protocol, operation)
        failure = error
    if service not in SERVICES:
        return
    rules = SERVICES[service].rules
    if failure is None and (problems := validator(operation, hidden_names(rules))(params)):
        failure = ServiceError(validation_message(problems), code="ValidationException")
    call = Call(service, operation, params, "us-west-2", "request-1", "127.0.0.1", "agent")
    record = build_bytes(call, ROOT, rules, result=None, error=failure, at=NOW, event_id="event")
    assert len(record) <= RECORD_MAX
    json.loads(record)


def read_json(data: bytes) -> None:
    """JSON 1.1 bodies."""
    operation, body = chosen(JSON, data)
    decoded("json", HttpRequest("POST", b"/", b"", (), body), operation)


def read_cbor(data: bytes) -> None:
    """CBOR bodies of RPC v2."""
    operation, body = chosen(CBOR, data)
    decoded("smithy-rpc-v2-cbor", HttpRequest("POST", b"/", b"", (), body), operation)


def read_query(data: bytes) -> None:
    """Forms of the query protocol, in the body or in the URL."""
    operation, body = chosen(QUERY, data)
    decoded("query", HttpRequest("POST", b"/", b"", (), body), operation)
    decoded("query", HttpRequest("GET", b"/", body, ()), operation)


def read_ec2(data: bytes) -> None:
    """Forms as EC2 writes them."""
    operation, body = chosen(EC2, data)
    decoded("ec2", HttpRequest("POST", b"/", b"", (), body), operation)


def read_rest_json(data: bytes) -> None:
    """Query string and body of REST with JSON."""
    operation, rest = chosen(REST_JSON, data)
    query, body = split(rest, 2)
    decoded("rest-json", HttpRequest("POST", b"/PutAuditEvents", query, (), body), operation)


def read_rest_xml(data: bytes) -> None:
    """Path, query string, a header and body of S3."""
    operation, rest = chosen(REST_XML, data)
    path, query, header, body = split(rest, 4)
    headers = tuple((name, header) for name in (b"x-amz-meta-a", b"if-modified-since", b"x-amz-tagging"))
    decoded("rest-xml", HttpRequest("PUT", b"/" + path, query, headers, body), operation)


def read_chunks(data: bytes) -> None:
    """The aws-chunked frame, in two pieces, signed and unsigned, into a staged body."""
    cut = len(data) * (data[0] if data else 0) // 256
    for signed in (False, True):
        decoder = ChunkedDecoder(lambda signature, content_sha256: None, signed=signed)
        try:
            content = decoder.feed(data[:cut]) + decoder.feed(data[cut:])
            decoder.finish()
            assert len(content) == decoder.received <= len(data)
        except ServiceError as error:
            told(error, "rest-xml", None)
    with suppress(StopIteration):  # never waits, so no event loop is needed
        _staged(data, cut).send(None)


async def _staged(data: bytes, cut: int) -> None:
    verifier = ChunkVerifier(
        b"k" * 32, "20260304T091500Z", "20260304/us-west-2/s3/aws4_request", "0" * 64, trailer=True
    )

    async def pieces() -> Any:
        yield data[:cut]
        yield data[cut:]

    with Staging(Path("never-made"), 10**6, 10**6) as staging:
        try:
            await read_chunked(pieces(), staging, verifier, None)
        except ServiceError as error:
            told(error, "rest-xml", None)


class OneKey:
    """Credentials of a single known key."""

    def find(self, access_key: str) -> Credential | None:
        """Return the key."""
        if access_key != "AKIDEXAMPLE":
            return None
        return Credential("AKIDEXAMPLE", "secret", ROOT, token="token")


def _authenticated(request: HttpRequest) -> None:
    try:
        scope = find_scope(request)
        for permissive in (False, True):
            authenticate(request, scope, OneKey(), NOW, permissive=permissive)
    except ServiceError as error:
        told(error, "rest-xml", None)


def read_authorization(data: bytes) -> None:
    """The Authorization header and the headers that go with it."""
    authorization, date, digest, token = split(data, 4)
    headers = (
        (b"host", b"localhost"),
        (b"authorization", authorization),
        (b"x-amz-date", date),
        (b"date", date),
        (b"x-amz-content-sha256", digest),
        (b"x-amz-security-token", token),
    )
    _authenticated(HttpRequest("POST", b"/", b"", headers, b"{}"))
    _authenticated(HttpRequest("GET", b"/b/k", b"", headers[:2] + headers[3:4]))


def read_signed_url(data: bytes) -> None:
    """Path and query string of presigned URLs, of both signature versions."""
    path, query = split(data, 2)
    _authenticated(HttpRequest("GET", b"/" + path, query, ((b"host", b"bucket.localhost"),)))


ROUTER = Router(("gamelift", "cloudtrail", "cloudtrail-data", "sts", "iam", "sns", "sqs", "s3", "ec2"))
ROUTED_HEADERS = (b"x-amz-target", b"content-type", b"smithy-protocol", b"host")


def read_route(data: bytes) -> None:
    """Method, path, query, headers and body of a request on its way to an operation."""
    method, path, query, target, media, smithy, host, body = split(data, 8)
    headers = tuple(zip(ROUTED_HEADERS, (target, media, smithy, host), strict=True))
    given = tuple((name, value) for name, value in headers if value)
    request = HttpRequest(method.decode("latin-1"), b"/" + path, query, given, body)
    route = ROUTER.find_route(request, None)
    assert len(route.unknown) <= 200
    assert bool(route.unknown) == (route.operation is None)
    error = ServiceError("No.", code="UnknownOperationException", status=404)
    route.codec.encode_error(error, route.service, route.operation, "request-1")


def read_policy(data: bytes) -> None:
    """Policy documents; one that is taken is evaluated."""
    for kind in ("identity", "trust", "resource"):
        try:
            document = validate_policy_document(data, kind)
        except ServiceError as error:
            told(error, "query", None)
            continue
        if kind == "identity":
            caller = replace(USER, policies=(document,))
            resources = ["arn:aws:gamelift:us-west-2:111122223333:fleet/fleet-1"]
            evaluate(caller, "gamelift:CreateFleet", resources, {"aws:sourceip": ["127.0.0.1"]})


def read_expression(data: bytes) -> None:
    """Filter and sort expressions of SearchGameSessions; a filter that is taken is asked about a session."""
    text = data.decode("utf-8", "replace")
    try:
        assert read_filter(text).matches(SESSION) in (True, False)
    except ServiceError as error:
        told(error, "json", None)
    try:
        read_sort(text)
    except ServiceError as error:
        told(error, "json", None)


def read_settings(data: bytes) -> None:
    """Settings files, and values of the environment."""
    with tempfile.NamedTemporaryFile(suffix=".toml") as file:
        file.write(data)
        file.flush()
        _settings(Path(file.name), {})
    text = data.decode("utf-8", "replace").replace("\0", "")
    names = ("SERVER_PORT", "CAPTURE_MODE", "DELIVERY_PERIOD_S", "SERVER_VIRTUAL_HOST_SUFFIXES", "GAMELIFT_LENIENT")
    for name in names:
        _settings(None, {f"APITRAIL_{name}": text[:200]})


def _settings(config: Path | None, environ: dict[str, str]) -> None:
    try:
        load_settings(config, {"HOME": "/", **environ})
    except SettingsError as error:
        assert str(error)


TOKEN_CONTEXT: Any = SimpleNamespace(account="111122223333", region="us-west-2", key=b"k" * 32)
TOKEN_BOUND = ["ListBuilds", {"Status": "READY"}]


def read_tokens(data: bytes) -> None:
    """Page tokens of lists, of event history and of S3."""
    text = data.decode("utf-8", "replace")
    readers: tuple[Callable[[], Any], ...] = (
        lambda: read_token(TOKEN_CONTEXT, TOKEN_BOUND, text, InvalidRequestException),
        lambda: read_history_token(b"k" * 32, Lookup("111122223333", "us-west-2", token=text)),
        lambda: read_position(text),
    )
    for read in readers:
        try:
            read()
        except ServiceError as error:
            told(error, "json", None)


def read_zip(data: bytes) -> None:
    """Zips of scripts and builds."""
    assert isinstance(zip_problem(io.BytesIO(data)), str)


def read_rule_set(data: bytes) -> None:
    """Rule sets of matchmaking."""
    try:
        parsed = parse_rule_set(data.decode("utf-8", "replace"))
    except RuleSetError as error:
        assert 0 < len(str(error)) <= MESSAGE_MAX, len(str(error))
    else:
        assert parsed.levels and parsed.levels[0].teams


def read_sdk_frame(data: bytes) -> None:
    """Requests of game servers and agents, and the parameters with which they connect."""
    frame = read_frame(data.decode("utf-8", "replace"))
    said = [failure(frame, 400, frame.problem or "No.")]
    actions = {**GAME_SERVER.actions, **AGENT.actions}
    if not frame.problem and frame.action in actions:
        try:
            read_members(frame, actions[frame.action].shape)
        except InvalidRequestException as error:
            said.append(failure(frame, 400, error.message))
    assert all(json.loads(text)["StatusCode"] == 400 for text in said)
    for kind in (GAME_SERVER, AGENT):
        try:
            read_claim(kind, data)
        except Refusal as refusal:
            told(refusal, "json", None)


FLEET = {
    "Name": "fleet",
    "BuildId": "build-1",
    "Locations": [{"Location": "us-west-2"}],
    "RuntimeConfiguration": {"ServerProcesses": [{"LaunchPath": "/local/game/a", "ConcurrentExecutions": 2}]},
}
TIMES = {"StartTime": 1772615702.5, "EndTime": 1772615703, "MaxResults": 5}
LIFECYCLE = (
    b"<LifecycleConfiguration><Rule><ID>a</ID><Status>Enabled</Status><Expiration><Date>2026-03-04T09:15:02Z</Date>"
    b"</Expiration><Filter><And><Prefix>p</Prefix><Tag><Key>k</Key><Value>v</Value></Tag></And></Filter></Rule>"
    b"</LifecycleConfiguration>"
)
SCOPE = b"AKIDEXAMPLE/20260304/us-west-2/gamelift/aws4_request"
AUTHORIZATION = (
    b"AWS4-HMAC-SHA256 Credential=" + SCOPE + b", SignedHeaders=host;x-amz-date;x-amz-security-token, "
    b"Signature=" + b"0" * 64
)
SIGNED_QUERY = (
    b"X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=" + SCOPE + b"&X-Amz-Date=20260304T091500Z&X-Amz-Expires=900"
    b"&X-Amz-SignedHeaders=host&X-Amz-Security-Token=token&X-Amz-Signature=" + b"0" * 64
)
POLICY = (
    b'{"Version":"2012-10-17","Statement":[{"Sid":"a","Effect":"Allow","Action":["gamelift:Create*"],"Resource":'
    b'"arn:aws:gamelift:*:111122223333:fleet/*","Condition":{"IpAddress":{"aws:SourceIp":"127.0.0.0/8"},'
    b'"DateLessThan":{"aws:CurrentTime":"2027-01-01T00:00:00Z"},"StringLike":{"aws:PrincipalTag/a":"b*"}}}]}'
)
TRUST = b'{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":{"AWS":"*"},"Action":"sts:AssumeRole"}}'
FILTER = b"hasAvailablePlayerSessions=true AND NOT (gameSessionProperties.mode = '3' OR maximumSessions >= 2)"
RULE_SET = json.dumps(
    {
        "name": "fives",
        "ruleLanguageVersion": "1.0",
        "playerAttributes": [{"name": "skill", "type": "number", "default": 10}],
        "teams": [{"name": "red", "minPlayers": 1, "maxPlayers": 5, "quantity": 2}],
        "algorithm": {"strategy": "exhaustiveSearch", "batchingPreference": "sorted", "sortByAttributes": ["skill"]},
        "rules": [
            {
                "name": "Close",
                "type": "distance",
                "measurements": ["avg(teams[*].players.attributes[skill])"],
                "referenceValue": "avg(flatten(teams[*].players.attributes[skill]))",
                "maxDistance": 10,
            },
            {"name": "Near", "type": "latency", "maxLatency": 100},
            {"name": "Either", "type": "compound", "statement": "or(Close, Near)"},
        ],
        "expansions": [
            {"target": "rules[Close].maxDistance", "steps": [{"waitTimeSeconds": 5, "value": 50}]},
        ],
    }
).encode()
TOML = b'data = "/tmp/x"\n[server]\nport = 80\nhost = "127.0.0.1"\n[capture]\nmode = "batch"\nwait_max_s = 1.5\n'
PATH = b"service/GameLift/operation/CreateFleet"


@dataclass(frozen=True)
class Case:
    """A target with true inputs and the length up to which longer inputs tell something new.

    share: of the bytes of a run, beside the others; a slow reader of the operator's own files has a small one.
    """

    target: Target
    seeds: tuple[bytes, ...]
    largest: int = 2048
    share: float = 1.0


TARGETS: dict[str, Case] = {
    "json": Case(
        read_json, (b"\0" + json.dumps(FLEET).encode(), b"\4" + json.dumps(TIMES).encode(), b'\1{"ZipFile":"AA=="}')
    ),
    "cbor": Case(
        read_cbor, (b"\0" + cbor2.dumps(FLEET), b"\4" + cbor2.dumps({"StartTime": cbor2.CBORTag(1, 1772615702.5)}))
    ),
    "query": Case(
        read_query,
        (
            b"\0Action=AssumeRole&Version=2011-06-15&RoleArn=arn%3Aaws&Tags.member.1.Key=k&Tags.member.1.Value=v+w",
            b"\3Action=TagRole&RoleName=a&Tags.member.1.Key=k&Tags.member.1.Value=v",
            b"\4Action=UpdateAccountPasswordPolicy&MaxPasswordAge=5&RequireSymbols=true",
        ),
    ),
    "ec2": Case(read_ec2, (b"\0Action=DescribeInstances&Filter.1.Name=n&Filter.1.Value.1=v&MaxResults=5",)),
    "rest-json": Case(read_rest_json, (b'\0channelArn=arn%3Aaws\0{"auditEvents":[{"eventData":"{}","id":"1"}]}',)),
    "rest-xml": Case(
        read_rest_xml,
        (
            b"\0bkt\0lifecycle\0\0" + LIFECYCLE,
            b"\1bkt\0delete\0\0<Delete><Object><Key>a</Key></Object></Delete>",
            b"\4bkt\0list-type=2&max-keys=5\0Wed, 04 Mar 2026 09:15:02 GMT\0",
            b"\3bkt/key%20a\0x-id=PutObject\0a=b&c=d\0content",
        ),
    ),
    "chunks": Case(
        read_chunks, (b"5\r\nhello\r\n0\r\nx-amz-a:b\r\n\r\n", b"5;chunk-signature=" + b"0" * 64 + b"\r\nhello\r\n")
    ),
    "authorization": Case(
        read_authorization,
        (
            AUTHORIZATION + b"\x0020260304T091500Z\0" + b"0" * 64 + b"\0token",
            AUTHORIZATION + b"\0Wed, 04 Mar 2026 09:15:02 GMT\0UNSIGNED-PAYLOAD\0",
            b"AWS AKIDEXAMPLE:c2lnbmF0dXJl\0Wed, 04 Mar 2026 09:15:02 GMT\0\0",
        ),
    ),
    "signed-url": Case(
        read_signed_url,
        (
            b"b/k\0" + SIGNED_QUERY,
            b"b/k\0" + SIGNED_QUERY.replace(b"20260304", b"99991231"),
            b"b/k\0AWSAccessKeyId=AKIDEXAMPLE&Signature=c2ln&Expires=1772615702",
        ),
    ),
    "route": Case(
        read_route,
        (
            b"POST\0\0\0GameLift.CreateFleet\0application/x-amz-json-1.1\0\0localhost\0{}",
            b"POST\0" + PATH + b"\0\0\0application/cbor\0rpc-v2-cbor\0localhost\0\xa0",
            b"POST\0\0\0\0application/x-www-form-urlencoded\0\0localhost\0Action=AssumeRole&Version=2011-06-15",
            b"PUT\0bkt/key\0uploadId=a&partNumber=1\0\0\0\0bkt.s3.localhost\0",
        ),
    ),
    "policy": Case(read_policy, (POLICY, TRUST)),
    "expression": Case(read_expression, (FILTER, b"creationTimeMillis ASC", b"a = 'it\\'s'"), 1024),
    "rule-set": Case(read_rule_set, (RULE_SET,), 4096),
    "sdk-frame": Case(
        read_sdk_frame,
        (
            b'{"Action":"ActivateServerProcess","RequestId":"1","SdkVersion":"5.6.0","SdkLanguage":"Go","Port":1,"LogPaths":["a"]}',
            b'{"Action":"StartMatchBackfill","RequestId":"1","TicketId":"","Players":[{"PlayerId":"p","Team":"red",'
            b'"PlayerAttributes":{"a":{"AttrType":"DOUBLE","N":1}},"LatencyInMs":{"us-west-2":5}}]}',
            b"pID=p&FleetId=fleet-1&ComputeId=c&Authorization=t",
            b'{"Action":"SendHeartbeat","RequestId":"1","Status":"Active","ProcessList":["p"],"HeartbeatTimeMillis":1}',
            b"FleetId=fleet-1&ComputeName=c&Authorization=t",
        ),
    ),
    "settings": Case(read_settings, (TOML, b"80", b"batch", b"true", b"a,b"), 512, share=0.03),
    "tokens": Case(
        read_tokens,
        (make_token(TOKEN_CONTEXT, TOKEN_BOUND, 5).encode(), b"1YQ", b"AAAAAAAAAAAAAAAAW10"),
        256,
    ),
    "zip": Case(read_zip, (b"PK\5\6" + b"\0" * 18, struct.pack("<4s", b"PK\3\4") + b"\0" * 26)),
}
