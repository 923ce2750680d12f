"""Authentication of requests that botocore itself signed, and of every way to alter them."""

import dataclasses
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from hashlib import sha256
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import botocore.auth
import pytest
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials as BotoCredentials

from apitrail.clock import SystemClock
from apitrail.identity.credentials import Credential
from apitrail.identity.principal import Principal
from apitrail.identity.refusals import AuthenticationError
from apitrail.identity.sigv4 import UNSIGNED_TRAILER, Authenticated, authenticate
from apitrail.wire.http import HttpRequest, StagedBody
from apitrail.wire.scope import find_scope

KEY, SECRET, TOKEN = "AKIAEXAMPLEKEY000001", "secret/with+signs", "FwoGZXIvYXdzEXAMPLE//token=="
TEMPORARY = "ASIAEXAMPLEKEY000002"
DANA = Principal("IAMUser", "111122223333", "arn:aws:iam::111122223333:user/dana", "AIDAEXAMPLE", KEY, "dana")
real_time = SystemClock().now


class Keys:
    def __init__(self, *known: Credential) -> None:
        self.known = {credential.access_key: credential for credential in known}

    def find(self, access_key: str) -> Credential | None:
        return self.known.get(access_key)


KEYS = Keys(
    Credential(KEY, SECRET, DANA),
    Credential(TEMPORARY, SECRET, DANA, token=TOKEN, expires_at=real_time() + timedelta(hours=1)),
)


def to_http(signed: AWSRequest) -> HttpRequest:
    prepared = signed.prepare()
    split = urlsplit(prepared.url)
    headers = [(name.lower().encode(), _bytes(value)) for name, value in prepared.headers.items()]
    if not any(name == b"host" for name, _ in headers):
        headers.append((b"host", split.netloc.encode()))
    body = prepared.body if isinstance(prepared.body, bytes) else str(prepared.body or "").encode()
    return HttpRequest(signed.method, split.path.encode(), split.query.encode(), tuple(headers), body)


def _bytes(value: Any) -> bytes:
    return value if isinstance(value, bytes) else str(value).encode("latin-1")


def sign(
    auth: Callable[..., Any] = botocore.auth.SigV4Auth,
    method: str = "POST",
    url: str = "http://127.0.0.1:4580/",
    body: bytes = b"{}",
    headers: dict[str, str] | None = None,
    service: str = "gamelift",
    token: bool = False,
    **more: Any,
) -> HttpRequest:
    request = AWSRequest(method=method, url=url, data=body, headers=headers or {})
    credentials = BotoCredentials(TEMPORARY, SECRET, TOKEN) if token else BotoCredentials(KEY, SECRET)
    arguments = () if auth is botocore.auth.HmacV1QueryAuth else (service, "us-west-2")
    auth(credentials, *arguments, **more).add_auth(request)
    return to_http(request)


def check(request: HttpRequest, now: datetime | None = None, **more: Any) -> Authenticated:
    return authenticate(request, find_scope(request), more.pop("keys", KEYS), now or real_time(), **more)


def refused(request: HttpRequest, now: datetime | None = None, **more: Any) -> AuthenticationError:
    with pytest.raises(AuthenticationError) as caught:
        check(request, now, **more)
    return caught.value


JSON = {"Content-Type": "application/x-amz-json-1.1", "X-Amz-Target": "GameLift.CreateFleet"}
FORM = {"Content-Type": "application/x-www-form-urlencoded; charset=utf-8"}
S3, S3_QUERY = botocore.auth.S3SigV4Auth, botocore.auth.S3SigV4QueryAuth
QUERY, V2 = botocore.auth.SigV4QueryAuth, botocore.auth.HmacV1QueryAuth
FORMS: dict[str, dict[str, Any]] = {
    "json": {"headers": JSON, "body": b'{"Name":"x"}'},
    "query": {"headers": FORM, "body": b"Action=ListUsers&Version=2010-05-08", "service": "iam"},
    "s3": {"auth": S3, "method": "PUT", "url": "http://127.0.0.1:4580/b/k%20e/y", "body": b"content", "service": "s3"},
    "s3-list": {
        "auth": S3,
        "method": "GET",
        "url": "http://h:1/b?list-type=2&prefix=a%2Fb&delimiter=%2F",
        "body": b"",
        "service": "s3",
    },
    "presigned-sts": {
        "auth": QUERY,
        "method": "GET",
        "url": "http://h/?Action=GetCallerIdentity&Version=2011-06-15",
        "body": b"",
        "service": "sts",
    },
    "presigned-s3": {
        "auth": S3_QUERY,
        "method": "GET",
        "url": "http://h:4580/b/k?versionId=1",
        "body": b"",
        "service": "s3",
    },
    "v2": {"auth": V2, "method": "GET", "url": "http://h:4580/b/k?versionId=1", "body": b"", "service": "s3"},
}


