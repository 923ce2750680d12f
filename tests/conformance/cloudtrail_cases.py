"""Every operation of CloudTrail that is served: a call that succeeds, and for each error of its model one that ends in it.

An error without a call cannot happen here; NEVER says why. WHEN says in words what a call runs into. The page
docs/reference/cloudtrail-errors.md is made from these tables.
"""

from typing import Any, NamedTuple

HOME, AWAY = "us-west-2", "eu-west-1"
MANAGER, MEMBER, DELEGATE = "111122223333", "222233334444", "333344445555"
LONE, BILLED, SHUT = "444455556666", "555566667777", "666677778888"
BARE, BARE_DELEGATES = "777788889999", ("888899990000", "888899990001", "888899990002")
BARE_MEMBER = "888899990003"
OTHER, OTHER_MEMBER = "999900001111", "999900002222"
OWN = "own"
POOR, UNLINKED = "poor", "unlinked"
"""MANAGER has an organization with the members MEMBER and DELEGATE, who is CloudTrail's delegated administrator. LONE has none.
BILLED has one for billing only, SHUT one without access for CloudTrail, BARE one without the service-linked role but with as many
delegated administrators as there may be. POOR: a user of MANAGER without permissions at other services. UNLINKED: a user of
OTHER, whose organization lacks it as well, who may not make it. OWN: a trail that each of the accounts has, or may have."""


class Call(NamedTuple):
    """A call. who: an account, as its root, or one of the users."""

    params: dict[str, Any]
    who: str = MANAGER
    region: str = HOME


def arn(name: str, account: str = MANAGER, kind: str = "trail", region: str = HOME) -> str:
    """Return the ARN of a trail, or of something else."""
    return f"arn:aws:cloudtrail:{region}:{account}:{kind}/{name}"


UUID = "00000000-0000-0000-0000-000000000000"
NO_ARN = "arn:aws:s3:::audit"
BUCKET = {"S3BucketName": "audit"}
NEW = {"Name": "new", **BUCKET}
TAGS = [{"Key": "stage", "Value": "prod"}]
FULL = [{"Key": f"key-{number}", "Value": "x"} for number in range(50)]
ORGANIZATION = {"IsOrganizationTrail": True}
DELEGATED = {"MemberAccountId": MEMBER}
WRITES = [{"ReadWriteType": "WriteOnly", "IncludeManagementEvents": True}]
READS = [{"ReadWriteType": "ReadOnly", "IncludeManagementEvents": True}]
RATE = [{"InsightType": "ApiCallRateInsight"}]
METRIC = {"EventSource": "gamelift.amazonaws.com", "EventName": "CreateBuild", "InsightType": "ApiCallRateInsight"}
GROUP = "arn:aws:logs:us-west-2:111122223333:log-group:audit:*"
ROLE = "arn:aws:iam::111122223333:role/logs"


def names(member: str, more: dict[str, Any] | None = None) -> dict[str, Call]:
    """Return the calls that name no trail there is."""
    texts = {
        "TrailNotFoundException": "unknown",
        "InvalidTrailNameException": "a",
        "CloudTrailARNInvalidException": NO_ARN,
    }
    return {error: Call({member: text, **(more or {})}) for error, text in texts.items()}


def changes(member: str, more: dict[str, Any] | None = None) -> dict[str, Call]:
    """Return the calls that name no trail that the caller may change here."""
    params = {member: arn("main"), **(more or {})}
    return {
        **names(member, more),
        "InvalidHomeRegionException": Call(params, region=AWAY),
        "NotOrganizationMasterAccountException": Call({**params, member: arn("ours")}, MEMBER),
    }


