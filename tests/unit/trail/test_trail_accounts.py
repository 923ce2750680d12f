"""What one account's call is to another: copies of records, and which trail gets which."""

import gzip
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import orjson
import pytest

from apitrail.errors import ServiceError
from apitrail.identity.principal import Principal
from apitrail.store import journal
from apitrail.testing import Stage
from apitrail.testing.stage import ACCOUNT, REGION, root

OTHER = "444455556666"
ALLOW = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
DANA = Principal(
    "IAMUser",
    ACCOUNT,
    f"arn:aws:iam::{ACCOUNT}:user/dana",
    "AIDAEXAMPLEUSER000001",
    "AKIAEXAMPLEUSER00001",
    "dana",
    policies=(ALLOW,),
)


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    with Stage(tmp_path) as stage:
        yield stage


def trust(account: str) -> str:
    statement = {"Effect": "Allow", "Principal": {"AWS": account}, "Action": "sts:AssumeRole"}
    return orjson.dumps({"Version": "2012-10-17", "Statement": [statement]}).decode()


def make_role(stage: Stage, account: str, trusted: str) -> str:
    made = stage.call_(
        "CreateRole", {"RoleName": "Guest", "AssumeRolePolicyDocument": trust(trusted)}, principal=root(account)
    )
    return str(made["Role"]["Arn"])


def refused(stage: Stage, operation: str, params: dict[str, Any], principal: Principal) -> str:
    """Return the error code that a call ends in."""
    with pytest.raises(ServiceError) as error:
        stage.call_(operation, params, principal=principal)
    return error.value.error_code


def named(stage: Stage, name: str) -> list[dict[str, Any]]:
    """Return the records of an operation."""
    return [event for event in stage.events() if event["eventName"] == name]


def recipients(stage: Stage, name: str) -> list[str]:
    return [event["recipientAccountId"] for event in named(stage, name)]


def test_a_role_of_another_account_is_recorded_in_both(stage: Stage) -> None:
    arn = make_role(stage, OTHER, ACCOUNT)
    stage.call_("AssumeRole", {"RoleArn": arn, "RoleSessionName": "visit"}, principal=DANA)
    mine, theirs = named(stage, "AssumeRole")
    assert (mine["recipientAccountId"], theirs["recipientAccountId"]) == (ACCOUNT, OTHER)
    assert mine["sharedEventID"] == theirs["sharedEventID"]
    assert len({mine["sharedEventID"], mine["eventID"], theirs["eventID"]}) == 3
    assert mine["userIdentity"]["arn"] == DANA.arn
    assert theirs["userIdentity"] == {
        "type": "AWSAccount",
        "principalId": DANA.principal_id,
        "accountId": ACCOUNT,
    }
    own = ("userIdentity", "eventID", "recipientAccountId")
    assert {k: v for k, v in mine.items() if k not in own} == {k: v for k, v in theirs.items() if k not in own}


def test_the_copies_are_rows_of_their_own_accounts(stage: Stage) -> None:
    arn = make_role(stage, OTHER, ACCOUNT)
    stage.call_("AssumeRole", {"RoleArn": arn, "RoleSessionName": "visit"}, principal=DANA)
    rows = stage.run(stage.app.database.read(lambda tx: journal.read_after(tx, 0, 10)))[-2:]
    assert [row.account for row in rows] == [ACCOUNT, OTHER]
    assert [orjson.loads(row.event)["recipientAccountId"] for row in rows] == [ACCOUNT, OTHER]


def test_a_role_of_ones_own_account_is_recorded_once(stage: Stage) -> None:
    arn = make_role(stage, ACCOUNT, ACCOUNT)
    stage.call_("AssumeRole", {"RoleArn": arn, "RoleSessionName": "visit"}, principal=DANA)
    (event,) = named(stage, "AssumeRole")
    assert "sharedEventID" not in event


@pytest.mark.parametrize("how", ["not trusted", "too long"])
def test_a_refused_role_is_recorded_with_the_caller_alone(stage: Stage, how: str) -> None:
    arn = make_role(stage, OTHER, OTHER if how == "not trusted" else ACCOUNT)
    seconds = {"DurationSeconds": 43_200} if how == "too long" else {}
    code = refused(stage, "AssumeRole", {"RoleArn": arn, "RoleSessionName": "visit", **seconds}, DANA)
    assert code == ("AccessDenied" if how == "not trusted" else "ValidationError")
    (event,) = named(stage, "AssumeRole")
    assert event["recipientAccountId"] == ACCOUNT
    assert "sharedEventID" not in event


