"""Who reaches a bucket: its policy, the caller's policies, accounts, AWS services and browsers."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from s3_scenes import OTHER, Scene, refused

from apitrail.errors import ServiceError
from apitrail.identity.principal import Principal
from apitrail.services.buckets import ensure_service_bucket
from apitrail.settings import Delivery, Settings
from apitrail.testing import Stage

ACCOUNT = "111122223333"
ARN = "arn:aws:s3:::audit"
DENIED = ("AccessDenied", 403)


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    scene = Scene(tmp_path / "data")
    yield scene
    assert scene.leftovers() == []
    scene.close()


@pytest.fixture
def client(scene: Scene) -> Any:
    made = scene.client()
    made.create_bucket(Bucket="audit")
    return made


@pytest.fixture
def room(stage: Stage) -> Stage:
    stage.region = "us-east-1"
    stage.call("CreateBucket", Bucket="audit")
    return stage


def statement(effect: str, who: Any, action: Any, resource: Any = f"{ARN}/*", **more: Any) -> dict[str, Any]:
    principal = who if who == "*" else {"AWS": who}
    return {"Effect": effect, "Principal": principal, "Action": action, "Resource": resource, **more}


def text_of(*statements: dict[str, Any]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def user(account: str, *allowed: str) -> Principal:
    document = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": list(allowed), "Resource": "*"}]}
    policies = (document,) if allowed else ()
    return Principal(
        "IAMUser", account, f"arn:aws:iam::{account}:user/ann", "AIDAANN", user_name="ann", policies=policies
    )


def outcome(stage: Stage, principal: Principal, operation: str, **params: Any) -> str:
    """Return the error code of a call, `ok` when it went through."""
    try:
        stage.call_(operation, {"Bucket": "audit", **params}, service="s3", principal=principal)
    except ServiceError as error:
        return error.error_code
    return "ok"


def test_a_bucket_policy_alone_lets_a_user_of_the_same_account_in(room: Stage) -> None:
    ann = user(ACCOUNT)
    room.call("PutObject", Bucket="audit", Key="k", Body=b"1")
    assert outcome(room, ann, "GetObject", Key="k") == "AccessDenied"
    room.call("PutBucketPolicy", Bucket="audit", Policy=text_of(statement("Allow", ann.arn, "s3:GetObject")))
    assert outcome(room, ann, "GetObject", Key="k") == "ok"
    assert outcome(room, ann, "DeleteObject", Key="k") == "AccessDenied"
    assert outcome(room, user(ACCOUNT, "s3:DeleteObject"), "DeleteObject", Key="k") == "ok"


def test_another_account_needs_both_its_own_policy_and_the_buckets(room: Stage) -> None:
    room.call("PutObject", Bucket="audit", Key="k", Body=b"1")
    reader = user(OTHER, "s3:GetObject")
    assert outcome(room, reader, "GetObject", Key="k") == "AccessDenied"
    account = f"arn:aws:iam::{OTHER}:root"
    room.call(
        "PutBucketPolicy", Bucket="audit", Policy=text_of(statement("Allow", account, ["s3:GetObject", "s3:PutObject"]))
    )
    assert outcome(room, reader, "GetObject", Key="k") == "ok"
    assert outcome(room, reader, "PutObject", Key="k", Body=b"2") == "AccessDenied"
    assert outcome(room, reader, "GetObject", Key="k", ExpectedBucketOwner=OTHER) == "AccessDenied"
    read = [event for event in room.events() if event["eventName"] == "GetObject" and "errorCode" not in event]
    assert read[0]["userIdentity"]["accountId"] == OTHER
    assert read[0]["resources"][1]["accountId"] == ACCOUNT


def test_an_explicit_deny_binds_root_but_never_shuts_the_policy_itself(scene: Scene, client: Any) -> None:
    client.put_object(Bucket="audit", Key="k", Body=b"1")
    client.put_bucket_policy(Bucket="audit", Policy=text_of(statement("Deny", "*", "s3:*", [ARN, f"{ARN}/*"])))
    assert refused(client.get_object, Bucket="audit", Key="k") == DENIED
    assert refused(client.list_objects_v2, Bucket="audit") == DENIED
    assert "explicit deny in a resource-based policy" in scene.events("GetObject")[-1]["errorMessage"]
    client.delete_bucket_policy(Bucket="audit")
    assert client.get_object(Bucket="audit", Key="k")["Body"].read() == b"1"


def test_a_policy_narrows_by_condition(room: Stage) -> None:
    rule = statement("Deny", "*", "s3:ListBucket", ARN, Condition={"StringNotLike": {"s3:prefix": "AWSLogs/*"}})
    room.call("PutBucketPolicy", Bucket="audit", Policy=text_of(rule))
    assert outcome(room, room.principal, "ListObjectsV2", Prefix="AWSLogs/x") == "ok"
    assert outcome(room, room.principal, "ListObjectsV2", Prefix="other") == "AccessDenied"


def test_each_key_of_a_joint_delete_is_asked_for_by_itself(client: Any) -> None:
    for key in ("logs/1", "own/1"):
        client.put_object(Bucket="audit", Key=key, Body=b"1")
    client.put_bucket_policy(Bucket="audit", Policy=text_of(statement("Deny", "*", "s3:DeleteObject", f"{ARN}/logs/*")))
    answer = client.delete_objects(Bucket="audit", Delete={"Objects": [{"Key": "logs/1"}, {"Key": "own/1"}]})
    assert [one["Key"] for one in answer["Deleted"]] == ["own/1"]
    assert [(one["Key"], one["Code"]) for one in answer["Errors"]] == [("logs/1", "AccessDenied")]
    assert [one["Key"] for one in client.list_objects_v2(Bucket="audit")["Contents"]] == ["logs/1"]


def test_a_copy_needs_the_right_to_read_its_source(room: Stage) -> None:
    room.call("CreateBucket", Bucket="target")
    room.call("PutObject", Bucket="audit", Key="k", Body=b"1")
    room.call("PutBucketPolicy", Bucket="audit", Policy=text_of(statement("Deny", "*", "s3:GetObject")))
    error = room.error("CopyObject", Bucket="target", Key="k", CopySource="audit/k")
    assert error.error_code == "AccessDenied"


def test_tags_on_a_new_object_need_a_right_of_their_own(room: Stage) -> None:
    writer = user(ACCOUNT, "s3:PutObject")
    assert outcome(room, writer, "PutObject", Key="k", Body=b"1") == "ok"
    assert outcome(room, writer, "PutObject", Key="k", Body=b"1", Tagging="a=b") == "AccessDenied"
    both = user(ACCOUNT, "s3:PutObject", "s3:PutObjectTagging")
    assert outcome(room, both, "PutObject", Key="k", Body=b"1", Tagging="a=b") == "ok"


# Public policies ------------------------------------------------------------------------------------------------


def test_a_public_policy_is_refused_until_the_block_is_taken_away(client: Any) -> None:
    public = text_of(statement("Allow", "*", "s3:GetObject"))
    assert all(client.get_public_access_block(Bucket="audit")["PublicAccessBlockConfiguration"].values())
    assert refused(client.put_bucket_policy, Bucket="audit", Policy=public) == DENIED
    client.delete_public_access_block(Bucket="audit")
    code = ("NoSuchPublicAccessBlockConfiguration", 404)
    assert refused(client.get_public_access_block, Bucket="audit") == code
    client.put_bucket_policy(Bucket="audit", Policy=public)
    assert client.get_bucket_policy_status(Bucket="audit")["PolicyStatus"] == {"IsPublic": True}


def test_a_restricted_bucket_with_a_public_policy_answers_its_own_account_only(room: Stage) -> None:
    room.call("PutObject", Bucket="audit", Key="k", Body=b"1")
    room.call("DeletePublicAccessBlock", Bucket="audit")
    room.call("PutBucketPolicy", Bucket="audit", Policy=text_of(statement("Allow", "*", "s3:GetObject")))
    reader = user(OTHER, "s3:GetObject")
    assert outcome(room, reader, "GetObject", Key="k") == "ok"
    block = {"RestrictPublicBuckets": True}
    room.call("PutPublicAccessBlock", Bucket="audit", PublicAccessBlockConfiguration=block)
    assert outcome(room, reader, "GetObject", Key="k") == "AccessDenied"
    assert outcome(room, user(ACCOUNT), "GetObject", Key="k") == "ok"


@pytest.mark.parametrize(
    ("condition", "is_public"),
    [
        ({}, True),
        ({"StringEquals": {"aws:SourceAccount": ACCOUNT}}, False),
        ({"StringLike": {"aws:PrincipalOrgID": "o-*"}}, True),
        ({"IpAddress": {"aws:SourceIp": "192.0.2.0/24"}}, False),
        ({"IpAddress": {"aws:SourceIp": "0.0.0.0/0"}}, True),
        ({"StringNotEquals": {"aws:SourceAccount": ACCOUNT}}, True),
        ({"Bool": {"aws:SecureTransport": "true"}}, True),
    ],
)
def test_fixed_callers_keep_a_policy_from_being_public(room: Stage, condition: dict[str, Any], is_public: bool) -> None:
    room.call("DeletePublicAccessBlock", Bucket="audit")
    rule = statement("Allow", "*", "s3:GetObject", Condition=condition)
    room.call("PutBucketPolicy", Bucket="audit", Policy=text_of(rule))
    assert room.call("GetBucketPolicyStatus", Bucket="audit")["PolicyStatus"] == {"IsPublic": is_public}


def test_ownership_and_encryption_are_those_of_every_new_bucket(client: Any) -> None:
    rules = client.get_bucket_ownership_controls(Bucket="audit")["OwnershipControls"]["Rules"]
    assert rules == [{"ObjectOwnership": "BucketOwnerEnforced"}]
    client.put_bucket_ownership_controls(Bucket="audit", OwnershipControls={"Rules": rules})
    others = {"Rules": [{"ObjectOwnership": "ObjectWriter"}]}
    assert (
        refused(client.put_bucket_ownership_controls, Bucket="audit", OwnershipControls=others)[0] == "NotImplemented"
    )
    rule = client.get_bucket_encryption(Bucket="audit")["ServerSideEncryptionConfiguration"]["Rules"][0]
    assert rule["ApplyServerSideEncryptionByDefault"] == {"SSEAlgorithm": "AES256"}


# Trails ---------------------------------------------------------------------------------------------------------


def trail_policy(account: str = ACCOUNT, prefix: str = "", **condition: str) -> str:
    service = {"Service": "cloudtrail.amazonaws.com"}
    when = {"StringEquals": {"s3:x-amz-acl": "bucket-owner-full-control", **condition}}
    put = f"{ARN}/{prefix}AWSLogs/{account}/*"
    return text_of(
        {"Effect": "Allow", "Principal": service, "Action": "s3:GetBucketAcl", "Resource": ARN},
        {"Effect": "Allow", "Principal": service, "Action": "s3:PutObject", "Resource": put, "Condition": when},
    )


def create_trail(stage: Stage, account: str = ACCOUNT, **params: Any) -> str:
    caller = Principal("Root", account, f"arn:aws:iam::{account}:root", account)
    return outcome_of_trail(stage, caller, "CreateTrail", {"Name": "main", "S3BucketName": "audit", **params})


def outcome_of_trail(stage: Stage, caller: Principal, operation: str, params: dict[str, Any]) -> str:
    try:
        stage.call_(operation, params, service="cloudtrail", principal=caller)
    except ServiceError as error:
        return error.error_code
    return "ok"


def test_a_trail_may_use_a_bucket_of_its_account_without_a_policy(room: Stage) -> None:
    assert create_trail(room) == "ok"


def test_a_policy_that_is_there_must_let_cloudtrail_in(room: Stage) -> None:
    room.call("PutBucketPolicy", Bucket="audit", Policy=text_of(statement("Allow", user(ACCOUNT).arn, "s3:GetObject")))
    assert create_trail(room) == "InsufficientS3BucketPolicyException"
    room.call("PutBucketPolicy", Bucket="audit", Policy=trail_policy())
    assert create_trail(room, S3KeyPrefix="deep") == "InsufficientS3BucketPolicyException"
    assert create_trail(room) == "ok"
    update = {"Name": "main", "S3KeyPrefix": "deep"}
    assert outcome_of_trail(room, room.principal, "UpdateTrail", update) == "InsufficientS3BucketPolicyException"
    room.call("PutBucketPolicy", Bucket="audit", Policy=trail_policy(prefix="deep/"))
    assert outcome_of_trail(room, room.principal, "UpdateTrail", update) == "ok"


def test_a_bucket_of_another_account_needs_a_policy_for_the_trails_account(room: Stage) -> None:
    assert create_trail(room, OTHER) == "InsufficientS3BucketPolicyException"
    room.call("PutBucketPolicy", Bucket="audit", Policy=trail_policy(ACCOUNT))
    assert create_trail(room, OTHER) == "InsufficientS3BucketPolicyException"
    wrong = {"aws:SourceArn": f"arn:aws:cloudtrail:us-east-1:{OTHER}:trail/other"}
    room.call("PutBucketPolicy", Bucket="audit", Policy=trail_policy(OTHER, **wrong))
    assert create_trail(room, OTHER) == "InsufficientS3BucketPolicyException"
    right = {"aws:SourceArn": f"arn:aws:cloudtrail:us-east-1:{OTHER}:trail/main"}
    room.call("PutBucketPolicy", Bucket="audit", Policy=trail_policy(OTHER, **right))
    assert create_trail(room, OTHER) == "ok"


def test_the_settings_can_ask_for_a_policy_as_aws_does(tmp_path: Path) -> None:
    with Stage(tmp_path, Settings(data=str(tmp_path), delivery=Delivery(require_bucket_policy=True))) as stage:
        stage.region = "us-east-1"
        stage.call("CreateBucket", Bucket="audit")
        assert create_trail(stage) == "InsufficientS3BucketPolicyException"
        stage.call("PutBucketPolicy", Bucket="audit", Policy=trail_policy())
        assert create_trail(stage) == "ok"


# Browsers -------------------------------------------------------------------------------------------------------

RULES = [
    {
        "AllowedOrigins": ["https://*.example.com"],
        "AllowedMethods": ["GET"],
        "ExposeHeaders": ["ETag"],
        "MaxAgeSeconds": 60,
    },
    {"AllowedOrigins": ["*"], "AllowedMethods": ["PUT"], "AllowedHeaders": ["x-amz-*", "content-type"]},
]


def ask(
    scene: Scene, origin: str, method: str, headers: str = "", host: str = "127.0.0.1:4580"
) -> tuple[int, dict[str, str]]:
    """Make a preflight; return status and the headers of the answer."""
    given = {"Origin": origin, "Access-Control-Request-Method": method, "Access-Control-Request-Headers": headers}
    path = "/k" if host.startswith("audit.") else "/audit/k"
    answer = scene.ask("OPTIONS", f"http://{host}{path}", {name: text for name, text in given.items() if text})
    return answer.status_code, {name: text for name, text in scene.last.items() if name.startswith("access")}


def test_cors_rules_are_kept_and_checked(client: Any) -> None:
    assert refused(client.get_bucket_cors, Bucket="audit") == ("NoSuchCORSConfiguration", 404)
    client.put_bucket_cors(Bucket="audit", CORSConfiguration={"CORSRules": RULES})
    assert client.get_bucket_cors(Bucket="audit")["CORSRules"] == RULES
    for broken in ({"AllowedMethods": ["PATCH"]}, {"AllowedOrigins": ["*.*"]}, {"AllowedHeaders": ["*-*"]}):
        wrong = {"CORSRules": [{**RULES[0], **broken}]}
        assert refused(client.put_bucket_cors, Bucket="audit", CORSConfiguration=wrong) == ("InvalidRequest", 400)
    client.delete_bucket_cors(Bucket="audit")
    assert refused(client.get_bucket_cors, Bucket="audit") == ("NoSuchCORSConfiguration", 404)


def test_preflights_are_answered_by_the_first_rule_that_fits(scene: Scene, client: Any) -> None:
    assert ask(scene, "https://a.example.com", "GET")[0] == 403
    client.put_bucket_cors(Bucket="audit", CORSConfiguration={"CORSRules": RULES})
    assert ask(scene, "https://a.example.com", "GET") == (
        200,
        {
            "access-control-allow-origin": "https://a.example.com",
            "access-control-allow-methods": "GET",
            "access-control-allow-credentials": "true",
            "access-control-expose-headers": "ETag",
            "access-control-max-age": "60",
        },
    )
    status, headers = ask(scene, "https://else.org", "PUT", "X-Amz-Date, content-type", host="audit.localhost:4580")
    assert (status, headers["access-control-allow-headers"]) == (200, "x-amz-date, content-type")
    assert headers["access-control-allow-origin"] == "*"
    assert ask(scene, "https://else.org", "GET")[0] == 403
    assert ask(scene, "https://else.org", "PUT", "authorization")[0] == 403
    assert ask(scene, "", "PUT")[0] == 400


def test_answers_to_pages_carry_the_headers_also_when_they_refuse(scene: Scene, client: Any) -> None:
    client.put_bucket_cors(Bucket="audit", CORSConfiguration={"CORSRules": RULES})
    headers = {"Origin": "https://a.example.com"}
    assert scene.ask("GET", "http://127.0.0.1:4580/audit/k", headers).status_code == 403
    assert scene.last["access-control-allow-origin"] == "https://a.example.com"
    scene.ask("GET", "http://127.0.0.1:4580/audit/k", {"Origin": "https://else.org"})
    assert "access-control-allow-origin" not in scene.last


# Templates of policies ------------------------------------------------------------------------------------------


def template(client: Any, key: str) -> str:
    return client.get_object(Bucket="awscloudtrail-policy-us-east-1", Key=f"policy/{key}")["Body"].read().decode()


def test_the_templates_make_policies_that_let_cloudtrail_in(scene: Scene, client: Any) -> None:
    text = template(client, "S3/AWSCloudTrail-S3BucketPolicy-2014-12-17.json")
    for prefix in ("", "deep/er/"):
        policy = (
            text.replace("<BucketName>", "audit").replace("<CustomerAccountID>", ACCOUNT).replace("<Prefix>/", prefix)
        )
        assert "<" not in policy
        client.put_bucket_policy(Bucket="audit", Policy=policy)
        params = {"Name": f"trail{len(prefix)}", "S3BucketName": "audit", "S3KeyPrefix": prefix.rstrip("/")}
        caller = Principal("Root", ACCOUNT, f"arn:aws:iam::{ACCOUNT}:root", ACCOUNT)
        scene.runner.run(scene.app.call(caller, "us-east-1", "cloudtrail", "CreateTrail", params))
    topic = template(client, "SNS/AWSCloudTrail-SnsTopicPolicy-2014-12-17.json")
    arn = json.loads(topic)["Statement"][0]["Resource"]
    assert arn == "arn:aws:sns:<Region>:<SNSTopicOwnerAccountId>:<SNSTopicName>"


def test_the_bucket_of_templates_can_be_read_only(scene: Scene, client: Any) -> None:
    name = "awscloudtrail-policy-us-east-1"
    assert refused(client.create_bucket, Bucket=name) == ("BucketAlreadyExists", 409)
    assert refused(client.put_object, Bucket=name, Key="k", Body=b"") == ("NoSuchBucket", 404)
    assert refused(client.get_object, Bucket=name, Key="policy/other") == ("NoSuchKey", 404)
    assert client.head_object(Bucket=name, Key="policy/S3/AWSCloudTrail-S3BucketPolicy-2014-12-17.json")[
        "ContentLength"
    ]
    params = {"Bucket": name, "Key": "policy/S3/AWSCloudTrail-S3BucketPolicy-2014-12-17.json"}
    with pytest.raises(ServiceError, match="not authorized to perform: s3:GetObject"):
        scene.runner.run(scene.app.call(user(ACCOUNT), "us-east-1", "s3", "GetObject", params))


def test_nobody_reaches_into_a_services_bucket_by_a_joint_delete(scene: Scene, client: Any) -> None:
    write = scene.app.write(ACCOUNT, "us-east-1", lambda ctx: ensure_service_bucket(ctx, "service-uploads"))
    scene.runner.run(write)
    answer = client.delete_objects(Bucket="service-uploads", Delete={"Objects": [{"Key": "k"}]})
    assert answer["Errors"][0]["Code"] == "AccessDenied"