def settings(name: str) -> dict[str, Call]:
    """Return the calls that CreateTrail and UpdateTrail refuse alike."""
    wrong = {
        "CloudWatchLogsDeliveryUnavailableException": {
            "CloudWatchLogsLogGroupArn": GROUP,
            "CloudWatchLogsRoleArn": ROLE,
        },
        "InvalidCloudWatchLogsLogGroupArnException": {
            "CloudWatchLogsLogGroupArn": NO_ARN,
            "CloudWatchLogsRoleArn": ROLE,
        },
        "InvalidCloudWatchLogsRoleArnException": {"CloudWatchLogsLogGroupArn": GROUP},
        "InsufficientS3BucketPolicyException": {"S3BucketName": "closed"},
        "InsufficientSnsTopicPolicyException": {"SnsTopicName": "unknown"},
        "InvalidKmsKeyIdException": {"KmsKeyId": "no key"},
        "InvalidParameterCombinationException": {"IsMultiRegionTrail": True, "IncludeGlobalServiceEvents": False},
        "InvalidS3BucketNameException": {"S3BucketName": "Audit"},
        "InvalidS3PrefixException": {"S3KeyPrefix": "/prod"},
        "InvalidSnsTopicNameException": {"SnsTopicName": "no topic"},
        "S3BucketDoesNotExistException": {"S3BucketName": "missing"},
        "UnsupportedOperationException": {"KmsKeyId": "alias/audit"},
    }
    calls = {error: Call({"Name": name, **BUCKET, **params}) for error, params in wrong.items()}
    asked = {"Name": OWN, **BUCKET, **ORGANIZATION}
    return {
        **calls,
        "InvalidParameterException": Call(BUCKET),
        "CloudTrailAccessNotEnabledException": Call(asked, SHUT),
        "OrganizationNotInAllFeaturesModeException": Call(asked, BILLED),
        "OrganizationsNotInUseException": Call(asked, LONE),
        "NotOrganizationMasterAccountException": Call(asked, MEMBER),
        "NoManagementAccountSLRExistsException": Call(asked, BARE_DELEGATES[0]),
        "InsufficientDependencyServiceAccessPermissionException": Call({**asked, "Name": name}, POOR),
    }


def resources(wrap: Any, more: dict[str, Any]) -> dict[str, Call]:
    """Return the calls on tags that name a resource there is not."""
    texts = {
        "ChannelARNInvalidException": arn("x", kind="channel"),
        "ChannelNotFoundException": arn(UUID, kind="channel"),
        "CloudTrailARNInvalidException": NO_ARN,
        "EventDataStoreARNInvalidException": arn("x", kind="eventdatastore"),
        "EventDataStoreNotFoundException": arn(UUID, kind="eventdatastore"),
        "InvalidTrailNameException": arn("a"),
        "ResourceNotFoundException": arn("unknown"),
        "ResourceTypeNotSupportedException": arn("x", kind="widget"),
    }
    return {error: Call({**wrap(text), **more}) for error, text in texts.items()}


def one(text: str) -> dict[str, Any]:
    """Return a resource as AddTags and RemoveTags take it."""
    return {"ResourceId": text}


def delegations(member: str) -> dict[str, Call]:
    """Return the calls on delegated administrators that are refused, whichever way they go."""
    params = {member: MEMBER}
    return {
        "AccountNotFoundException": Call({member: LONE}),
        "CloudTrailAccessNotEnabledException": Call(params, SHUT),
        "InvalidParameterException": Call({}),
        "NotOrganizationManagementAccountException": Call(params, MEMBER),
        "OrganizationNotInAllFeaturesModeException": Call(params, BILLED),
        "OrganizationsNotInUseException": Call(params, LONE),
    }


SUCCESSES = {
    "CreateTrail": Call(NEW),
    "UpdateTrail": Call({"Name": "main", "S3KeyPrefix": "prod"}),
    "DescribeTrails": Call({}),
    "GetTrail": Call({"Name": "main"}),
    "GetTrailStatus": Call({"Name": "main"}),
    "ListTrails": Call({}),
    "StartLogging": Call({"Name": "main"}),
    "StopLogging": Call({"Name": "main"}),
    "DeleteTrail": Call({"Name": "spare"}),
    "PutEventSelectors": Call({"TrailName": "main", "EventSelectors": WRITES}),
    "GetEventSelectors": Call({"TrailName": "main"}),
    "PutInsightSelectors": Call({"TrailName": "main", "InsightSelectors": RATE}),
    "GetInsightSelectors": Call({"TrailName": "insightful"}),
    "ListInsightsData": Call({"InsightSource": arn("insightful"), "DataType": "InsightsEvents"}),
    "ListInsightsMetricData": Call(METRIC),
    "ListPublicKeys": Call({}),
    "AddTags": Call({"ResourceId": arn("main"), "TagsList": TAGS}),
    "RemoveTags": Call({"ResourceId": arn("main"), "TagsList": TAGS}),
    "ListTags": Call({"ResourceIdList": [arn("main")]}),
    "LookupEvents": Call({}),
    "RegisterOrganizationDelegatedAdmin": Call(DELEGATED),
    "DeregisterOrganizationDelegatedAdmin": Call({"DelegatedAdminAccountId": DELEGATE}),
}