def make_bucket(stage: Stage, name: str, account: str) -> None:
    where = {"Bucket": name, "CreateBucketConfiguration": {"LocationConstraint": REGION}}
    stage.call_("CreateBucket", where, service="s3", principal=root(account))


def test_a_denied_access_to_another_accounts_bucket_is_recorded_in_both(stage: Stage) -> None:
    make_bucket(stage, "theirs", OTHER)
    assert refused(stage, "GetObject", {"Bucket": "theirs", "Key": "k"}, DANA) == "AccessDenied"
    mine, theirs = named(stage, "GetObject")
    assert (mine["recipientAccountId"], theirs["recipientAccountId"]) == (ACCOUNT, OTHER)
    assert mine["sharedEventID"] == theirs["sharedEventID"]
    assert theirs["userIdentity"]["type"] == "AWSAccount"
    (bucket,) = [item for item in theirs["resources"] if item["type"] == "AWS::S3::Bucket"]
    assert bucket["accountId"] == OTHER


def test_an_access_to_ones_own_bucket_is_recorded_once(stage: Stage) -> None:
    make_bucket(stage, "ours", ACCOUNT)
    stage.call_("ListObjectsV2", {"Bucket": "ours"}, service="s3")
    assert recipients(stage, "ListObjectsV2") == [ACCOUNT]
    assert refused(stage, "GetObject", {"Bucket": "ours", "Key": "k"}, root()) == "NoSuchKey"
    assert recipients(stage, "GetObject") == [ACCOUNT]


def open_to(action: str, account: str) -> str:
    statement = {"Effect": "Allow", "Principal": {"AWS": account}, "Action": action, "Resource": "*"}
    return orjson.dumps({"Version": "2012-10-17", "Statement": [statement]}).decode()


def test_a_message_to_another_accounts_topic_or_queue_is_recorded_in_both(stage: Stage) -> None:
    topic = stage.call_("CreateTopic", {"Name": "news"}, service="sns", principal=root(OTHER))["TopicArn"]
    publish = {"TopicArn": topic, "Message": "m"}
    assert refused(stage, "Publish", publish, DANA) == "AuthorizationError"
    policy = {"TopicArn": topic, "AttributeName": "Policy", "AttributeValue": open_to("sns:Publish", ACCOUNT)}
    stage.call_("SetTopicAttributes", policy, service="sns", principal=root(OTHER))
    stage.call_("Publish", publish, service="sns", principal=DANA)
    queue = stage.call_("CreateQueue", {"QueueName": "inbox"}, service="sqs", principal=root(OTHER))["QueueUrl"]
    attributes = {"Policy": open_to("sqs:SendMessage", ACCOUNT)}
    stage.call_(
        "SetQueueAttributes", {"QueueUrl": queue, "Attributes": attributes}, service="sqs", principal=root(OTHER)
    )
    stage.call_("SendMessage", {"QueueUrl": queue, "MessageBody": "m"}, service="sqs", principal=DANA)
    for copies in (named(stage, "Publish")[:2], named(stage, "Publish")[2:], named(stage, "SendMessage")):
        mine, theirs = copies
        assert (mine["recipientAccountId"], theirs["recipientAccountId"]) == (ACCOUNT, OTHER)
        assert mine["sharedEventID"] == theirs["sharedEventID"]
        assert (mine["userIdentity"]["type"], theirs["userIdentity"]["type"]) == ("IAMUser", "AWSAccount")
    assert recipients(stage, "SetTopicAttributes") == recipients(stage, "CreateQueue") == [OTHER]


def test_a_refused_call_on_a_topic_is_told_to_its_owner_only_if_it_is_a_data_event_on_one_that_exists(
    stage: Stage,
) -> None:
    topic = stage.call_("CreateTopic", {"Name": "news"}, service="sns", principal=root(OTHER))["TopicArn"]
    assert refused(stage, "DeleteTopic", {"TopicArn": topic}, DANA) == "AuthorizationError"
    assert refused(stage, "Publish", {"TopicArn": topic + "-not", "Message": "m"}, DANA) == "AuthorizationError"
    assert recipients(stage, "DeleteTopic") == recipients(stage, "Publish") == [ACCOUNT]


