"""Each operation of CloudTrail succeeds, and can end in each error that its model lists, save those that cannot happen here."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from cloudtrail_cases import (
    AWAY,
    BARE,
    BARE_DELEGATES,
    BARE_MEMBER,
    BILLED,
    DELEGATE,
    FAILURES,
    FULL,
    HOME,
    LONE,
    MANAGER,
    MEMBER,
    NEVER,
    OTHER,
    OTHER_MEMBER,
    OWN,
    POOR,
    READS,
    SHUT,
    SUCCESSES,
    UNLINKED,
    WHEN,
    Call,
    arn,
)

from apitrail.identity.credentials import Credential
from apitrail.identity.principal import Principal
from apitrail.services.registry import SERVICES
from apitrail.settings import Limits, Settings
from apitrail.wire.models import service_model
from door import Door, Reply

MODEL = service_model("cloudtrail")
TRAIL_SERVICE = "cloudtrail.amazonaws.com"
TRAILS_MAX = 9
CLOSED = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Deny", "Principal": "*", "Action": "s3:PutObject", "Resource": "arn:aws:s3:::closed/*"}],
}


class Scene(Door):
    """A server with the accounts, organizations and trails of the table. keys: by account or user."""

    keys: dict[str, Credential]

    def as_(self, who: str, service: str, operation: str, region: str = HOME, **params: Any) -> dict[str, Any]:
        """Make a call that must succeed."""
        reply = self.call(service, operation, params, key=self.keys[who], region=region)
        assert reply.status < 300, (operation, reply.code, reply.message)
        return reply.result

    def play(self, operation: str, call: Call) -> Reply:
        """Make a call of the table."""
        return self.call("cloudtrail", operation, call.params, key=self.keys[call.who], region=call.region)

    def user(self, account: str, name: str, *actions: str) -> None:
        """Make a user who may do some things."""
        allow = {"Effect": "Allow", "Action": list(actions), "Resource": "*"}
        self.as_(account, "iam", "CreateUser", UserName=name)
        document = json.dumps({"Version": "2012-10-17", "Statement": [allow]})
        self.as_(account, "iam", "PutUserPolicy", UserName=name, PolicyName="some", PolicyDocument=document)
        key = self.as_(account, "iam", "CreateAccessKey", UserName=name)["AccessKey"]
        self.keys[name] = Credential(key["AccessKeyId"], key["SecretAccessKey"], Principal("IAMUser", account, "", ""))

    def organize(self, account: str, *members: str, access: bool = True, features: str = "ALL") -> None:
        """Make an organization."""
        self.as_(account, "organizations", "CreateOrganization", FeatureSet=features)
        for member in members:
            target = {"Id": member, "Type": "ACCOUNT"}
            invited = self.as_(account, "organizations", "InviteAccountToOrganization", Target=target)
            self.as_(member, "organizations", "AcceptHandshake", HandshakeId=invited["Handshake"]["Id"])
        if access:
            self.as_(account, "organizations", "EnableAWSServiceAccess", ServicePrincipal=TRAIL_SERVICE)


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    made = Scene(tmp_path_factory.mktemp("scene"), Settings(limits=Limits(trails_per_region=TRAILS_MAX)))
    furnish(made)
    yield made
    made.close()


def furnish(scene: Scene) -> None:
    others = (MEMBER, DELEGATE, LONE, BILLED, SHUT, BARE, *BARE_DELEGATES, BARE_MEMBER, OTHER, OTHER_MEMBER)
    scene.keys = {MANAGER: scene.root, **{account: scene.account(account) for account in others}}
    for bucket in ("audit", "closed", "gone"):
        constraint = {"LocationConstraint": HOME}
        scene.ok("s3", "CreateBucket", Bucket=bucket, CreateBucketConfiguration=constraint)
    furnish_organizations(scene)
    furnish_trails(scene)
    scene.ok("s3", "PutBucketPolicy", Bucket="closed", Policy=json.dumps(CLOSED))
    scene.ok("s3", "DeleteBucket", Bucket="gone")


def furnish_organizations(scene: Scene) -> None:
    scene.organize(MANAGER, MEMBER, DELEGATE)
    scene.ok("cloudtrail", "RegisterOrganizationDelegatedAdmin", MemberAccountId=DELEGATE)
    scene.organize(BILLED, access=False, features="CONSOLIDATED_BILLING")
    scene.organize(SHUT, access=False)
    scene.organize(BARE, *BARE_DELEGATES, BARE_MEMBER)
    for account in BARE_DELEGATES:
        delegated = {"AccountId": account, "ServicePrincipal": TRAIL_SERVICE}
        scene.as_(BARE, "organizations", "RegisterDelegatedAdministrator", **delegated)
    scene.user(MANAGER, POOR, "cloudtrail:*")
    scene.organize(OTHER, OTHER_MEMBER)
    scene.user(OTHER, UNLINKED, "cloudtrail:*", "organizations:*")


def furnish_trails(scene: Scene) -> None:
    buckets = {"shut-out": "closed", "homeless": "gone"}
    scene.ok("cloudtrail", "CreateTrail", Name="main", S3BucketName="audit", IsMultiRegionTrail=True)
    scene.ok("cloudtrail", "CreateTrail", Name="ours", S3BucketName="audit", IsOrganizationTrail=True)
    for name in ("spare", "tagged", "reading", "insightful", *buckets):
        scene.ok("cloudtrail", "CreateTrail", Name=name, S3BucketName=buckets.get(name, "audit"))
    scene.ok("cloudtrail", "AddTags", ResourceId=arn("tagged"), TagsList=FULL)
    scene.ok("cloudtrail", "PutEventSelectors", TrailName="reading", EventSelectors=READS)
    rate = [{"InsightType": "ApiErrorRateInsight"}]
    scene.ok("cloudtrail", "PutInsightSelectors", TrailName="insightful", InsightSelectors=rate)
    for account in (MEMBER, LONE, BILLED, SHUT, BARE_DELEGATES[0]):
        bucket = {"Bucket": f"own-{account}", "CreateBucketConfiguration": {"LocationConstraint": HOME}}
        scene.as_(account, "s3", "CreateBucket", **bucket)
        scene.as_(account, "cloudtrail", "CreateTrail", Name=OWN, S3BucketName=bucket["Bucket"])
    for number in range(TRAILS_MAX - 1):
        scene.as_(MANAGER, "cloudtrail", "CreateTrail", AWAY, Name=f"away-{number}", S3BucketName="audit")


def modelled(operation: str) -> set[str]:
    """Return the errors that the model lists for an operation."""
    return {shape.name for shape in MODEL.operation_model(operation).error_shapes}


def test_the_table_has_every_served_operation() -> None:
    served = set(SERVICES["cloudtrail"].operations)
    assert set(SUCCESSES) == served
    assert set(FAILURES) == served


@pytest.mark.parametrize("operation", sorted(FAILURES))
def test_the_table_has_exactly_the_errors_of_the_model(operation: str) -> None:
    caused = set(FAILURES[operation])
    assert caused <= modelled(operation)
    assert modelled(operation) - caused <= set(NEVER)


def test_every_error_has_its_words() -> None:
    caused = {error for calls in FAILURES.values() for error in calls}
    never = {error for operation, calls in FAILURES.items() for error in modelled(operation) - set(calls)}
    assert set(WHEN) == caused
    assert set(NEVER) == never


ROWS = [(operation, error) for operation, calls in sorted(FAILURES.items()) for error in sorted(calls)]


@pytest.mark.parametrize(("operation", "error"), ROWS)
def test_a_call_ends_in_its_error_and_is_recorded_so(scene: Scene, operation: str, error: str) -> None:
    scene.new_events()
    reply = scene.play(operation, FAILURES[operation][error])
    assert (reply.status, reply.code) == (400, error), reply.message
    assert len(reply.message) > 10
    (record,) = [one for one in scene.new_events() if one["requestID"] == reply.request_id]
    assert (record["eventName"], record["errorCode"]) == (operation, error)
    assert record["responseElements"] is None


@pytest.mark.parametrize("operation", sorted(SUCCESSES))
def test_every_operation_succeeds_and_is_recorded_so(
    tmp_path_factory: pytest.TempPathFactory, scene: Scene, operation: str
) -> None:
    scene.new_events()
    reply = scene.play(operation, SUCCESSES[operation])
    assert reply.status == 200, (reply.code, reply.message)
    (record, *_) = [one for one in scene.new_events() if one["requestID"] == reply.request_id]
    assert (record["eventName"], record.get("errorCode")) == (operation, None)