FAILURES: dict[str, dict[str, Call]] = {
    "CreateTrail": {
        **settings("new"),
        "InvalidTrailNameException": Call({"Name": "a", **BUCKET}),
        "InvalidTagParameterException": Call({**NEW, "TagsList": TAGS * 2}),
        "MaximumNumberOfTrailsExceededException": Call({"Name": "sixth", **BUCKET}, region=AWAY),
        "TagsLimitExceededException": Call({**NEW, "TagsList": FULL + TAGS}),
        "TrailAlreadyExistsException": Call({"Name": "main", **BUCKET}),
    },
    "UpdateTrail": {**changes("Name"), **settings("main")},
    "DescribeTrails": {
        error: Call({"trailNameList": [call.params["Name"]]})
        for error, call in names("Name").items()
        if error != "TrailNotFoundException"
    },
    "GetTrail": names("Name"),
    "GetTrailStatus": names("Name"),
    "ListTrails": {},
    "StartLogging": changes("Name"),
    "StopLogging": changes("Name"),
    "DeleteTrail": changes("Name"),
    "PutEventSelectors": {
        **changes("TrailName", {"EventSelectors": WRITES}),
        "InvalidEventSelectorsException": Call({"TrailName": "main", "EventSelectors": WRITES * 6}),
    },
    "GetEventSelectors": names("TrailName"),
    "PutInsightSelectors": {
        **changes("TrailName", {"InsightSelectors": RATE}),
        "InvalidInsightSelectorsException": Call({"TrailName": "reading", "InsightSelectors": RATE}),
        "InvalidParameterCombinationException": Call(
            {"TrailName": "main", "EventDataStore": arn(UUID, kind="eventdatastore"), "InsightSelectors": RATE}
        ),
        "InvalidParameterException": Call({"InsightSelectors": RATE}),
        "UnsupportedOperationException": Call(
            {"EventDataStore": arn(UUID, kind="eventdatastore"), "InsightSelectors": RATE}
        ),
        "InsufficientS3BucketPolicyException": Call({"TrailName": "shut-out", "InsightSelectors": RATE}),
        "S3BucketDoesNotExistException": Call({"TrailName": "homeless", "InsightSelectors": RATE}),
    },
    "GetInsightSelectors": {
        **names("TrailName"),
        "InsightNotEnabledException": Call({"TrailName": "reading"}),
        "InvalidParameterCombinationException": Call(
            {"TrailName": "main", "EventDataStore": arn(UUID, kind="eventdatastore")}
        ),
        "InvalidParameterException": Call({}),
        "UnsupportedOperationException": Call({"EventDataStore": arn(UUID, kind="eventdatastore")}),
    },
    "ListInsightsData": {
        "InvalidParameterException": Call({"InsightSource": NO_ARN, "DataType": "InsightsEvents"}),
    },
    "ListInsightsMetricData": {
        "InvalidParameterException": Call({**METRIC, "Period": 61}),
        "InvalidTrailNameException": Call({**METRIC, "TrailName": "a__a"}),
    },
    "ListPublicKeys": {"InvalidTimeRangeException": Call({"StartTime": 2_000_000_000, "EndTime": 1_000_000_000})},
    "AddTags": {
        **resources(one, {"TagsList": TAGS}),
        "InvalidTagParameterException": Call({"ResourceId": arn("main"), "TagsList": TAGS * 2}),
        "NotOrganizationMasterAccountException": Call({"ResourceId": arn("ours"), "TagsList": TAGS}, MEMBER),
        "OperationNotPermittedException": Call({"ResourceId": arn("main"), "TagsList": TAGS}, region=AWAY),
        "TagsLimitExceededException": Call({"ResourceId": arn("tagged"), "TagsList": TAGS}),
    },
    "RemoveTags": {
        **resources(one, {"TagsList": TAGS}),
        "InvalidTagParameterException": Call({"ResourceId": arn("main"), "TagsList": [{"Key": ""}]}),
        "NotOrganizationMasterAccountException": Call({"ResourceId": arn("ours"), "TagsList": TAGS}, MEMBER),
        "OperationNotPermittedException": Call({"ResourceId": arn("main"), "TagsList": TAGS}, region=AWAY),
    },
    "ListTags": {
        error: call
        for error, call in resources(lambda text: {"ResourceIdList": [text]}, {}).items()
        if error != "ChannelNotFoundException"
    },
    "LookupEvents": {
        "InvalidEventCategoryException": Call({"EventCategory": "other"}),
        "InvalidLookupAttributesException": Call({"LookupAttributes": [{"AttributeKey": "x", "AttributeValue": "y"}]}),
        "InvalidMaxResultsException": Call({"MaxResults": 51}),
        "InvalidNextTokenException": Call({"NextToken": "x"}),
        "InvalidTimeRangeException": Call({"StartTime": 2_000_000_000, "EndTime": 1_000_000_000}),
    },
    "RegisterOrganizationDelegatedAdmin": {
        **delegations("MemberAccountId"),
        "AccountRegisteredException": Call({"MemberAccountId": DELEGATE}),
        "CannotDelegateManagementAccountException": Call({"MemberAccountId": MANAGER}),
        "DelegatedAdminAccountLimitExceededException": Call({"MemberAccountId": BARE_MEMBER}, BARE),
        "InsufficientDependencyServiceAccessPermissionException": Call(DELEGATED, POOR),
        "InsufficientIAMAccessPermissionException": Call({"MemberAccountId": OTHER_MEMBER}, UNLINKED),
    },
    "DeregisterOrganizationDelegatedAdmin": {
        **delegations("DelegatedAdminAccountId"),
        "AccountNotRegisteredException": Call({"DelegatedAdminAccountId": MEMBER}),
        "InsufficientDependencyServiceAccessPermissionException": Call({"DelegatedAdminAccountId": DELEGATE}, POOR),
    },
}