@pytest.mark.parametrize("token", [False, True], ids=["long-term", "session"])
@pytest.mark.parametrize("form", FORMS)
def test_what_botocore_signs_is_accepted(form: str, token: bool) -> None:
    caller = check(sign(**FORMS[form], token=token))
    assert caller.principal is DANA
    assert caller.access_key == (TEMPORARY if token else KEY)
    assert caller.region == ("us-east-1" if form == "v2" else "us-west-2")
    assert caller.service == FORMS[form].get("service", "gamelift")


@pytest.mark.parametrize(
    "url",
    [
        "http://h/a//b",
        "http://h/a/./b/../c",
        "http://h/a/..",
        "http://h/%2F%2f",
        "http://h/tags/arn%3Aaws%3Agamelift%3A%3A%3Afleet%2Fx",
        "http://h/with%20space/%C3%BC",
        "http://h/a;b=c,d:e@f!$&'()*+",
        "http://h/~user/.hidden",
    ],
)
def test_ugly_paths_of_other_services_are_accepted(url: str) -> None:
    assert check(sign(url=url, method="GET", body=b"")).principal is DANA


@pytest.mark.parametrize(
    "path",
    ["/b/a//b", "/b/a/../b", "/b/./x", "/b/k%20%2B%25", "/b/%C3%BC%E2%82%AC", "/b/~", "/b//", "/b/a%2Fb", "/"],
)
def test_ugly_paths_of_s3_are_accepted(path: str) -> None:
    for auth in (S3, S3_QUERY):
        assert check(sign(auth, "GET", f"http://h{path}", b"", service="s3")).principal is DANA


@pytest.mark.parametrize("sent", [b"/b/%7e%c3%bc", b"/b/%7E%C3%BC", b"/b/~%c3%bc"])
def test_spellings_of_one_path_of_s3_are_the_same(sent: bytes) -> None:
    request = sign(S3, "GET", "http://h/b/~%C3%BC", b"", service="s3")
    assert check(dataclasses.replace(request, raw_path=sent)).principal is DANA


def test_a_path_of_s3_is_not_normalised() -> None:
    request = sign(S3, "GET", "http://h/b/a/../k", b"", service="s3")
    assert refused(dataclasses.replace(request, raw_path=b"/b/k")).reason == "bad-signature"


@pytest.mark.parametrize(
    ("signed", "sent"),
    [
        ("prefix=a%20b", b"prefix=a+b"),
        ("lifecycle=", b"lifecycle"),
        ("prefix=a%2Fb", b"prefix=a%2fb"),
        ("prefix=a%2Fb", b"prefix=a/b"),
        ("a=1&b=2", b"b=2&a=1"),
        ("a=1&a=2", b"a=2&a=1"),
    ],
)
def test_spellings_of_one_query_are_the_same(signed: str, sent: bytes) -> None:
    request = sign(S3, "GET", f"http://h/b?{signed}", b"", service="s3")
    assert check(dataclasses.replace(request, raw_query=sent)).principal is DANA


def test_header_values_are_trimmed_and_repeats_joined() -> None:
    request = sign(headers={**JSON, "X-Amz-Meta-A": "one two", "X-Amz-Meta-B": "1,2"})
    others = tuple(pair for pair in request.headers if not pair[0].startswith(b"x-amz-meta"))
    spaced = (
        (b"x-amz-meta-b", b"1"),
        (b"x-amz-meta-a", b"  one \t two "),
        (b"x-amz-meta-b", b"2"),
    )
    assert check(dataclasses.replace(request, headers=others + spaced)).principal is DANA