def test_a_management_call_that_is_denied_is_not_told_to_the_owner(stage: Stage) -> None:
    make_bucket(stage, "theirs", OTHER)
    assert refused(stage, "GetBucketPolicy", {"Bucket": "theirs"}, DANA) == "AccessDenied"
    assert recipients(stage, "GetBucketPolicy") == [ACCOUNT]


def test_a_bucket_that_does_not_exist_has_no_owner_to_tell(stage: Stage) -> None:
    assert refused(stage, "GetObject", {"Bucket": "nowhere", "Key": "k"}, DANA) == "NoSuchBucket"
    assert recipients(stage, "GetObject") == [ACCOUNT]


def test_each_accounts_history_has_its_own_copy(stage: Stage) -> None:
    arn = make_role(stage, OTHER, ACCOUNT)
    caller = replace(DANA, policies=(ALLOW,))
    stage.call_("AssumeRole", {"RoleArn": arn, "RoleSessionName": "visit"}, principal=caller)
    found = {}
    for account in (ACCOUNT, OTHER):
        attributes = [{"AttributeKey": "EventName", "AttributeValue": "AssumeRole"}]
        page = stage.call_("LookupEvents", {"LookupAttributes": attributes}, principal=root(account))
        (found[account],) = page["Events"]
    assert found[ACCOUNT]["EventId"] != found[OTHER]["EventId"]


MEMBER, LATER, STRANGER = "222233334444", "333344445555", "999988887777"
MORE = tuple(f"{number}00000000001" for number in range(3))
SERVICE = "cloudtrail.amazonaws.com"
MANAGEMENT_ONLY = "NotOrganizationMasterAccountException"


def ask(stage: Stage, operation: str, account: str = ACCOUNT, region: str = REGION, **params: Any) -> Any:
    service = "cloudtrail" if "Trail" in operation or "Logging" in operation else ""
    return stage.call_(operation, params, service=service, principal=root(account), region=region)


def invited(stage: Stage, account: str) -> None:
    """Make an account a member of the organization."""
    target = {"Id": account, "Type": "ACCOUNT"}
    handshake = ask(stage, "InviteAccountToOrganization", Target=target)["Handshake"]
    ask(stage, "AcceptHandshake", account, HandshakeId=handshake["Id"])


@pytest.fixture
def organized(stage: Stage) -> Stage:
    """A stage with an organization that CloudTrail has access to, one member, and a bucket."""
    stage.app.first_account()
    for account in (MEMBER, LATER, STRANGER, *MORE):
        stage.app.make_account(account, "")
    ask(stage, "CreateOrganization")
    ask(stage, "EnableAWSServiceAccess", ServicePrincipal=SERVICE)
    invited(stage, MEMBER)
    make_bucket(stage, "audit", ACCOUNT)
    stage.settle()
    return stage


def make_trail(stage: Stage, account: str = ACCOUNT, **more: Any) -> str:
    """Make an organization trail that logs, and return its ARN."""
    settings = {"Name": "all", "S3BucketName": "audit", "IsOrganizationTrail": True, "IsMultiRegionTrail": True}
    arn = str(ask(stage, "CreateTrail", account, **{**settings, **more})["TrailARN"])
    ask(stage, "StartLogging", account, Name=arn)
    return arn


def delivered(stage: Stage) -> dict[str, list[dict[str, Any]]]:
    """Deliver what is there; return the records of each log file by key."""
    stage.run(stage.app.deliverer.flush())
    folder = stage.data_dir / "buckets" / "audit"
    return {
        str(path.relative_to(folder)): orjson.loads(gzip.decompress(path.read_bytes()))["Records"]
        for path in folder.rglob("*_CloudTrail_*.json.gz")
    }


def organization_id(stage: Stage) -> str:
    return str(ask(stage, "DescribeOrganization")["Organization"]["Id"])


def calls_of(files: dict[str, list[dict[str, Any]]], name: str) -> list[str]:
    """Return the accounts whose calls of an operation were delivered."""
    return sorted(
        record["recipientAccountId"] for records in files.values() for record in records if record["eventName"] == name
    )