WHEN = {
    "AccountNotFoundException": "the account is not in the organization",
    "AccountNotRegisteredException": "the account is no delegated administrator",
    "AccountRegisteredException": "the account is a delegated administrator already",
    "CannotDelegateManagementAccountException": "the account is the management account",
    "ChannelARNInvalidException": "the resource is a channel's ARN without a UUID",
    "ChannelNotFoundException": "the resource is a channel; there are none here",
    "CloudTrailARNInvalidException": "an ARN is not one of a trail",
    "CloudTrailAccessNotEnabledException": "CloudTrail has no access to the organization",
    "CloudWatchLogsDeliveryUnavailableException": "a log group is given, and the setting `logs.endpoint` is not set",
    "DelegatedAdminAccountLimitExceededException": "the organization has three delegated administrators",
    "EventDataStoreARNInvalidException": "the resource is an event data store's ARN without a UUID",
    "EventDataStoreNotFoundException": "the resource is an event data store; there are none here",
    "InsightNotEnabledException": "the trail has no insight selectors",
    "InsufficientDependencyServiceAccessPermissionException": "the caller lacks a permission of Organizations",
    "InsufficientIAMAccessPermissionException": "the caller may not make CloudTrail's service-linked role, which is missing",
    "InsufficientS3BucketPolicyException": "the bucket's policy does not let CloudTrail put log files",
    "InsufficientSnsTopicPolicyException": "there is no such topic, or its policy does not let CloudTrail publish",
    "InvalidCloudWatchLogsLogGroupArnException": "the log group's ARN is malformed, of another account, or missing beside a role",
    "InvalidCloudWatchLogsRoleArnException": "the role's ARN is malformed, of another account, or missing beside a log group",
    "InvalidEventCategoryException": "EventCategory is not `insight`",
    "InvalidEventSelectorsException": "selectors break a rule: how many, which fields, which operators, which values",
    "InvalidHomeRegionException": "the trail's home is another Region",
    "InvalidInsightSelectorsException": "the trail does not log the events that are to be measured, or a type is named twice",
    "InvalidLookupAttributesException": "the attribute is unknown, its value has a wrong form, or there is more than one",
    "InvalidMaxResultsException": "MaxResults is not between 1 and 50",
    "InvalidNextTokenException": "NextToken is not one of ours, or of another request",
    "InvalidParameterCombinationException": "parameters contradict each other",
    "InvalidParameterException": "a required parameter is missing, or a value breaks the model",
    "InvalidS3BucketNameException": "the name cannot be a bucket's",
    "InvalidS3PrefixException": "the prefix is too long, begins with a slash, or names `AWSLogs/`",
    "InvalidSnsTopicNameException": "the text is neither a topic's name nor its ARN",
    "InvalidTagParameterException": "a tag is given twice, begins with `aws:`, or breaks the model",
    "InvalidTimeRangeException": "StartTime is after EndTime",
    "InvalidKmsKeyIdException": "the name of the key has not the form of a key's",
    "InvalidTrailNameException": "the name breaks the rules for names of trails",
    "MaximumNumberOfTrailsExceededException": "the Region has five trails (`limits.trails_per_region`), shadows counted",
    "NoManagementAccountSLRExistsException": "a delegated administrator asks, and the management account lacks the linked role",
    "NotOrganizationManagementAccountException": "the caller's account is not the management account",
    "NotOrganizationMasterAccountException": "the caller's account neither manages the organization nor is delegated",
    "OperationNotPermittedException": "the trail's home is another Region",
    "OrganizationNotInAllFeaturesModeException": "the organization is for consolidated billing only",
    "OrganizationsNotInUseException": "the caller's account is in no organization",
    "ResourceNotFoundException": "there is no such trail or dashboard",
    "ResourceTypeNotSupportedException": "resources of this type have no tags",
    "S3BucketDoesNotExistException": "there is no such bucket",
    "TagsLimitExceededException": "the trail would have more than 50 tags",
    "TrailAlreadyExistsException": "the account has a trail of this name in the Region",
    "TrailNotFoundException": "there is no such trail, or it cannot be seen from this account and Region",
    "UnsupportedOperationException": (
        "it is not served by this version (event data stores), or not configured (keys of KMS without `kms.endpoint`)"
    ),
}