def with_header(request: HttpRequest, name: bytes, value: bytes | None) -> HttpRequest:
    kept = tuple(pair for pair in request.headers if pair[0] != name)
    return dataclasses.replace(request, headers=kept + (((name, value),) if value is not None else ()))


JSON_CODES = {"bad-signature": ("InvalidSignatureException", 400), "altered-body": ("InvalidSignatureException", 400)}
ALTERATIONS: dict[str, Callable[[HttpRequest], HttpRequest]] = {
    "method": lambda request: dataclasses.replace(request, method="PATCH"),
    "path": lambda request: dataclasses.replace(request, raw_path=request.raw_path + b"x"),
    "query": lambda request: dataclasses.replace(request, raw_query=request.raw_query + b"&x=y"),
    "host": lambda request: with_header(request, b"host", b"elsewhere"),
}


@pytest.mark.parametrize("altered", ALTERATIONS)
@pytest.mark.parametrize("form", [form for form in FORMS if form != "v2"])
def test_each_alteration_is_refused(form: str, altered: str) -> None:
    error = refused(ALTERATIONS[altered](sign(**FORMS[form])))
    assert error.reason == "bad-signature"
    assert error.error_code == ("InvalidSignatureException" if form == "json" else "SignatureDoesNotMatch")
    assert error.error_status == (400 if form == "json" else 403)


@pytest.mark.parametrize("altered", ["method", "path"])
def test_an_altered_version_2_url_is_refused(altered: str) -> None:
    error = refused(ALTERATIONS[altered](sign(**FORMS["v2"])))
    assert (error.error_code, error.reason) == ("SignatureDoesNotMatch", "bad-signature")
    request = sign(**FORMS["v2"])
    other = dataclasses.replace(request, raw_query=request.raw_query.replace(b"versionId=1", b"versionId=2"))
    assert refused(other).reason == "bad-signature"
    later = dataclasses.replace(request, raw_query=request.raw_query.replace(b"Expires=", b"Expires=9"))
    assert refused(later).reason == "bad-signature"


def test_altered_headers_and_bodies_are_refused() -> None:
    request = sign(**FORMS["json"])
    assert refused(with_header(request, b"x-amz-target", b"GameLift.DeleteFleet")).reason == "bad-signature"
    assert refused(with_header(request, b"x-amz-target", None)).reason == "bad-signature"
    assert refused(dataclasses.replace(request, body=b"{ }")).reason == "bad-signature"


def test_a_body_that_is_not_the_one_of_its_hash_is_refused() -> None:
    error = refused(dataclasses.replace(sign(**FORMS["s3"]), body=b"contend"))
    assert (error.error_code, error.error_status) == ("XAmzContentSHA256Mismatch", 400)
    assert error.reason == "altered-body"
    assert error.members["S3ComputedContentSHA256"] == sha256(b"contend").hexdigest()


def test_a_staged_body_is_compared_by_its_hash(tmp_path: Path) -> None:
    request = sign(**FORMS["s3"])
    digest = sha256(b"content").hexdigest()
    staged = StagedBody(tmp_path / "x", 7, digest, "")
    assert check(dataclasses.replace(request, body=b"", staged=staged)).principal is DANA
    assert check(dataclasses.replace(request, body=b""), body_sha256=digest).principal is DANA
    assert refused(dataclasses.replace(request, body=b"")).reason == "altered-body"


@pytest.mark.parametrize("payload", ["UNSIGNED-PAYLOAD", UNSIGNED_TRAILER])
def test_literal_payload_hashes_leave_the_body_unsigned(payload: str) -> None:
    request = sign(method="PUT", url="http://h/b/k", headers={"X-Amz-Content-SHA256": payload}, service="s3")
    assert check(dataclasses.replace(request, body=b"anything")).principal is DANA


def test_a_payload_hash_must_be_one() -> None:
    request = sign(headers={**JSON, "X-Amz-Content-SHA256": "nonsense"})
    assert refused(request).reason == "malformed"


