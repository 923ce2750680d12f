"""Chunk signatures, against the example of the S3 documentation and a chain made here from its definition."""

import hmac
from datetime import UTC, datetime
from hashlib import sha256

import pytest

from apitrail.identity.canonical import EMPTY_SHA256, signing_key
from apitrail.identity.chunks import ChunkVerifier, chunk_verifier
from apitrail.identity.credentials import Credential
from apitrail.identity.principal import Principal
from apitrail.identity.refusals import AuthenticationError
from apitrail.identity.signer import sign_headers
from apitrail.identity.sigv4 import SIGNED_CHUNKS_TRAILER, authenticate
from apitrail.wire.http import HttpRequest
from apitrail.wire.scope import find_scope

# the documented example: 66560 bytes in chunks of 65536
DOCUMENTED = [
    ("ad80c730a21e5b8d04586a2213dd63b9a0e99e0e2307b0ade35a65485a288648", b"a" * 65536),
    ("0055627c9e194cb4542bae2aa5492e3c1575bbb81b612b7d234b86a503ef5497", b"a" * 1024),
    ("b6c6ea8a5354eaf15b3cb7646744f4275b71ea724fed81ceb9323e279d449df9", b""),
]
SEED = "4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9"
SECRET = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
AT, SCOPE = "20130524T000000Z", "20130524/us-east-1/s3/aws4_request"


def verifier(*, trailer: bool = False) -> ChunkVerifier:
    key = signing_key(SECRET, "20130524", "us-east-1", "s3")
    return ChunkVerifier(key, AT, SCOPE, SEED, trailer=trailer)


def feed(checker: ChunkVerifier, chunks: list[tuple[str, bytes]]) -> None:
    for signature, content in chunks:
        checker.check_chunk(signature, sha256(content).hexdigest())
    checker.finish()


def test_the_documented_example_is_accepted() -> None:
    feed(verifier(), DOCUMENTED)


@pytest.mark.parametrize(
    "chunks",
    [
        [DOCUMENTED[1], DOCUMENTED[0], DOCUMENTED[2]],
        [DOCUMENTED[0], DOCUMENTED[0], DOCUMENTED[1], DOCUMENTED[2]],
        [DOCUMENTED[0], DOCUMENTED[2]],
        [DOCUMENTED[0], (DOCUMENTED[1][0], b"b" * 1024), DOCUMENTED[2]],
        [("0" * 64, DOCUMENTED[0][1])],
        [("ü", DOCUMENTED[0][1])],
        DOCUMENTED[:2],
        [*DOCUMENTED, DOCUMENTED[2]],
        [],
    ],
    ids=["reordered", "replayed", "dropped", "altered", "foreign", "odd", "unfinished", "continued", "nothing"],
)
def test_a_broken_chain_is_refused(chunks: list[tuple[str, bytes]]) -> None:
    with pytest.raises(AuthenticationError) as caught:
        feed(verifier(), chunks)
    assert caught.value.error_code == "SignatureDoesNotMatch"
    assert caught.value.reason == "bad-signature"


class OneKey:
    def __init__(self, credential: Credential) -> None:
        self.credential = credential

    def find(self, access_key: str) -> Credential | None:
        return self.credential if access_key == self.credential.access_key else None


NOW = datetime(2026, 3, 4, 9, 15, tzinfo=UTC)
ROOT = Principal("Root", "111122223333", "arn:aws:iam::111122223333:root", "111122223333")
CREDENTIAL = Credential("AKIAEXAMPLEKEY000001", SECRET, ROOT)


def trailer_request() -> HttpRequest:
    headers = {"x-amz-trailer": "x-amz-checksum-crc32", "x-amz-content-sha256": SIGNED_CHUNKS_TRAILER}
    sent = sign_headers("PUT", "http://h/b/k", headers, b"", CREDENTIAL, "us-east-1", "s3", NOW)
    pairs = tuple((name.encode(), value.encode()) for name, value in sent.items())
    return HttpRequest("PUT", b"/b/k", b"", pairs)


def step(kind: str, previous: str, *hashes: str) -> str:
    key = signing_key(SECRET, "20260304", "us-east-1", "s3")
    lines = [f"AWS4-HMAC-SHA256-{kind}", "20260304T091500Z", "20260304/us-east-1/s3/aws4_request", previous, *hashes]
    return hmac.digest(key, "\n".join(lines).encode(), "sha256").hex()


def test_a_signed_trailer_is_part_of_the_chain() -> None:
    request = trailer_request()
    scope = find_scope(request)
    assert scope is not None
    checker = chunk_verifier(request, authenticate(request, scope, OneKey(CREDENTIAL), NOW))
    assert checker is not None
    last = step("PAYLOAD", scope.signature, EMPTY_SHA256, EMPTY_SHA256)
    checker.check_chunk(last, EMPTY_SHA256)
    with pytest.raises(AuthenticationError):
        checker.finish()
    trailer = sha256(b"x-amz-checksum-crc32:sOO8/Q==\n").hexdigest()
    signature = step("TRAILER", last, trailer)
    with pytest.raises(AuthenticationError):
        checker.check_trailer(signature, {"x-amz-checksum-crc32": "AAAAAA=="})
    checker.check_trailer(signature, {"X-Amz-Checksum-Crc32": "sOO8/Q=="})
    checker.finish()
    with pytest.raises(AuthenticationError):
        checker.check_trailer(signature, {"X-Amz-Checksum-Crc32": "sOO8/Q=="})


def test_a_trailer_that_was_not_announced_is_refused() -> None:
    checker = verifier()
    for signature, content in DOCUMENTED:
        checker.check_chunk(signature, sha256(content).hexdigest())
    with pytest.raises(AuthenticationError):
        checker.check_trailer("0" * 64, {})


def test_requests_without_signed_chunks_have_no_chain() -> None:
    sent = sign_headers("PUT", "http://h/b/k", {}, b"x", CREDENTIAL, "us-east-1", "s3", NOW)
    pairs = tuple((name.encode(), value.encode()) for name, value in sent.items())
    request = HttpRequest("PUT", b"/b/k", b"", pairs, body=b"x")
    assert chunk_verifier(request, authenticate(request, find_scope(request), OneKey(CREDENTIAL), NOW)) is None