OPERATION_NEVER = "a caller who may not is refused with `AccessDeniedException`; nothing else is not permitted"
NEVER = {
    "CloudTrailInvalidClientTokenIdException": "accounts are never suspended here",
    "ConflictException": "changes are made one after another, so none meets another that is under way",
    "InactiveEventDataStoreException": "there are no event data stores, so none is inactive",
    "InsufficientDependencyServiceAccessPermissionException": "it asks nothing of another service",
    "InsufficientEncryptionPolicyException": "only with `kms.endpoint`: the store refuses to encrypt with the key",
    "InvalidEventSelectorsException": "the change leaves the trail's selectors as they are",
    "InvalidTokenException": "NextToken is reserved by the API and ignored: all of the answer comes at once",
    "KmsException": "only with `kms.endpoint`: the key is not enabled, or KMS does not answer",
    "KmsKeyDisabledException": "deprecated by the API",
    "KmsKeyNotFoundException": "only with `kms.endpoint`: KMS has no such key in this region",
    "NoManagementAccountSLRExistsException": "the linked role is needed to make organization trails, not afterwards",
    "OperationNotPermittedException": OPERATION_NEVER,
    "ThrottlingException": "there is no limit of calls per second",
    "TrailNotProvidedException": "deprecated by the API; a missing name is an `InvalidParameterException`",
    "UnsupportedOperationException": "all of it is served",
}