@pytest.mark.parametrize(
    ("form", "code", "status"),
    [
        ("json", "UnrecognizedClientException", 400),
        ("query", "InvalidClientTokenId", 403),
        ("s3", "InvalidAccessKeyId", 403),
        ("v2", "InvalidAccessKeyId", 403),
        ("presigned-s3", "InvalidAccessKeyId", 403),
    ],
)
def test_an_unknown_key_is_refused(form: str, code: str, status: int) -> None:
    error = refused(sign(**FORMS[form]), keys=Keys())
    assert (error.error_code, error.error_status, error.reason) == (code, status, "unknown-key")
    assert error.access_key == KEY


@pytest.mark.parametrize("form", FORMS)
def test_a_wrong_secret_is_refused_in_every_mode(form: str) -> None:
    keys = Keys(Credential(KEY, "another", DANA))
    assert refused(sign(**FORMS[form]), keys=keys).reason == "bad-signature"
    assert refused(sign(**FORMS[form]), keys=keys, permissive=True).reason == "bad-signature"


@pytest.mark.parametrize("form", FORMS)
def test_an_inactive_key_is_refused(form: str) -> None:
    keys = Keys(Credential(KEY, SECRET, DANA, active=False))
    assert refused(sign(**FORMS[form]), keys=keys).reason == "inactive-key"


@pytest.mark.parametrize(
    ("form", "code"),
    [("json", "InvalidSignatureException"), ("query", "SignatureDoesNotMatch"), ("s3", "RequestTimeTooSkewed")],
)
@pytest.mark.parametrize("minutes", [-16, 16])
def test_a_clock_too_far_off_is_refused(form: str, code: str, minutes: int) -> None:
    request = sign(**FORMS[form])
    error = refused(request, real_time() + timedelta(minutes=minutes))
    assert (error.error_code, error.reason) == (code, "skew")
    assert check(request, real_time() + timedelta(minutes=minutes), permissive=True).principal is DANA
    assert check(request, real_time() + timedelta(minutes=14)).principal is DANA


@pytest.mark.parametrize(
    ("form", "code"), [("presigned-s3", "AccessDenied"), ("v2", "AccessDenied"), ("presigned-sts", "RequestExpired")]
)
def test_an_expired_url_is_refused(form: str, code: str) -> None:
    request = sign(**FORMS[form], expires=60)
    assert check(request, real_time() + timedelta(seconds=50)).principal is DANA
    error = refused(request, real_time() + timedelta(seconds=70))
    assert (error.error_code, error.error_status, error.reason) == (code, 403, "expired")
    assert error.message.startswith("Request has expired")


@pytest.mark.parametrize("seconds", [0, 604_801, -1])
def test_a_url_must_expire_within_a_week(seconds: int) -> None:
    assert refused(sign(**FORMS["presigned-s3"], expires=seconds)).reason == "malformed"


@pytest.mark.parametrize("form", FORMS)
def test_a_missing_or_wrong_session_token_is_refused(form: str) -> None:
    request = sign(**FORMS[form], token=True)
    bare = Keys(Credential(TEMPORARY, SECRET, DANA))
    assert refused(request, keys=bare).reason == "bad-token"
    other = Keys(Credential(TEMPORARY, SECRET, DANA, token="another"))
    assert refused(request, keys=other).reason == "bad-token"
    needs = Keys(Credential(KEY, SECRET, DANA, token=TOKEN))
    assert refused(sign(**FORMS[form]), keys=needs).reason == "missing-token"


@pytest.mark.parametrize(
    ("form", "code"),
    [("json", "ExpiredTokenException"), ("query", "ExpiredToken"), ("s3", "ExpiredToken"), ("v2", "ExpiredToken")],
)
def test_an_expired_session_is_refused(form: str, code: str) -> None:
    keys = Keys(Credential(TEMPORARY, SECRET, DANA, TOKEN, real_time() - timedelta(seconds=1)))
    error = refused(sign(**FORMS[form], token=True), keys=keys)
    assert (error.error_code, error.reason) == (code, "expired")