def test_an_organization_trail_takes_the_events_of_every_member_in_every_region(organized: Stage) -> None:
    make_trail(organized)
    for account in (ACCOUNT, MEMBER, STRANGER):
        for region in (REGION, "eu-west-1"):
            ask(organized, "ListAliases", account, region)
    files = delivered(organized)
    found = {(key.split("/")[2], key.split("/")[4]) for key in files if "ListAliases" in str(files[key])}
    assert found == {(account, region) for account in (ACCOUNT, MEMBER) for region in (REGION, "eu-west-1")}
    for key, records in files.items():
        parts = key.split("/")
        assert parts[:2] == ["AWSLogs", organization_id(organized)]
        assert {record["recipientAccountId"] for record in records} == {parts[2]}
        assert {record["awsRegion"] for record in records} == {parts[4]}
        assert parts[-1].startswith(f"{parts[2]}_CloudTrail_{parts[4]}_")


def test_members_are_covered_from_joining_to_leaving(organized: Stage) -> None:
    make_trail(organized)
    ask(organized, "ListBuilds", LATER)
    invited(organized, LATER)
    ask(organized, "ListAliases", LATER)
    ask(organized, "LeaveOrganization", LATER)
    ask(organized, "ListFleets", LATER)
    files = delivered(organized)
    assert calls_of(files, "ListBuilds") == []
    assert calls_of(files, "ListAliases") == [LATER]
    assert calls_of(files, "ListFleets") == []
    assert calls_of(files, "AcceptHandshake") == [ACCOUNT, LATER]
    assert calls_of(files, "LeaveOrganization") == [ACCOUNT, LATER]


def test_an_account_made_by_the_organization_is_covered_at_once(organized: Stage) -> None:
    make_trail(organized)
    made = ask(organized, "CreateAccount", Email="games@example.com", AccountName="games")["CreateAccountStatus"]
    ask(organized, "ListAliases", made["AccountId"])
    assert calls_of(delivered(organized), "ListAliases") == [made["AccountId"]]


def test_without_access_or_organization_the_trail_takes_the_management_account_alone(organized: Stage) -> None:
    arn = make_trail(organized)
    ask(organized, "DisableAWSServiceAccess", ServicePrincipal=SERVICE)
    ask(organized, "ListAliases", MEMBER)
    ask(organized, "ListAliases")
    ask(organized, "LeaveOrganization", MEMBER)
    ask(organized, "DeleteOrganization")
    ask(organized, "ListBuilds")
    files = delivered(organized)
    assert calls_of(files, "ListAliases") == [ACCOUNT]
    assert calls_of(files, "ListBuilds") == [ACCOUNT]
    assert ask(organized, "GetTrail", Name=arn)["Trail"]["IsOrganizationTrail"] is False
    (own,) = [key for key in files if key.startswith(f"AWSLogs/{ACCOUNT}/CloudTrail/{REGION}/")]
    assert calls_of({own: files[own]}, "ListBuilds") == [ACCOUNT]


def test_members_see_the_trail_by_its_arn_and_cannot_change_it(organized: Stage) -> None:
    arn = make_trail(organized)
    assert ask(organized, "GetTrail", MEMBER, Name=arn)["Trail"]["IsOrganizationTrail"] is True
    assert ask(organized, "GetTrailStatus", MEMBER, Name=arn)["IsLogging"] is True
    assert ask(organized, "GetEventSelectors", MEMBER, TrailName=arn)["TrailARN"] == arn
    assert ask(organized, "ListTags", MEMBER, ResourceIdList=[arn])["ResourceTagList"][0]["ResourceId"] == arn
    assert [one["TrailARN"] for one in ask(organized, "DescribeTrails", MEMBER)["trailList"]] == [arn]
    assert ask(organized, "DescribeTrails", MEMBER, trailNameList=["all"])["trailList"] == []
    assert len(ask(organized, "DescribeTrails", MEMBER, trailNameList=[arn])["trailList"]) == 1
    assert [one["TrailARN"] for one in ask(organized, "ListTrails", MEMBER)["Trails"]] == [arn]
    assert refused(organized, "GetTrail", {"Name": "all"}, root(MEMBER)) == "TrailNotFoundException"
    for operation in ("StopLogging", "StartLogging", "DeleteTrail", "UpdateTrail"):
        assert refused(organized, operation, {"Name": arn}, root(MEMBER)) == MANAGEMENT_ONLY
    selectors = {"TrailName": arn, "EventSelectors": [{"ReadWriteType": "All"}]}
    assert refused(organized, "PutEventSelectors", selectors, root(MEMBER)) == MANAGEMENT_ONLY
    tags = {"ResourceId": arn, "TagsList": [{"Key": "k"}]}
    assert refused(organized, "AddTags", tags, root(MEMBER)) == MANAGEMENT_ONLY


