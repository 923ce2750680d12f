"""Filter policies against attributes and bodies, as tables of cases."""

import json
from typing import Any

import pytest

from apitrail.services.sns.filters import FilterError, attribute_values, body_members, compile_filter

ATTRIBUTES = {
    "store": {"DataType": "String", "StringValue": "example_corp"},
    "price": {"DataType": "Number", "StringValue": "210.75"},
    "interests": {"DataType": "String.Array", "StringValue": '["soccer", "rugby", 7, true, null]'},
    "bytes": {"DataType": "Binary", "BinaryValue": b"example_corp"},
    "digits": {"DataType": "String", "StringValue": "100"},
}
BODY = {"store": "example_corp", "price": 210.75, "deep": {"a": [{"b": "x"}, {"b": "y"}], "n": None}, "flag": True}


def on_attributes(policy: Any) -> bool:
    return compile_filter(json.dumps(policy), "MessageAttributes")(attribute_values(ATTRIBUTES))


def on_body(policy: Any) -> bool:
    members = body_members(json.dumps(BODY))
    assert members is not None
    return compile_filter(json.dumps(policy), "MessageBody")(members)


@pytest.mark.parametrize(
    ("policy", "wanted"),
    [
        ({"store": ["example_corp"]}, True),
        ({"store": ["Example_Corp"]}, False),
        ({"store": [{"equals-ignore-case": "Example_Corp"}]}, True),
        ({"store": ["other", {"prefix": "exam"}]}, True),
        ({"store": [{"suffix": "_corp"}]}, True),
        ({"store": [{"prefix": "corp"}]}, False),
        ({"store": [{"anything-but": ["other", "third"]}]}, True),
        ({"store": [{"anything-but": "example_corp"}]}, False),
        ({"store": [{"anything-but": {"prefix": "exam"}}]}, False),
        ({"price": [210.75]}, True),
        ({"price": ["210.75"]}, False),
        ({"price": [{"numeric": [">", 210, "<=", 210.75]}]}, True),
        ({"price": [{"numeric": ["=", 210]}]}, False),
        ({"price": [{"anything-but": [1, 2]}]}, True),
        ({"digits": [100]}, False),
        ({"digits": ["100"]}, True),
        ({"interests": ["rugby"]}, True),
        ({"interests": [7]}, True),
        ({"interests": [True]}, True),
        ({"interests": [1]}, False),
        ({"interests": [None]}, True),
        ({"interests": [{"anything-but": ["rugby"]}]}, True),
        ({"missing": [{"exists": False}]}, True),
        ({"missing": [{"exists": True}]}, False),
        ({"missing": [{"anything-but": "x"}]}, False),
        ({"missing": [None]}, False),
        ({"store": [{"exists": True}]}, True),
        ({"bytes": ["example_corp"]}, False),
        ({"store": ["example_corp"], "price": [1]}, False),
        ({"store": ["example_corp"], "price": [{"numeric": [">", 0]}]}, True),
        ({"$or": [{"store": ["x"]}, {"price": [{"numeric": [">", 0]}]}]}, True),
        ({"$or": [{"store": ["x"]}, {"price": [0]}]}, False),
        ({}, True),
    ],
)
def test_attributes_are_matched(policy: dict[str, Any], wanted: bool) -> None:
    assert on_attributes(policy) is wanted


@pytest.mark.parametrize(
    ("policy", "wanted"),
    [
        ({"store": ["example_corp"]}, True),
        ({"deep": {"a": {"b": ["y"]}}}, True),
        ({"deep": {"a": {"b": ["z"]}}}, False),
        ({"deep": {"n": [None]}}, True),
        ({"deep": {"missing": [{"exists": False}]}}, True),
        ({"flag": [True]}, True),
        ({"flag": [1]}, False),
        ({"missing": {"a": ["x"]}}, False),
    ],
)
def test_bodies_are_matched(policy: dict[str, Any], wanted: bool) -> None:
    assert on_body(policy) is wanted


@pytest.mark.parametrize("text", ["[1]", '"x"', "no JSON", "", "1"])
def test_a_body_that_is_no_object_has_no_members(text: str) -> None:
    assert body_members(text) is None


@pytest.mark.parametrize(
    "policy",
    [
        "{",
        "[]",
        '{"a": "x"}',
        '{"a": []}',
        '{"a": [[1]]}',
        '{"a": {"b": ["x"]}}',
        '{"a": [{"like": "x"}]}',
        '{"a": [{"prefix": 1}]}',
        '{"a": [{"prefix": "x", "suffix": "y"}]}',
        '{"a": [{"numeric": [">"]}]}',
        '{"a": [{"numeric": ["!", 1]}]}',
        '{"a": [{"numeric": [">", "1"]}]}',
        '{"a": [{"exists": "true"}]}',
        '{"a": [{"anything-but": []}]}',
        '{"a": [{"anything-but": {"numeric": [">", 1]}}]}',
        '{"$or": [{"a": ["x"]}]}',
        json.dumps({str(number): ["x"] for number in range(6)}),
        json.dumps({"a": list(range(151))}),
    ],
)
def test_policies_that_say_nothing_clear_are_refused(policy: str) -> None:
    with pytest.raises(FilterError):
        compile_filter(policy, "MessageAttributes")


def test_nesting_is_bounded() -> None:
    policy: Any = ["x"]
    for _ in range(20):
        policy = {"a": policy}
    with pytest.raises(FilterError, match="nested"):
        compile_filter(json.dumps(policy), "MessageBody")
