"""Random calls of whole models become well-formed, bounded records that hold no secret."""

from collections.abc import Iterator
from datetime import UTC, datetime

import orjson
import pytest
from botocore.model import ListShape, MapShape, StructureShape
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from apitrail.errors import ServiceError
from apitrail.events.build import RecordOptions, build_bytes
from apitrail.events.record import FIELD_ORDER
from apitrail.events.redact import BASE_LEFT_OUT, BASE_MASKED, is_sensitive
from apitrail.events.rules import RecordRules
from apitrail.identity.principal import Principal
from apitrail.wire.call import Call
from apitrail.wire.http import TlsFacts
from apitrail.wire.models import service_model

MARKER = "PLANTED-SECRET"
DEPTH_MAX = 5
SERVICES = ("gamelift", "cloudtrail", "sts", "iam", "s3")
CLEAR = {
    "gamelift": frozenset(
        {"IpRange", "PortNumber", "IpAddress", "PlayerId", "PlayerIdList", "PlayerIdsForAcceptMatch", "Event"}
    )
}
MASKED = {
    "gamelift": frozenset({"UploadCredentials", "AuthToken", "PlayerGatewayToken", "PreSignedUrl", "PreSignedLogUrl"})
}
GAME_DATA = {"gamelift": frozenset({"PlayerData", "LargeGameSessionData", "GamePropertyValue", "PlayerAttributes"})}
LEFT_OUT = {"cloudtrail": frozenset({"QueryStatement"}), "s3": frozenset({"SSECustomerKeyMD5"})}

RULES = {
    service: RecordRules(
        f"{service}.amazonaws.com",
        clear=CLEAR.get(service, frozenset()),
        masked=MASKED.get(service, frozenset()),
        game_data=GAME_DATA.get(service, frozenset()),
        left_out=LEFT_OUT.get(service, frozenset()),
        answers_in_reads=frozenset(service_model(service).operation_names),
        resources=lambda account, region, params, result: [
            {"accountId": account, "type": "AWS::X::Y", "ARN": f"arn:{key}"} for key in params
        ],
    )
    for service in SERVICES
}
PRINCIPAL = Principal("IAMUser", "111122223333", "arn:aws:iam::111122223333:user/u", "AIDAX", "AKIAX", "u")
TEXT = st.text(max_size=20).filter(lambda text: MARKER not in text)


def is_secret(rules, owner, name, shape):
    """The test's own reading of the tables: does this value have to disappear?"""
    names = {name, f"{owner}.{name}", shape.name}
    hidden = rules.masked | rules.game_data | rules.left_out | BASE_LEFT_OUT | BASE_MASKED
    return bool(names & hidden) or (is_sensitive(shape) and not names & rules.clear)


def values(rules, shape, depth, secret=False) -> st.SearchStrategy:
    """Values of a shape, now and then None; every text in a secret place holds the marker."""
    if isinstance(shape, StructureShape):
        return structures(rules, shape, depth, secret)
    if isinstance(shape, ListShape):
        hidden = secret or is_secret(rules, shape.name, "", shape.member)
        return st.lists(maybe(values(rules, shape.member, depth + 1, hidden)), max_size=2 if depth < DEPTH_MAX else 0)
    if isinstance(shape, MapShape):
        hidden = secret or is_secret(rules, shape.name, "", shape.value)
        item = maybe(values(rules, shape.value, depth + 1, hidden))
        return st.dictionaries(TEXT, item, max_size=2 if depth < DEPTH_MAX else 0)
    return {
        "string": st.just(MARKER) if secret else TEXT,
        "character": st.just(MARKER) if secret else TEXT,
        "blob": st.just(MARKER.encode()),
        "boolean": st.booleans(),
        "integer": st.integers(-(2**31), 2**31 - 1),
        "long": st.integers(-(2**70), 2**70),
        "float": st.floats(width=32),
        "double": st.floats(),
        "timestamp": st.datetimes(min_value=datetime(1970, 1, 2), timezones=st.just(UTC)),
    }[shape.type_name]


