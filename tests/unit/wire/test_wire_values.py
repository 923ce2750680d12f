from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from apitrail.wire.values import (
    Malformed,
    epoch_of,
    read_base64,
    read_epoch,
    read_http_date,
    read_iso,
    read_number,
    shorten,
    write_http_date,
    write_iso,
)

AT = datetime(2026, 3, 4, 9, 15, 2, tzinfo=UTC)


@pytest.mark.parametrize(
    ("value", "epoch", "iso", "http"),
    [
        (AT, 1772615702, "2026-03-04T09:15:02Z", "Wed, 04 Mar 2026 09:15:02 GMT"),
        (AT.replace(microsecond=678901), 1772615702.678, "2026-03-04T09:15:02.678Z", "Wed, 04 Mar 2026 09:15:02 GMT"),
        (AT.replace(tzinfo=None), 1772615702, "2026-03-04T09:15:02Z", "Wed, 04 Mar 2026 09:15:02 GMT"),
        (
            AT.astimezone(timezone(timedelta(hours=2))),
            1772615702,
            "2026-03-04T09:15:02Z",
            "Wed, 04 Mar 2026 09:15:02 GMT",
        ),
        (1772615702, 1772615702, "2026-03-04T09:15:02Z", "Wed, 04 Mar 2026 09:15:02 GMT"),
        (1767323045.678, 1767323045.678, "2026-01-02T03:04:05.678Z", "Fri, 02 Jan 2026 03:04:05 GMT"),
        (-0.5, -0.5, "1969-12-31T23:59:59.500Z", "Wed, 31 Dec 1969 23:59:59 GMT"),
    ],
)
def test_a_time_has_three_written_forms(value: Any, epoch: float, iso: str, http: str) -> None:
    assert (epoch_of(value), write_iso(value), write_http_date(value)) == (epoch, iso, http)
    assert type(epoch_of(value)) is type(epoch)


@pytest.mark.parametrize(
    ("text", "time"),
    [
        ("2026-03-04T09:15:02Z", AT),
        ("2026-03-04T09:15:02.5Z", AT.replace(microsecond=500000)),
        ("2026-03-04T09:15:02.123456789Z", AT.replace(microsecond=123456)),
        ("2026-03-04T11:15:02+02:00", AT),
        ("2026-03-04T01:15:02-0800", AT),
    ],
)
def test_iso_times_are_read_with_fraction_and_offset(text: str, time: datetime) -> None:
    assert read_iso(text) == time


@pytest.mark.parametrize(
    "text",
    [
        "",
        "2026-03-04",
        "2026-13-04T09:15:02Z",
        "2026-03-04T09:15:02",
        "0001-01-01T00:00:00+01:00",
        5,
        "٢٠٢٦-03-04T09:15:02Z",
    ],
)
def test_other_texts_are_no_iso_times(text: Any) -> None:
    with pytest.raises(Malformed):
        read_iso(text)


@pytest.mark.parametrize("text", ["", "Wed, 04 Mrz 2026 09:15:02 GMT", "Wed, 32 Mar 2026 09:15:02 GMT", "0", None])
def test_other_texts_are_no_http_dates(text: Any) -> None:
    with pytest.raises(Malformed):
        read_http_date(text)


def test_an_http_date_is_read() -> None:
    assert read_http_date("Wed, 04 Mar 2026 09:15:02 GMT") == AT


@pytest.mark.parametrize("value", [True, "1", float("nan"), float("inf"), 1e300, -(10**30), None])
def test_only_numbers_within_the_calendar_are_epoch_times(value: Any) -> None:
    with pytest.raises(Malformed):
        read_epoch(value)


def test_an_epoch_time_is_exact_to_the_microsecond() -> None:
    assert read_epoch(1767323045.678901) == datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)


@pytest.mark.parametrize(
    ("value", "short"),
    [
        (99.9000015258789, 99.9),
        (99.9, 99.9),
        (0.1, 0.1),
        (16777217.0, 16777216.0),
        (132144224.0, 132144220.0),
        (1e300, 1e300),
        (0.0, 0.0),
    ],
)
def test_a_32_bit_float_is_its_shortest_decimal(value: float, short: float) -> None:
    assert shorten(value) == short


@pytest.mark.parametrize("value", [True, "1", None, 10**400, b"1"])
def test_a_number_is_a_number(value: Any) -> None:
    with pytest.raises(Malformed):
        read_number(value)


@pytest.mark.parametrize("value", ["a", "====", "YQ", "YQ==\n", "ä", 1, None])
def test_broken_base64_is_refused(value: Any) -> None:
    with pytest.raises(Malformed):
        read_base64(value)


def test_an_error_names_the_member_and_not_its_value() -> None:
    error = Malformed("a string").inside("Key").inside("Tags")
    assert error.message == "The request could not be read: 'Tags.Key' must be a string."
    assert (error.error_code, error.error_status, str(error)) == ("SerializationException", 400, error.message)
