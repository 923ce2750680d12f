"""Size limits: texts are cut, objects replaced by a note, whole events reduced in the documented order."""

import orjson
import pytest

from apitrail.events.limits import EVENT_BYTES_MAX, KB, cut_text, fit


def event_with(**fields):
    return {"eventVersion": "1.11", "requestParameters": None, "responseElements": None, **fields}


def object_of(size):
    """An object whose compact JSON has exactly this many bytes."""
    return {"k": "x" * (size - 8)}


@pytest.mark.parametrize(
    ("text", "length"),
    [
        ("a" * 1024, 1024),
        ("a" * 1025, 1024),
        ("\u00e9" * 600, 512),
        ("\U0001f3ae" * 300, 256),
        ('"' * 600, 512),
        ("\x01" * 400, 170),
        ("", 0),
    ],
)
def test_a_text_is_cut_to_one_kilobyte_of_json_between_characters(text, length):
    cut = cut_text(text)
    assert cut == text[:length]
    assert len(orjson.dumps(cut)) - 2 <= 1024


@pytest.mark.parametrize(
    ("name", "limit"),
    [("requestParameters", 100 * KB), ("responseElements", 100 * KB), ("additionalEventData", 28 * KB)],
)
def test_an_object_is_kept_at_its_limit_and_replaced_one_byte_over_it(name, limit):
    assert len(orjson.dumps(object_of(limit))) == limit
    kept = orjson.loads(fit(event_with(**{name: object_of(limit)})))
    replaced = orjson.loads(fit(event_with(**{name: object_of(limit + 1)})))
    assert kept[name] == object_of(limit)
    assert replaced[name] == {"omitted": True, "originalSize": limit + 1, "reason": f"{name} too large"}


def test_an_event_within_all_limits_is_untouched():
    event = event_with(requestParameters=object_of(90 * KB), responseElements=object_of(90 * KB))
    assert fit(event) == orjson.dumps(event)


def test_an_event_over_its_ceiling_loses_the_answer_before_the_parameters():
    resources = [{"ARN": "a" * 300} for _ in range(220)]
    event = event_with(requestParameters=object_of(99 * KB), responseElements=object_of(99 * KB), resources=resources)
    assert len(orjson.dumps(event)) > EVENT_BYTES_MAX
    text = fit(event)
    written = orjson.loads(text)
    assert len(text) <= EVENT_BYTES_MAX
    assert written["responseElements"] == {"omitted": True, "originalSize": 99 * KB, "reason": "event too large"}
    assert written["requestParameters"] == object_of(99 * KB)
    assert len(written["resources"]) == 220


def test_resources_go_last():
    resources = [{"ARN": "a" * 1100} for _ in range(256)]
    event = event_with(
        userAgent="u" * 1024,
        requestID="r" * 36,
        errorMessage="m" * 1024,
        requestParameters=object_of(99 * KB),
        resources=resources,
    )
    text = fit(event)
    written = orjson.loads(text)
    assert len(text) <= EVENT_BYTES_MAX
    assert "resources" not in written
    assert written["requestParameters"]["omitted"] is True
    assert len(written["userAgent"]) == len(written["errorMessage"]) == 128
    assert written["requestID"] == "r" * 36
