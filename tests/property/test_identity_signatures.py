"""Whatever botocore signs verifies here, and a changed byte does not."""

import dataclasses
from typing import Any
from urllib.parse import quote, urlsplit

import botocore.auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials as BotoCredentials
from hypothesis import given, settings
from hypothesis import strategies as st

from apitrail.clock import SystemClock
from apitrail.errors import ServiceError
from apitrail.identity.credentials import Credential
from apitrail.identity.principal import Principal
from apitrail.identity.refusals import AuthenticationError
from apitrail.identity.sigv4 import authenticate
from apitrail.wire.http import HttpRequest
from apitrail.wire.scope import find_scope

SECRET = "0123456789secret"
ROOT = Principal("Root", "111122223333", "arn:aws:iam::111122223333:root", "111122223333", "AKIAX")
NOW = SystemClock().now()


class OneKey:
    def find(self, access_key: str) -> Credential | None:
        return Credential("AKIAX", SECRET, ROOT) if access_key == "AKIAX" else None


texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
segments = st.one_of(texts, st.sampled_from(["", ".", "..", "%", "+", "a b", "%2F", "arn:aws:x"]))
paths = st.lists(segments, max_size=6).map(lambda parts: "/" + "/".join(quote(part, safe="-_.~") for part in parts))
queries = st.lists(st.tuples(texts.filter(lambda text: not text.startswith("X-Amz-")), texts), max_size=6).map(
    lambda pairs: "&".join(f"{quote(name, safe='-_.~')}={quote(value, safe='-_.~')}" for name, value in pairs if name)
)
header_names = st.from_regex(r"(x-amz-meta-|x-)[a-z0-9-]{1,12}", fullmatch=True)
header_values = st.text(st.characters(min_codepoint=32, max_codepoint=126), min_size=1, max_size=30)
headers = st.dictionaries(header_names.filter(lambda name: name != "x-amzn-trace-id"), header_values, max_size=5)
signers = st.sampled_from(
    [
        (botocore.auth.SigV4Auth, "gamelift"),
        (botocore.auth.SigV4Auth, "iam"),
        (botocore.auth.S3SigV4Auth, "s3"),
        (botocore.auth.SigV4QueryAuth, "sts"),
        (botocore.auth.S3SigV4QueryAuth, "s3"),
    ]
)


def signed(signer: Any, method: str, path: str, query: str, given_headers: dict[str, str], body: bytes) -> HttpRequest:
    auth, service = signer
    url = f"http://localhost:4580{path}" + (f"?{query}" if query else "")
    request = AWSRequest(method=method, url=url, data=b"", headers=dict(given_headers))
    if "Query" not in auth.__name__:
        request.data = body
    auth(BotoCredentials("AKIAX", SECRET), service, "us-west-2").add_auth(request)
    split = urlsplit(request.url)
    pairs = [(name.lower().encode(), str(value).encode("latin-1")) for name, value in request.headers.items()]
    sent = request.data if isinstance(request.data, bytes) else b""
    return HttpRequest(method, split.path.encode(), split.query.encode(), (*pairs, (b"host", b"localhost:4580")), sent)


@settings(max_examples=300, deadline=None)
@given(signers, st.sampled_from(["GET", "PUT", "POST"]), paths, queries, headers, st.binary(max_size=50))
def test_what_botocore_signs_verifies(
    signer: Any, method: str, path: str, query: str, given_headers: dict[str, str], body: bytes
) -> None:
    request = signed(signer, method, path, query, given_headers, body)
    assert authenticate(request, find_scope(request), OneKey(), NOW).principal is ROOT


@settings(max_examples=200, deadline=None)
@given(signers, paths, queries, headers, st.binary(max_size=50), st.data())
def test_one_changed_byte_of_path_header_or_body_is_refused(
    signer: Any, path: str, query: str, given_headers: dict[str, str], body: bytes, data: st.DataObject
) -> None:
    request = signed(signer, "PUT", path, query, given_headers, body)
    scope = find_scope(request)
    changes = [dataclasses.replace(request, raw_path=request.raw_path + b"/z")]
    changes.append(dataclasses.replace(request, raw_query=request.raw_query + b"&zz=1"))
    names = [pair for pair in request.headers if pair[0].startswith((b"x-amz-", b"x-"))]
    for name, value in names:
        rest = tuple(pair for pair in request.headers if pair[0] != name)
        changes.append(dataclasses.replace(request, headers=(*rest, (name, value + b"!"))))
    if "Query" not in signer[0].__name__:
        changes.append(dataclasses.replace(request, body=request.body + b"!"))
    changed = data.draw(st.sampled_from(changes))
    try:
        authenticate(changed, scope, OneKey(), NOW)
    except AuthenticationError as error:
        assert error.reason in ("bad-signature", "altered-body", "malformed", "skew", "unknown-key")
    else:
        raise AssertionError("an altered request was accepted")


@settings(max_examples=300, deadline=None)
@given(
    st.sampled_from([b"authorization", b"x-amz-date", b"x-amz-content-sha256", b"x-amz-security-token", b"host"]),
    st.one_of(
        st.binary(max_size=60),
        st.sampled_from(
            [
                b"AWS4-HMAC-SHA256 Credential=AKIAX/20260304/us-west-2/s3/aws4_request, SignedHeaders=host, Signature=0",
                b"AWS4-HMAC-SHA256 Credential=/////, SignedHeaders=, Signature=",
                b"AWS AKIAX:abc",
                b"20260304T091500Z",
            ]
        ),
    ),
    st.binary(max_size=60),
)
def test_hostile_headers_and_queries_are_refused_in_order(name: bytes, value: bytes, query: bytes) -> None:
    request = signed((botocore.auth.SigV4Auth, "gamelift"), "POST", "/", "", {}, b"{}")
    rest = tuple(pair for pair in request.headers if pair[0] != name)
    hostile = dataclasses.replace(request, headers=(*rest, (name, value)), raw_query=query)
    try:
        caller = authenticate(hostile, find_scope(hostile), OneKey(), NOW)
    except ServiceError as error:
        assert error.message
    else:
        assert caller.principal is ROOT
