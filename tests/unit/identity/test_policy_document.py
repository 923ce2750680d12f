"""What policy documents are accepted."""

import json
from typing import Any

import pytest

from apitrail.identity.policy_document import MalformedPolicyDocument, PolicyKind, validate_policy_document

GOOD = {"Effect": "Allow", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::b/*"}
TRUST = {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"Service": "gamelift.amazonaws.com"}}


def text(*statements: Any, **more: Any) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements), **more})


@pytest.mark.parametrize(
    ("policy", "kind"),
    [
        (text(GOOD), "identity"),
        (json.dumps({"Statement": GOOD}), "identity"),
        (text(GOOD, Id="x"), "identity"),
        (text(TRUST), "trust"),
        (text({**TRUST, "Principal": {"AWS": ["111122223333", "arn:aws:iam::111122223333:root"]}}), "trust"),
        (text({**GOOD, "Principal": "*", "Condition": {"Bool": {"aws:SecureTransport": "false"}}}), "resource"),
    ],
)
def test_good_documents_are_accepted(policy: str, kind: PolicyKind) -> None:
    assert validate_policy_document(policy, kind) == json.loads(policy)


@pytest.mark.parametrize(
    ("policy", "kind"),
    [
        ("", "identity"),
        ("{", "identity"),
        ("[]", "identity"),
        ("{}", "identity"),
        ('"Statement"', "identity"),
        (text(), "identity"),
        (text("x"), "identity"),
        (text(GOOD, Extra=1), "identity"),
        (json.dumps({"Version": "2020-01-01", "Statement": [GOOD]}), "identity"),
        (text({**GOOD, "Effect": "allow"}), "identity"),
        (text({**GOOD, "Action": "GetObject"}), "identity"),
        (text({**GOOD, "Action": []}), "identity"),
        (text({**GOOD, "NotAction": "s3:*"}), "identity"),
        (text({**GOOD, "Resource": "b"}), "identity"),
        (text({**GOOD, "Resource": 5}), "identity"),
        (text({**GOOD, "Principal": "*"}), "identity"),
        (text({**GOOD, "Sid": "a"}, {**GOOD, "Sid": "a"}), "identity"),
        (text({**GOOD, "Sid": ["a"]}), "identity"),
        (text({**GOOD, "Condition": {"StringSame": {"a:b": "c"}}}), "identity"),
        (text({**GOOD, "Condition": {"ForSome:StringLike": {"a:b": "c"}}}), "identity"),
        (text({**GOOD, "Condition": {"NumericEquals": {"a:b": "c"}}}), "identity"),
        (text({**GOOD, "Condition": {"IpAddress": {"aws:SourceIp": "300.1.1.1"}}}), "identity"),
        (text({**GOOD, "Condition": {"Bool": {"a:b": {}}}}), "identity"),
        (text({**GOOD, "Condition": []}), "identity"),
        (text(GOOD), "trust"),
        (text({**TRUST, "Resource": "*"}), "trust"),
        (text({**TRUST, "Principal": {"AWS": "dana"}}), "trust"),
        (text({**TRUST, "Principal": {"AWS": "arn:aws:iam::111122223333:user/*"}}), "trust"),
        (text({**TRUST, "Principal": {}}), "trust"),
        (text({**TRUST, "Principal": {"Company": "x"}}), "trust"),
        (text(GOOD), "resource"),
        (" " * 200_000, "identity"),
        ("[" * 100_000, "identity"),
    ],
)
def test_bad_documents_are_refused_with_a_reason(policy: str, kind: PolicyKind) -> None:
    with pytest.raises(MalformedPolicyDocument) as caught:
        validate_policy_document(policy, kind)
    assert caught.value.message
    assert caught.value.error_code == "MalformedPolicyDocument"
