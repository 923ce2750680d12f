import pytest

from apitrail.wire.hosts import VIRTUAL_HOST_SUFFIXES, bucket_of_host


@pytest.mark.parametrize(
    ("host", "bucket"),
    [
        ("localhost", ""),
        ("localhost:4566", ""),
        ("127.0.0.1:4566", ""),
        ("[::1]:4566", ""),
        ("", ""),
        ("s3.amazonaws.com", ""),
        ("s3.us-west-2.amazonaws.com", ""),
        ("s3-us-west-2.amazonaws.com", ""),
        ("s3.localhost:4566", ""),
        ("gamelift.us-west-2.amazonaws.com", ""),
        ("bkt.localhost:4566", "bkt"),
        ("BKT.localhost", "bkt"),
        ("my.bucket.localhost", "my.bucket"),
        ("my-bucket.s3.amazonaws.com", "my-bucket"),
        ("my-bucket.s3.eu-west-1.amazonaws.com", "my-bucket"),
        ("my-bucket.s3-eu-west-1.amazonaws.com", "my-bucket"),
        ("my-bucket.s3.localhost:4566", "my-bucket"),
        ("a.s3.b.s3.example.com", "a.s3.b"),
        ("ab.localhost", ""),
        ("under_score.localhost", ""),
        ("bkt.example.com", ""),
    ],
)
def test_a_bucket_is_found_in_the_host(host: str, bucket: str) -> None:
    assert bucket_of_host(host, VIRTUAL_HOST_SUFFIXES) == bucket


def test_further_suffixes_can_be_given() -> None:
    assert bucket_of_host("bkt.files.example.com:80", (".files.example.com",)) == "bkt"
