import hashlib

import pytest

from apitrail.errors import ServiceError
from apitrail.wire.aws_chunked import ChunkedDecoder

A, B, C = "a" * 64, "b" * 64, "c" * 64
SIGNED = (
    f"5;chunk-signature={A}\r\nhello\r\n6;chunk-signature={B}\r\n world\r\n0;chunk-signature={C}\r\n"
    "x-amz-checksum-crc32: AAAAAA==\r\nX-Amz-Trailer-Signature:dd\r\n\r\n"
).encode()
PLAIN = b"5\r\nhello\r\n0\r\nx-amz-checksum-crc32:AAAAAA==\r\n\r\n"


def test_signed_chunks_are_reported_with_the_hash_of_their_content() -> None:
    seen: list[tuple[str, str]] = []
    decoder = ChunkedDecoder(lambda signature, content: seen.append((signature, content)), signed=True, size=11)
    assert decoder.feed(SIGNED) == b"hello world"
    decoder.finish()
    assert seen == [
        (A, hashlib.sha256(b"hello").hexdigest()),
        (B, hashlib.sha256(b" world").hexdigest()),
        (C, hashlib.sha256(b"").hexdigest()),
    ]
    assert decoder.trailers == {"x-amz-checksum-crc32": "AAAAAA==", "x-amz-trailer-signature": "dd"}
    assert decoder.finished
    assert decoder.received == 11


def test_content_is_handed_on_as_it_arrives() -> None:
    decoder = ChunkedDecoder()
    assert [decoder.feed(bytes([byte])) for byte in PLAIN[:8]] == [b"", b"", b"", b"h", b"e", b"l", b"l", b"o"]
    assert not decoder.finished
    decoder.feed(PLAIN[8:])
    decoder.finish()
    assert decoder.trailers == {"x-amz-checksum-crc32": "AAAAAA=="}


def test_an_empty_content_has_one_chunk() -> None:
    decoder = ChunkedDecoder(size=0)
    assert decoder.feed(b"0\r\n\r\n") == b""
    decoder.finish()


@pytest.mark.parametrize(
    "frame",
    [
        b"zz\r\n",
        b"-1\r\n",
        b"0x5\r\nhello\r\n",
        b" 5\r\nhello\r\n",
        b"5;chunk-signature=abc\r\nhello\r\n",
        b"5;other=1\r\nhello\r\n",
        b"\r\n",
        b"5\r\nhelloo\r\n0\r\n\r\n",
        b"5\r\nhello\n\n0\r\n\r\n",
        b"1" * 17 + b"\r\n",
        b"ffffffffffff\r\n",
        b"a" * 5000,
        b"0\r\nno colon\r\n\r\n",
        b"0\r\na:1\r\nA:2\r\n\r\n",
        b"0\r\n" + b"".join(b"a%d:1\r\n" % number for number in range(40)) + b"\r\n",
        b"0\r\na:" + b"b" * 5000,
        b"0\r\n\r\nmore",
    ],
)
def test_a_broken_frame_is_refused(frame: bytes) -> None:
    decoder = ChunkedDecoder()
    with pytest.raises(ServiceError) as caught:
        decoder.feed(frame)
        decoder.feed(b"x" * 3)
    assert (caught.value.error_code, caught.value.error_status) == ("InvalidRequest", 400)


def test_chunks_without_a_signature_are_refused_where_they_must_have_one() -> None:
    with pytest.raises(ServiceError, match="signature"):
        ChunkedDecoder(signed=True).feed(PLAIN)


@pytest.mark.parametrize("length", range(len(PLAIN)))
def test_a_frame_that_is_cut_is_incomplete(length: int) -> None:
    decoder = ChunkedDecoder()
    decoder.feed(PLAIN[:length])
    with pytest.raises(ServiceError) as caught:
        decoder.finish()
    assert (caught.value.error_code, caught.value.error_status) == ("IncompleteBody", 400)


def test_more_or_less_than_announced_is_incomplete() -> None:
    with pytest.raises(ServiceError) as more:
        ChunkedDecoder(size=4).feed(PLAIN)
    decoder = ChunkedDecoder(size=6)
    decoder.feed(PLAIN)
    with pytest.raises(ServiceError) as less:
        decoder.finish()
    assert more.value.error_code == less.value.error_code == "IncompleteBody"


def test_what_the_check_of_a_chunk_raises_reaches_the_caller() -> None:
    def refuse(signature: str, content_sha256: str) -> None:
        raise ServiceError("No.", code="SignatureDoesNotMatch", status=403)

    with pytest.raises(ServiceError, match=r"No\."):
        ChunkedDecoder(refuse).feed(SIGNED)
