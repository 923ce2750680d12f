"""The event as bytes."""

import orjson
import pytest

from apitrail.events.record import decode, encode, encoded_size


def test_an_event_is_compact_json():
    assert encode({"a": {"b": [1, "\u00e9"]}}) == '{"a":{"b":[1,"\u00e9"]}}'.encode()
    assert encoded_size({"a": 1}) == 7


def test_values_that_json_cannot_hold_are_written_as_text():
    event = {"text": ["\ud800x", "plain"], "big": 2**70, "huge": -(2**5000), "fits": 2**64 - 1, "flag": True, "n": None}
    assert orjson.loads(encode(event)) == {
        "text": ["?x", "plain"],
        "big": str(2**70),
        "huge": "integer of 5001 bits",
        "fits": 2**64 - 1,
        "flag": True,
        "n": None,
    }


def test_an_event_is_read_back():
    assert decode(b'{"eventID":"x"}') == {"eventID": "x"}


@pytest.mark.parametrize("text", [b"[]", b'"x"', b"{", b""])
def test_what_is_no_json_object_is_no_event(text):
    with pytest.raises(ValueError, match=r".+"):
        decode(text)
