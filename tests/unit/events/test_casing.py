"""Model values to record values: names, forms of values, what is dropped and what is hidden."""

import math
import struct
from datetime import UTC, datetime, timedelta, timezone

import pytest
from botocore.model import ServiceModel

from apitrail.events.casing import caser, record_name, record_timestamp, shortest_float32
from apitrail.events.redact import HIDDEN
from apitrail.events.rules import RecordRules
from apitrail.wire.models import service_model

SHAPES = {
    "Text": {"type": "string"},
    "Secret": {"type": "string", "sensitive": True},
    "Blob": {"type": "blob"},
    "Single": {"type": "float"},
    "Double": {"type": "double"},
    "Time": {"type": "timestamp"},
    "Texts": {"type": "list", "member": {"shape": "Text"}},
    "Secrets": {"type": "list", "member": {"shape": "Secret"}},
    "Blobs": {"type": "list", "member": {"shape": "Blob"}},
    "Times": {"type": "list", "member": {"shape": "Time"}},
    "SecretMap": {"type": "map", "key": {"shape": "Text"}, "value": {"shape": "Secret"}},
    "BlobMap": {"type": "map", "key": {"shape": "Text"}, "value": {"shape": "Blob"}},
    "Leaves": {"type": "map", "key": {"shape": "Text"}, "value": {"shape": "Leaf"}},
    "Leaf": {"type": "structure", "members": {"SDM": {"shape": "Text"}, "Hide": {"shape": "Text"}}},
    "Anything": {"type": "structure", "document": True, "members": {}},
    "Tree": {
        "type": "structure",
        "members": {"Name": {"shape": "Text"}, "Children": {"shape": "Trees"}, "Key": {"shape": "Secret"}},
    },
    "Trees": {"type": "list", "member": {"shape": "Tree"}},
    "Input": {
        "type": "structure",
        "members": {
            "EC2Type": {"shape": "Text"},
            "Secret": {"shape": "Secret"},
            "Blob": {"shape": "Blob"},
            "Single": {"shape": "Single"},
            "Double": {"shape": "Double"},
            "Texts": {"shape": "Texts"},
            "Secrets": {"shape": "Secrets"},
            "Blobs": {"shape": "Blobs"},
            "Times": {"shape": "Times"},
            "SecretMap": {"shape": "SecretMap"},
            "BlobMap": {"shape": "BlobMap"},
            "Leaves": {"shape": "Leaves"},
            "Leaf": {"shape": "Leaf"},
            "Anything": {"shape": "Anything"},
            "Tree": {"shape": "Tree"},
        },
    },
}
MODEL = {
    "metadata": {"protocol": "json", "endpointPrefix": "sample", "serviceId": "Sample"},
    "operations": {"PutSample": {"name": "PutSample", "input": {"shape": "Input"}}},
    "shapes": SHAPES,
}
OPERATION = ServiceModel(MODEL, "sample").operation_model("PutSample")
PLAIN = RecordRules("sample.amazonaws.com")


def cased(value, rules=PLAIN, show=False):
    return caser(OPERATION, "input", rules, show)(value)


@pytest.mark.parametrize(
    ("member", "written"),
    [
        ("EC2InboundPermissions", "eC2InboundPermissions"),
        ("S3BucketName", "s3BucketName"),
        ("UDPEndpoint", "uDPEndpoint"),
        ("ACTIVE", "aCTIVE"),
        ("SAMLAssertionID", "sAMLAssertionID"),
        ("SDM", "sDM"),
        ("S", "s"),
        ("trailNameList", "trailNameList"),
    ],
)
def test_only_the_first_letter_of_a_member_is_lowered(member, written):
    assert record_name(member) == written


def test_members_keep_the_order_they_were_sent_in():
    assert list(cased({"Texts": ["b", "a"], "EC2Type": "x"})) == ["texts", "eC2Type"]


def test_keys_of_maps_are_untouched_and_their_values_cased():
    assert cased({"Leaves": {"Red Team": {"SDM": "1"}}}) == {"leaves": {"Red Team": {"sDM": "1"}}}


def test_none_and_members_unknown_to_the_model_are_dropped():
    assert cased({"_private": 1, "EC2Type": None, "Texts": ["a", None], "Leaf": {"SDM": None}}) == {
        "texts": ["a"],
        "leaf": {},
    }


def test_an_empty_outcome_is_none_but_empty_lists_and_texts_stay():
    assert cased({}) is None
    assert cased({"_private": 1}) is None
    assert cased({"Texts": [], "EC2Type": ""}) == {"texts": [], "eC2Type": ""}


def test_an_operation_without_output_gives_none():
    delete = service_model("gamelift").operation_model("DeleteFleet")
    assert caser(delete, "output", PLAIN, False)({"Anything": 1}) is None


def test_blobs_appear_nowhere():
    assert cased({"Blob": b"x", "Blobs": [b"x"], "BlobMap": {"k": b"x"}, "EC2Type": "t"}) == {"eC2Type": "t"}


def test_sensitive_shapes_are_masked_in_members_lists_and_maps():
    value = {"Secret": "planted", "Secrets": ["planted", "planted"], "SecretMap": {"k": "planted"}}
    assert cased(value) == {"secret": HIDDEN, "secrets": [HIDDEN, HIDDEN], "secretMap": {"k": HIDDEN}}