def maybe(strategy):
    return st.one_of(strategy, strategy, strategy, st.none())


def structures(rules, shape, depth, secret=False) -> st.SearchStrategy:
    names = list(shape.members) if depth < DEPTH_MAX else []

    @st.composite
    def draw_structure(draw):
        chosen = draw(st.lists(st.sampled_from(names), unique=True, max_size=8)) if names else []
        drawn = {"_private": MARKER}
        for name in chosen:
            member = shape.members[name]
            hidden = secret or is_secret(rules, shape.name, name, member)
            drawn[name] = draw(maybe(values(rules, member, depth + 1, hidden)))
        return drawn

    return draw_structure()


def nulls(value) -> Iterator[None]:
    children = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    for child in children:
        if child is None:
            yield None
        yield from nulls(child)


@pytest.mark.parametrize("service", SERVICES)
@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(drawn=st.data())
def test_a_random_call_becomes_a_sound_record_without_secrets(service, drawn):
    model, rules = service_model(service), RULES[service]
    operation = model.operation_model(drawn.draw(st.sampled_from(model.operation_names)))
    params = drawn.draw(structures(rules, operation.input_shape, 0)) if operation.input_shape else {}
    result = drawn.draw(structures(rules, operation.output_shape, 0)) if operation.output_shape else None
    error = drawn.draw(st.none() | st.builds(ServiceError, st.text(max_size=2000)))
    options = RecordOptions(event_version=drawn.draw(st.sampled_from(["1.11", "1.04"])))
    agent = drawn.draw(st.text(max_size=2000))
    tls = TlsFacts("TLSv1.3", "TLS_AES_128_GCM_SHA256")
    call = Call(service, operation, params, "us-east-1", "request", "192.0.2.1", agent, "host", tls)
    text = build_bytes(
        call,
        PRINCIPAL,
        rules,
        result=result,
        error=error,
        at=datetime(2026, 3, 4, tzinfo=UTC),
        event_id="c8fbea01-fbf9-4c4e-a0fe-ad7dc205ce11",
        options=options,
    )
    event = orjson.loads(text)
    assert len(text) <= 256 * 1024
    assert MARKER.encode() not in text
    assert list(event) == [name for name in FIELD_ORDER if name in event]
    assert not list(nulls(event["requestParameters"]))
    assert not list(nulls(event["responseElements"]))
    assert event["responseElements"] != {}
    assert event["requestParameters"] != {}


@settings(max_examples=30, deadline=None)
@given(
    sizes=st.tuples(*[st.integers(0, 400_000)] * 3),
    resource_count=st.integers(0, 400),
    letter=st.sampled_from(["a", "\u00e9", '"', "\x01"]),
)
def test_an_event_of_any_size_ends_within_the_ceiling(sizes, resource_count, letter):
    request, answer, additional = sizes
    arns = [{"accountId": "111122223333", "type": "AWS::X::Y", "ARN": "a" * 1000}] * resource_count
    rules = RecordRules("gamelift.amazonaws.com", resources=lambda account, region, params, result: arns)
    operation = service_model("gamelift").operation_model("CreateFleet")
    call = Call("gamelift", operation, {"Description": letter * request}, "us-west-2", "r", "192.0.2.1", "agent")
    text = build_bytes(
        call,
        PRINCIPAL,
        rules,
        result={"FleetAttributes": {"Description": letter * answer}},
        error=None,
        at=datetime(2026, 3, 4, tzinfo=UTC),
        event_id="c8fbea01-fbf9-4c4e-a0fe-ad7dc205ce11",
        additional={"note": letter * additional},
    )
    event = orjson.loads(text)
    assert len(text) <= 256 * 1024
    for name, limit in (("requestParameters", 100), ("responseElements", 100), ("additionalEventData", 28)):
        assert len(orjson.dumps(event[name])) <= limit * 1024