def test_strangers_do_not_see_an_organization_trail(organized: Stage) -> None:
    arn = make_trail(organized)
    for operation in ("GetTrail", "GetTrailStatus", "StopLogging", "DeleteTrail"):
        assert refused(organized, operation, {"Name": arn}, root(STRANGER)) == "TrailNotFoundException"
    assert ask(organized, "DescribeTrails", STRANGER)["trailList"] == []
    assert ask(organized, "ListTrails", STRANGER)["Trails"] == []


def test_a_delegated_administrator_makes_trails_that_belong_to_the_management_account(organized: Stage) -> None:
    ask(organized, "RegisterOrganizationDelegatedAdmin", MemberAccountId=MEMBER)
    make_bucket(organized, "delegated", MEMBER)
    arn = make_trail(organized, MEMBER, S3BucketName="delegated", TagsList=[{"Key": "team", "Value": "audit"}])
    assert arn == f"arn:aws:cloudtrail:{REGION}:{ACCOUNT}:trail/all"
    assert ask(organized, "GetTrail", Name="all")["Trail"]["TrailARN"] == arn
    assert ask(organized, "ListTags", ResourceIdList=[arn])["ResourceTagList"][0]["TagsList"][0]["Key"] == "team"
    made = named(organized, "CreateTrail")
    assert [event["recipientAccountId"] for event in made] == [MEMBER, ACCOUNT]
    expected = {"accountId": ACCOUNT, "type": "AWS::CloudTrail::Trail", "ARN": arn}
    assert [event["resources"] for event in made] == [[expected]] * 2
    ask(organized, "UpdateTrail", MEMBER, Name=arn, S3KeyPrefix="org")
    ask(organized, "StopLogging", MEMBER, Name=arn)
    assert recipients(organized, "StopLogging") == [MEMBER, ACCOUNT]
    single = {"Name": arn, "IsOrganizationTrail": False}
    assert refused(organized, "UpdateTrail", single, root(MEMBER)) == MANAGEMENT_ONLY
    ask(organized, "DeleteTrail", MEMBER, Name=arn)
    assert refused(organized, "GetTrail", {"Name": "all"}, root()) == "TrailNotFoundException"


def test_a_trail_becomes_one_of_the_organization_and_back(organized: Stage) -> None:
    arn = make_trail(organized, IsOrganizationTrail=False)
    ask(organized, "ListBuilds", MEMBER)
    assert ask(organized, "UpdateTrail", Name="all", IsOrganizationTrail=True)["IsOrganizationTrail"] is True
    ask(organized, "ListAliases", MEMBER)
    ask(organized, "UpdateTrail", Name=arn, IsOrganizationTrail=False)
    ask(organized, "ListFleets", MEMBER)
    ask(organized, "ListFleets")
    files = delivered(organized)
    assert calls_of(files, "ListBuilds") == []
    assert calls_of(files, "ListAliases") == [MEMBER]
    assert calls_of(files, "ListFleets") == [ACCOUNT]
    assert {key.split("/")[1][:2] for key in files} == {"o-", ACCOUNT[:2]}


def asked_for(stage: Stage, principal: Principal) -> str:
    """Return the error code of a CreateTrail for the organization."""
    return refused(
        stage, "CreateTrail", {"Name": "one", "S3BucketName": "audit", "IsOrganizationTrail": True}, principal
    )


def only(*actions: str) -> Principal:
    statement = {"Effect": "Allow", "Action": list(actions), "Resource": "*"}
    return replace(DANA, policies=({"Version": "2012-10-17", "Statement": [statement]},))


