import pytest

from apitrail.errors import ServiceError
from apitrail.wire.http import HttpRequest
from apitrail.wire.scope import Scope, find_scope

SIGNATURE = "0123456789abcdef" * 4
CREDENTIAL = "AKIDEXAMPLE/20260304/us-west-2/gamelift/aws4_request"
HEADER = f"AWS4-HMAC-SHA256 Credential={CREDENTIAL}, SignedHeaders=host;x-amz-date, Signature={SIGNATURE}"
QUERY = (
    f"X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential={CREDENTIAL.replace('/', '%2F')}&X-Amz-Date=20260304T091502Z"
    f"&X-Amz-SignedHeaders=host&X-Amz-Signature={SIGNATURE}"
)


def request(authorization: str | None = None, query: str = "") -> HttpRequest:
    headers = () if authorization is None else ((b"authorization", authorization.encode("latin-1")),)
    return HttpRequest("POST", b"/", query.encode(), headers)


def test_an_unsigned_request_has_no_scope() -> None:
    assert find_scope(request()) is None
    assert find_scope(request(query="AWSAccessKeyId=a&Signature=b&Expires=1")) is None


@pytest.mark.parametrize("header", [HEADER, HEADER.replace(", ", ","), HEADER.replace("Credential", "  Credential")])
def test_the_claims_of_a_header_are_read(header: str) -> None:
    expected = Scope("AKIDEXAMPLE", "20260304", "us-west-2", "gamelift", ("host", "x-amz-date"), SIGNATURE, False)
    assert find_scope(request(header)) == expected


def test_the_claims_of_a_presigned_url_are_read() -> None:
    expected = Scope("AKIDEXAMPLE", "20260304", "us-west-2", "gamelift", ("host",), SIGNATURE, True)
    assert find_scope(request(query=QUERY)) == expected


@pytest.mark.parametrize(
    "header",
    [
        "",
        "Bearer abc",
        "AWS AKIDEXAMPLE:c2ln",
        HEADER.replace("SHA256", "SHA1"),
        HEADER.replace("Credential=", "Cred="),
        HEADER.replace(f", Signature={SIGNATURE}", ""),
        HEADER.replace("SignedHeaders=host;x-amz-date", "SignedHeaders="),
        HEADER.replace("SignedHeaders=host;x-amz-date", "SignedHeaders=host;;x"),
        HEADER.replace("host;x-amz-date", "host x"),
        HEADER.replace("AKIDEXAMPLE", "AKID/EXAMPLE"),
        HEADER.replace("AKIDEXAMPLE", ""),
        HEADER.replace("AKIDEXAMPLE", "a" * 129),
        HEADER.replace("AKIDEXAMPLE", "ä"),
        HEADER.replace("20260304", "2026-03-04"),
        HEADER.replace("aws4_request", "aws4"),
        HEADER.replace(SIGNATURE, SIGNATURE[:-1]),
        HEADER.replace(SIGNATURE, SIGNATURE.upper()),
        f"{HEADER}, Signature={SIGNATURE}",
        HEADER + "a" * 9000,
    ],
)
def test_a_signature_that_cannot_be_read_is_refused(header: str) -> None:
    with pytest.raises(ServiceError) as caught:
        find_scope(request(header))
    assert (caught.value.error_code, caught.value.error_status) == ("IncompleteSignature", 400)
    assert "AKID" not in caught.value.message
    assert SIGNATURE not in caught.value.message


@pytest.mark.parametrize(
    "query",
    [
        QUERY.replace("X-Amz-Algorithm=AWS4-HMAC-SHA256&", ""),
        QUERY.replace("X-Amz-SignedHeaders=host&", ""),
        QUERY.replace(SIGNATURE, ""),
        f"{QUERY}&X-Amz-Signature={SIGNATURE}",
        QUERY.replace("%2Faws4_request", ""),
    ],
)
def test_a_presigned_url_that_cannot_be_read_is_refused(query: str) -> None:
    with pytest.raises(ServiceError) as caught:
        find_scope(request(query=query))
    assert caught.value.error_code == "IncompleteSignature"