def test_a_clear_shape_is_written_although_it_is_sensitive():
    rules = RecordRules("sample.amazonaws.com", clear=frozenset({"Secret"}))
    assert cased({"Secret": "shown", "Secrets": ["shown"]}, rules) == {"secret": "shown", "secrets": ["shown"]}


@pytest.mark.parametrize(
    ("names", "written"),
    [
        ({"Leaf.Hide"}, {"leaf": {"sDM": "a", "hide": HIDDEN}, "leaves": {"k": {"hide": HIDDEN}}}),
        ({"Hide"}, {"leaf": {"sDM": "a", "hide": HIDDEN}, "leaves": {"k": {"hide": HIDDEN}}}),
        ({"Input.Leaf"}, {"leaf": HIDDEN, "leaves": {"k": {"hide": "b"}}}),
        ({"Leaves"}, {"leaf": {"sDM": "a", "hide": "b"}, "leaves": HIDDEN}),
    ],
)
def test_a_masked_name_is_a_member_a_shape_or_a_member_of_a_shape(names, written):
    rules = RecordRules("sample.amazonaws.com", masked=frozenset(names))
    assert cased({"Leaf": {"SDM": "a", "Hide": "b"}, "Leaves": {"k": {"Hide": "b"}}}, rules) == written


def test_left_out_members_are_absent():
    rules = RecordRules("sample.amazonaws.com", left_out=frozenset({"Leaf.Hide", "Texts"}))
    assert cased({"Leaf": {"SDM": "a", "Hide": "b"}, "Texts": ["x"]}, rules) == {"leaf": {"sDM": "a"}}


def test_a_shape_inside_itself_is_hidden_at_every_depth():
    tree = {"Tree": {"Name": "1", "Children": [{"Name": "2", "Key": "planted", "Children": [{"Key": "planted"}]}]}}
    assert cased(tree) == {
        "tree": {"name": "1", "children": [{"name": "2", "key": HIDDEN, "children": [{"key": HIDDEN}]}]}
    }


def test_a_document_keeps_its_keys_and_loses_its_nulls():
    assert cased({"Anything": {"Key": [1, None, {"B": None}], "N": math.nan}}) == {
        "anything": {"Key": [1, {}], "N": "NaN"}
    }


def test_record_names_can_be_spelled_otherwise():
    rules = RecordRules("sample.amazonaws.com", spelled={"Texts": "words", "Leaf.SDM": "sdm"})
    assert cased({"Texts": ["x"], "Leaf": {"SDM": "a"}}, rules) == {"words": ["x"], "leaf": {"sdm": "a"}}


def test_the_value_handed_in_stays_as_it_was():
    value = {"Leaf": {"SDM": "a", "Hide": None}, "Texts": ["x", None]}
    cased(value)
    assert value == {"Leaf": {"SDM": "a", "Hide": None}, "Texts": ["x", None]}


@pytest.mark.parametrize(
    ("at", "written"),
    [
        (datetime(2015, 12, 29, 23, 40, 14, tzinfo=UTC), "Dec 29, 2015 11:40:14 PM"),
        (datetime(2026, 3, 4, 0, 5, 9, 999_999, tzinfo=UTC), "Mar 4, 2026 12:05:09 AM"),
        (datetime(2026, 3, 4, 12, 0, 0, tzinfo=UTC), "Mar 4, 2026 12:00:00 PM"),
        (datetime(2026, 3, 4, 9, 15, 2), "Mar 4, 2026 9:15:02 AM"),
        (datetime(2026, 3, 4, 1, 15, 2, tzinfo=timezone(timedelta(hours=2))), "Mar 3, 2026 11:15:02 PM"),
        (1451432414, "Dec 29, 2015 11:40:14 PM"),
        (1451432414.75, "Dec 29, 2015 11:40:14 PM"),
    ],
)
def test_a_timestamp_is_written_as_in_the_gamelift_record(at, written):
    assert record_timestamp(at) == written


@pytest.mark.parametrize(
    ("received", "written"),
    [
        (struct.unpack("<f", struct.pack("<f", 99.9))[0], 99.9),
        (99.9, 99.9),
        (0.1, 0.1),
        (0.0, 0.0),
        (-3.5, -3.5),
        (5, 5),
        (16777216.0, 16777216.0),
        (1e300, 1e300),
        (math.inf, "Infinity"),
        (-math.inf, "-Infinity"),
        (math.nan, "NaN"),
    ],
)
def test_a_32_bit_float_is_written_as_its_shortest_decimal(received, written):
    assert shortest_float32(received) == written
    assert cased({"Single": received}) == {"single": written}


def test_a_double_keeps_all_its_digits():
    assert cased({"Double": 99.9000015}) == {"double": 99.9000015}


def test_an_answer_that_is_sensitive_as_a_whole_keeps_the_names_of_its_members():
    get_url = service_model("gamelift").operation_model("GetGameSessionLogUrl")
    assert caser(get_url, "output", PLAIN, True)({"PreSignedUrl": "planted", "_x": 1}) == {"preSignedUrl": HIDDEN}
    assert caser(get_url, "output", PLAIN, True)({}) is None


def test_a_caser_is_compiled_once():
    assert caser(OPERATION, "input", PLAIN, False) is caser(OPERATION, "input", PLAIN, False)