def test_each_condition_of_an_organization_trail_has_its_error(organized: Stage) -> None:
    assert asked_for(organized, root(STRANGER)) == "OrganizationsNotInUseException"
    assert asked_for(organized, root(MEMBER)) == MANAGEMENT_ONLY
    trails = ("cloudtrail:*", "organizations:Describe*", "organizations:List*")
    missing = "InsufficientDependencyServiceAccessPermissionException"
    assert asked_for(organized, only("cloudtrail:*")) == missing
    assert asked_for(organized, only(*trails)) == missing
    ask(organized, "RegisterDelegatedAdministrator", AccountId=MEMBER, ServicePrincipal=SERVICE)
    assert asked_for(organized, root(MEMBER)) == "NoManagementAccountSLRExistsException"
    ask(organized, "DisableAWSServiceAccess", ServicePrincipal=SERVICE)
    assert asked_for(organized, root()) == "CloudTrailAccessNotEnabledException"
    ask(organized, "EnableAWSServiceAccess", ServicePrincipal=SERVICE)
    wanted = {"Name": "one", "S3BucketName": "audit", "IsOrganizationTrail": True}
    organized.call_("CreateTrail", wanted, principal=only(*trails, "iam:CreateServiceLinkedRole"))
    assert ask(organized, "GetRole", RoleName="AWSServiceRoleForCloudTrail")["Role"]["Path"].endswith(f"{SERVICE}/")
    assert asked_for(organized, only(*trails)) == "TrailAlreadyExistsException"
    ask(organized, "CreateOrganization", STRANGER, FeatureSet="CONSOLIDATED_BILLING")
    assert asked_for(organized, root(STRANGER)) == "OrganizationNotInAllFeaturesModeException"


def admin(stage: Stage, operation: str, member: str, principal: Principal) -> str:
    name = "MemberAccountId" if operation.startswith("Register") else "DelegatedAdminAccountId"
    return refused(stage, operation, {name: member}, principal)


def test_each_condition_of_delegation_has_its_error(organized: Stage) -> None:
    for operation in ("RegisterOrganizationDelegatedAdmin", "DeregisterOrganizationDelegatedAdmin"):
        assert admin(organized, operation, MEMBER, root(STRANGER)) == "OrganizationsNotInUseException"
        assert admin(organized, operation, MEMBER, root(MEMBER)) == "NotOrganizationManagementAccountException"
        assert admin(organized, operation, STRANGER, root()) == "AccountNotFoundException"
        assert admin(organized, operation, "none", root()) == "InvalidParameterException"
    register, deregister = "RegisterOrganizationDelegatedAdmin", "DeregisterOrganizationDelegatedAdmin"
    assert admin(organized, register, ACCOUNT, root()) == "CannotDelegateManagementAccountException"
    assert admin(organized, deregister, MEMBER, root()) == "AccountNotRegisteredException"
    few = only("cloudtrail:*")
    assert admin(organized, register, MEMBER, few) == "InsufficientDependencyServiceAccessPermissionException"
    assert admin(organized, register, MEMBER, only("cloudtrail:*", "organizations:*")) == (
        "InsufficientIAMAccessPermissionException"
    )
    ask(organized, register, MemberAccountId=MEMBER)
    assert admin(organized, register, MEMBER, root()) == "AccountRegisteredException"
    assert admin(organized, deregister, MEMBER, few) == "InsufficientDependencyServiceAccessPermissionException"
    ask(organized, deregister, DelegatedAdminAccountId=MEMBER)
    ask(organized, "DisableAWSServiceAccess", ServicePrincipal=SERVICE)
    assert admin(organized, register, MEMBER, root()) == "CloudTrailAccessNotEnabledException"


def test_there_are_at_most_three_delegated_administrators(organized: Stage) -> None:
    for account in MORE:
        invited(organized, account)
        ask(organized, "RegisterOrganizationDelegatedAdmin", MemberAccountId=account)
    assert admin(organized, "RegisterOrganizationDelegatedAdmin", MEMBER, root()) == (
        "DelegatedAdminAccountLimitExceededException"
    )