@pytest.mark.parametrize("form", ["json", "query", "s3", "presigned-s3"])
def test_every_amazon_header_must_be_signed(form: str) -> None:
    request = with_header(sign(**FORMS[form]), b"x-amz-acl", b"public-read")
    assert refused(request).reason == "bad-signature"
    assert check(with_header(sign(**FORMS[form]), b"x-amzn-trace-id", b"Root=1")).principal is DANA


def authorization(request: HttpRequest, old: str, new: str) -> HttpRequest:
    value = request.header("authorization") or ""
    assert old in value
    return with_header(request, b"authorization", value.replace(old, new).encode())


def test_the_host_must_be_signed() -> None:
    assert refused(authorization(sign(**FORMS["json"]), "host;", "")).reason == "malformed"


@pytest.mark.parametrize(
    ("old", "new"), [("us-west-2", "eu-west-1"), ("/gamelift/", "/cloudtrail/"), ("content-type;", "")]
)
def test_an_altered_scope_is_refused(old: str, new: str) -> None:
    assert refused(authorization(sign(**FORMS["json"]), old, new)).reason == "bad-signature"


def test_the_scopes_day_must_be_the_requests() -> None:
    request = sign(**FORMS["json"])
    day = (request.header("x-amz-date") or "")[:8]
    error = refused(authorization(request, f"/{day}/", "/20200101/"))
    assert error.reason == "bad-signature"
    assert "Date in Credential scope" in error.message


@pytest.mark.parametrize("date", [None, b"yesterday", b"20261399T000000Z", b"20260304T091500"])
def test_a_request_without_a_readable_time_is_refused(date: bytes | None) -> None:
    error = refused(with_header(sign(**FORMS["json"]), b"x-amz-date", date))
    assert (error.error_code, error.reason) == ("IncompleteSignatureException", "malformed")


def test_the_date_header_stands_in_for_the_amazon_one() -> None:
    assert check(sign(headers={**JSON, "Date": "now"})).principal is DANA


@pytest.mark.parametrize(
    ("headers", "code", "status"),
    [
        (((b"x-amz-target", b"GameLift.ListFleets"),), "MissingAuthenticationTokenException", 400),
        (((b"content-type", b"application/x-www-form-urlencoded"),), "MissingAuthenticationToken", 403),
        ((), "AccessDenied", 403),
    ],
)
@pytest.mark.parametrize("permissive", [False, True])
def test_an_unsigned_request_is_refused(headers: Any, code: str, status: int, permissive: bool) -> None:
    error = refused(HttpRequest("POST", b"/", b"", headers), permissive=permissive)
    assert (error.error_code, error.error_status, error.reason) == (code, status, "unsigned")


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(("key", "account"), [("444455556666", "444455556666"), ("test", "000000000000")])
def test_unknown_keys_are_root_when_permissive(form: str, key: str, account: str) -> None:
    request = sign(**FORMS[form])
    headers = tuple((name, value.replace(KEY.encode(), key.encode())) for name, value in request.headers)
    query = request.raw_query.replace(KEY.encode(), key.encode())
    caller = check(dataclasses.replace(request, headers=headers, raw_query=query), permissive=True)
    assert (caller.principal.kind, caller.principal.account, caller.access_key) == ("Root", account, key)
    assert caller.credential is None


def test_the_same_request_is_accepted_twice() -> None:
    request = sign(**FORMS["json"])
    assert check(request) == check(request)


def test_a_version_2_url_of_a_virtual_host_names_its_bucket() -> None:
    request = AWSRequest(method="GET", url="http://b.localhost/k", headers={}, auth_path="/b/k")
    V2(BotoCredentials(KEY, SECRET)).add_auth(request)
    assert check(to_http(request), virtual_bucket="b").principal is DANA
    assert refused(to_http(request)).reason == "bad-signature"


def test_a_half_version_2_url_is_refused() -> None:
    error = refused(HttpRequest("GET", b"/b/k", f"AWSAccessKeyId={KEY}".encode(), ()))
    assert error.reason == "malformed"


def test_no_secret_is_printed() -> None:
    assert SECRET not in repr(check(sign(**FORMS["json"])))


def test_a_server_in_another_time_zone_sees_the_same_moment() -> None:
    here = timezone(timedelta(hours=5))
    assert check(sign(**FORMS["json"]), real_time().astimezone(here)).principal is DANA
