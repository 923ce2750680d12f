"""Signatures of game servers: the string that is signed, and everything that is refused."""

import hashlib
import hmac
from datetime import UTC, datetime, timedelta

import pytest

from apitrail.identity.credentials import Credential
from apitrail.identity.principal import Principal
from apitrail.identity.refusals import AuthenticationError
from apitrail.identity.sdk_signature import authenticate_process

NOW = datetime(2026, 3, 4, 9, 15, tzinfo=UTC)
ROOT = Principal("Root", "111122223333", "arn:aws:iam::111122223333:root", "111122223333")
NAMES = ("ComputeId", "FleetId", "pID")
KEY, SECRET = "AKIAEXAMPLEKEY000001", "an/example+secret"


class Keys:
    """Known keys: one for good, one for a session, one switched off."""

    def find(self, access_key: str) -> Credential | None:
        known = {
            KEY: Credential(KEY, SECRET, ROOT),
            "ASIASESSION": Credential("ASIASESSION", SECRET, ROOT, token="t", expires_at=NOW + timedelta(hours=1)),
            "AKIAOFF": Credential("AKIAOFF", SECRET, ROOT, active=False),
        }
        return known.get(access_key)


def mac(key: bytes, text: str) -> bytes:
    return hmac.new(key, text.encode(), hashlib.sha256).digest()


def signed(
    signed_text: str = "ComputeId=desk-1&FleetId=fleet-1&pID=p%2F1", access_key: str = KEY, at: datetime = NOW
) -> dict[str, str]:
    """Return the query of a game server, signed step by step as the specification says."""
    stamp, date = at.strftime("%Y%m%dT%H%M%SZ"), at.strftime("%Y%m%d")
    scope = f"{date}/us-west-2/gamelift/aws4_request"
    text = f"AWS4-HMAC-SHA256\n{stamp}\n{scope}\n{hashlib.sha256(signed_text.encode()).hexdigest()}"
    key = b"AWS4" + SECRET.encode()
    for part in (date, "us-west-2", "gamelift", "aws4_request"):
        key = mac(key, part)
    return {
        "pID": "p/1",
        "ComputeId": "desk-1",
        "FleetId": "fleet-1",
        "Authorization": "SigV4",
        "X-Amz-Algorithm": "AWS4-HMAC-SHA256",
        "X-Amz-Credential": f"{access_key}/{scope}",
        "X-Amz-Date": stamp,
        "X-Amz-Signature": mac(key, text).hex(),
    }


def reason(query: dict[str, str], now: datetime = NOW) -> str:
    with pytest.raises(AuthenticationError) as found:
        authenticate_process(query, NAMES, Keys(), now)
    return str(found.value.reason)


def test_a_right_signature_says_who_and_for_which_region() -> None:
    assert authenticate_process(signed(), NAMES, Keys(), NOW) == (ROOT, "us-west-2")


@pytest.mark.parametrize("written", ["my+desk", "my%20desk"])
def test_a_blank_may_be_written_in_both_ways(written: str) -> None:
    query = signed(f"ComputeId={written}&FleetId=fleet-1&pID=p%2F1") | {"ComputeId": "my desk"}
    assert authenticate_process(query, NAMES, Keys(), NOW) == (ROOT, "us-west-2")


def test_the_session_token_belongs_to_the_key() -> None:
    query = signed(access_key="ASIASESSION")
    assert authenticate_process(query | {"X-Amz-Security-Token": "t"}, NAMES, Keys(), NOW)[0] is ROOT
    assert reason(query) == "bad-token"
    assert reason(query | {"X-Amz-Security-Token": "é"}) == "bad-token"
    late = signed(access_key="ASIASESSION", at=NOW + timedelta(hours=1)) | {"X-Amz-Security-Token": "t"}
    assert reason(late, NOW + timedelta(hours=1)) == "expired"


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"pID": "p/2"}, "bad-signature"),
        ({"FleetId": "fleet-2"}, "bad-signature"),
        ({"ComputeId": "desk-2"}, "bad-signature"),
        ({"X-Amz-Signature": "00"}, "bad-signature"),
        ({"X-Amz-Signature": ""}, "bad-signature"),
        ({"X-Amz-Signature": "é"}, "bad-signature"),
        ({"X-Amz-Date": "20260304T091501Z"}, "bad-signature"),
        ({"X-Amz-Date": "20260303T091500Z"}, "malformed"),
        ({"X-Amz-Date": "yesterday"}, "malformed"),
        ({"X-Amz-Algorithm": "AWS4-HMAC-SHA1"}, "malformed"),
        ({"X-Amz-Credential": KEY}, "malformed"),
        ({"X-Amz-Credential": f"{KEY}/20260304/us-west-2/s3/aws4_request"}, "malformed"),
        ({"X-Amz-Credential": "AKIANOBODY/20260304/us-west-2/gamelift/aws4_request"}, "unknown-key"),
        ({"X-Amz-Credential": "AKIAOFF/20260304/us-west-2/gamelift/aws4_request"}, "inactive-key"),
    ],
)
def test_anything_else_is_refused(change: dict[str, str], expected: str) -> None:
    assert reason(signed() | change) == expected


def test_a_signature_of_another_time_is_refused() -> None:
    for minutes in (-16, 16):
        assert reason(signed(), NOW + timedelta(minutes=minutes)) == "skew"
    assert authenticate_process(signed(), NAMES, Keys(), NOW + timedelta(hours=3), permissive=True)[0] is ROOT


def test_an_unknown_key_is_let_in_where_that_is_allowed() -> None:
    query = signed(access_key="222233334444")
    principal, region = authenticate_process(query, NAMES, Keys(), NOW, permissive=True)
    assert (principal.account, region) == ("222233334444", "us-west-2")