def test_the_buckets_policy_must_let_in_both_folders(organized: Stage) -> None:
    make_bucket(organized, "strict", ACCOUNT)
    organized.settle()
    organization = organization_id(organized)

    def allow(*folders: str) -> None:
        resources = [f"arn:aws:s3:::strict/AWSLogs/{folder}/*" for folder in folders]
        service = {"Effect": "Allow", "Principal": {"Service": SERVICE}}
        statements = [
            {**service, "Action": "s3:GetBucketAcl", "Resource": "arn:aws:s3:::strict"},
            {**service, "Action": "s3:PutObject", "Resource": resources},
        ]
        policy = orjson.dumps({"Version": "2012-10-17", "Statement": statements}).decode()
        organized.call_("PutBucketPolicy", {"Bucket": "strict", "Policy": policy}, service="s3")

    wanted = {"Name": "all", "S3BucketName": "strict", "IsOrganizationTrail": True}
    allow(ACCOUNT)
    assert refused(organized, "CreateTrail", wanted, root()) == "InsufficientS3BucketPolicyException"
    allow(ACCOUNT, organization)
    make_trail(organized, S3BucketName="strict")


def test_digests_of_an_organization_trail_lie_below_the_organization(organized: Stage) -> None:
    make_trail(organized, EnableLogFileValidation=True)
    ask(organized, "ListAliases", MEMBER)
    organized.run(organized.app.deliverer.flush())
    organized.clock.advance(3700)
    organized.run(organized.app.digester.tick())
    folder = organized.data_dir / "buckets" / "audit"
    digests = [str(path.relative_to(folder)) for path in folder.rglob("*_CloudTrail-Digest_*.json.gz")]
    organization = organization_id(organized)
    home = [key for key in digests if key.startswith(f"AWSLogs/{organization}/{ACCOUNT}/CloudTrail-Digest/{REGION}/")]
    member = [key for key in digests if key.startswith(f"AWSLogs/{organization}/{MEMBER}/CloudTrail-Digest/{REGION}/")]
    assert home
    assert member
    assert all(key.startswith(f"AWSLogs/{organization}/") for key in digests)


def test_a_prefix_that_is_changed_and_changed_back_mixes_up_no_files(organized: Stage) -> None:
    make_trail(organized, IsOrganizationTrail=False, S3KeyPrefix="a")
    ask(organized, "ListAliases")
    ask(organized, "UpdateTrail", Name="all", S3KeyPrefix="b")
    ask(organized, "ListBuilds")
    ask(organized, "UpdateTrail", Name="all", S3KeyPrefix="a")
    ask(organized, "ListFleets")
    files = delivered(organized)
    found = {
        name: {key[0] for key, records in files.items() if any(one["eventName"] == name for one in records)}
        for name in ("ListAliases", "ListBuilds", "ListFleets")
    }
    assert found == {"ListAliases": {"a"}, "ListBuilds": {"b"}, "ListFleets": {"a"}}


def test_the_organizations_trails_do_not_count_among_a_members_own(organized: Stage) -> None:
    make_trail(organized)
    make_bucket(organized, "mine", MEMBER)
    for number in range(5):
        ask(organized, "CreateTrail", MEMBER, Name=f"own-{number}", S3BucketName="mine")
    assert refused(organized, "CreateTrail", {"Name": "one-more", "S3BucketName": "mine"}, root(MEMBER)) == (
        "MaximumNumberOfTrailsExceededException"
    )


def test_an_allowed_access_to_another_accounts_bucket_is_recorded_in_both(stage: Stage) -> None:
    make_bucket(stage, "theirs", OTHER)
    stage.settle()
    statement = {"Effect": "Allow", "Principal": {"AWS": ACCOUNT}, "Action": "s3:ListBucket"}
    policy = {"Version": "2012-10-17", "Statement": [{**statement, "Resource": "arn:aws:s3:::theirs"}]}
    put = {"Bucket": "theirs", "Policy": orjson.dumps(policy).decode()}
    stage.call_("PutBucketPolicy", put, service="s3", principal=root(OTHER))
    stage.call_("ListObjectsV2", {"Bucket": "theirs"}, service="s3", principal=DANA)
    mine, theirs = named(stage, "ListObjectsV2")
    assert (mine["recipientAccountId"], theirs["recipientAccountId"]) == (ACCOUNT, OTHER)
    assert mine["sharedEventID"] == theirs["sharedEventID"]
    assert recipients(stage, "PutBucketPolicy") == [OTHER]
