"""Our signer, held against botocore's."""

import datetime as dt
from typing import Any
from urllib.parse import parse_qs, urlsplit

import botocore.auth
import pytest
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials as BotoCredentials

from apitrail.clock import SystemClock
from apitrail.identity.credentials import Credential
from apitrail.identity.principal import Principal
from apitrail.identity.signer import presign_url, sign_headers

ROOT = Principal("Root", "111122223333", "arn:aws:iam::111122223333:root", "111122223333")
SIGNERS = {"s3": botocore.auth.S3SigV4Auth, "gamelift": botocore.auth.SigV4Auth}
URLS = ["http://h:4580/", "http://h/b/k%20%C3%BC?list-type=2&prefix=a%2Fb", "https://h/a//b?acl="]


def amz_time(text: str) -> dt.datetime:
    return dt.datetime.strptime(text, "%Y%m%dT%H%M%SZ").replace(tzinfo=dt.UTC)


@pytest.mark.parametrize("token", ["", "token//=="])
@pytest.mark.parametrize("service", SIGNERS)
@pytest.mark.parametrize("url", URLS)
def test_signed_headers_are_those_of_botocore(url: str, service: str, token: str) -> None:
    headers = {"Content-Type": "application/x-amz-json-1.1", "X-Amz-Target": "GameLift.ListFleets", "User-Agent": "x"}
    request = AWSRequest(method="POST", url=url, data=b"{}", headers=dict(headers))
    SIGNERS[service](BotoCredentials("AKIAX", "secret", token or None), service, "us-west-2").add_auth(request)
    theirs: dict[str, Any] = {name.lower(): value for name, value in request.headers.items()}
    now = amz_time(theirs["x-amz-date"])
    credential = Credential("AKIAX", "secret", ROOT, token=token)
    ours = sign_headers("POST", url, headers, b"{}", credential, "us-west-2", service, now)
    assert ours.pop("host") == urlsplit(url).netloc
    assert ours == theirs


@pytest.mark.parametrize("token", ["", "token//=="])
@pytest.mark.parametrize("url", URLS)
def test_presigned_urls_are_those_of_botocore(url: str, token: str) -> None:
    request = AWSRequest(method="GET", url=url, headers={})
    credentials = BotoCredentials("AKIAX", "secret", token or None)
    botocore.auth.S3SigV4QueryAuth(credentials, "s3", "us-west-2", expires=900).add_auth(request)
    theirs = parse_qs(urlsplit(request.url).query, keep_blank_values=True)
    now = amz_time(theirs["X-Amz-Date"][0])
    credential = Credential("AKIAX", "secret", ROOT, token=token)
    ours = urlsplit(presign_url("GET", url, credential, "us-west-2", "s3", now))
    assert parse_qs(ours.query, keep_blank_values=True) == theirs
    assert ours.path == urlsplit(url).path


def test_a_header_that_must_come_along_is_signed() -> None:
    now = SystemClock().now()
    credential = Credential("AKIAX", "secret", ROOT)
    url = presign_url("PUT", "http://h/b/k", credential, "us-west-2", "s3", now, 60, {"Content-Type": "text/plain"})
    assert parse_qs(urlsplit(url).query)["X-Amz-SignedHeaders"] == ["content-type;host"]
