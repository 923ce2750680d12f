"""Names, content and signed text of digest files."""

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from apitrail.trail.digest import (
    Listed,
    Previous,
    Series,
    Window,
    digest_key,
    metadata,
    parse_digest_key,
    render_digest,
    string_to_sign,
)

SERIES = Series("111122223333", "us-east-2", "my_trail-1", "us-west-2")
END = 1_440_082_891
KEY = (
    "prod/AWSLogs/111122223333/CloudTrail-Digest/us-east-2/2015/08/20/"
    "111122223333_CloudTrail-Digest_us-east-2_my_trail-1_us-west-2_20150820T150131Z.json.gz"
)


def test_a_key_has_the_documented_form() -> None:
    assert digest_key(SERIES, END, "prod") == KEY
    assert digest_key(SERIES, END, "prod", is_backfill=True) == KEY.replace("31Z.", "31Z_backfill.")


@given(
    name=st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._-]{1,60}[A-Za-z0-9]", fullmatch=True),
    region=st.sampled_from(["us-east-1", "ap-southeast-2", "us-gov-west-1", "cn-north-1", "mx-central-1"]),
    home=st.sampled_from(["us-east-1", "eu-central-2", "us-gov-east-1"]),
    at=st.integers(0, 4_000_000_000),
    is_backfill=st.booleans(),
)
def test_a_key_reads_back(name: str, region: str, home: str, at: int, is_backfill: bool) -> None:
    series = Series("111122223333", region, name, home)
    assert parse_digest_key(digest_key(series, at, "a/b", is_backfill=is_backfill)) == (series, at, is_backfill)


@pytest.mark.parametrize(
    "key",
    [
        "",
        KEY + "x",
        KEY.replace("CloudTrail-Digest_", "CloudTrail_"),
        KEY.replace("20150820T", "20151320T"),
        KEY.replace("111122223333_", "11112222333_"),
        KEY.replace("131Z", "131"),
    ],
)
def test_other_names_are_no_digests(key: str) -> None:
    assert parse_digest_key(key) is None


def test_the_content_lists_files_and_refers_to_the_digest_before() -> None:
    files = [Listed("logs", "a.json.gz", "aa", 100, 200), Listed("logs", "b.json.gz", "bb", 50, 150)]
    content = orjson.loads(
        render_digest("1" * 12, Window(0, 3600), "logs", KEY, "f00d", Previous("logs", "p", "cc", "dd"), files)
    )
    assert content["oldestEventTime"] == "1970-01-01T00:00:50Z"
    assert content["newestEventTime"] == "1970-01-01T00:03:20Z"
    assert content["digestEndTime"] == "1970-01-01T01:00:00Z"
    assert [content[f"previousDigest{name}"] for name in ("S3Bucket", "S3Object", "HashValue", "Signature")] == [
        "logs",
        "p",
        "cc",
        "dd",
    ]
    assert content["logFiles"][1] == {
        "s3Bucket": "logs",
        "s3Object": "b.json.gz",
        "hashValue": "bb",
        "hashAlgorithm": "SHA-256",
        "newestEventTime": "1970-01-01T00:02:30Z",
        "oldestEventTime": "1970-01-01T00:00:50Z",
    }


def test_the_signed_text_has_four_lines_and_no_end_of_line() -> None:
    assert (
        string_to_sign("2015-08-20T15:01:31Z", "logs", "key", "ab", None) == b"2015-08-20T15:01:31Z\nlogs/key\nab\nnull"
    )
    assert string_to_sign("t", "b", "k", "h", "50ab").endswith(b"\n50ab")


def test_only_backfill_digests_say_when_they_were_made() -> None:
    assert metadata("ab") == {"signature": "ab", "signature-algorithm": "SHA256withRSA"}
    assert metadata("ab", "t")["backfill-generation-timestamp"] == "t"
