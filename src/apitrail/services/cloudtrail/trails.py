"""Trails: create, change, delete, and see. Source: CloudTrail API Reference; User Guide on trails and home regions."""

from typing import TYPE_CHECKING, Any

from apitrail.errors import SinkError
from apitrail.identity.principal import Principal
from apitrail.services.buckets import buckets
from apitrail.services.cloudtrail.access import (
    get_own_trail,
    get_trail,
    owner_of,
    parse_name,
    put_trail,
    shown_here,
    trails_of,
    visible_trails,
)
from apitrail.services.cloudtrail.encryption import check_use, find_key
from apitrail.services.cloudtrail.errors import (
    InsufficientS3BucketPolicyException,
    InvalidParameterCombinationException,
    MaximumNumberOfTrailsExceededException,
    S3BucketDoesNotExistException,
    TrailAlreadyExistsException,
)
from apitrail.services.cloudtrail.log_groups import apply_log_group
from apitrail.services.cloudtrail.names import check_bucket_name, check_prefix, check_trail_name
from apitrail.services.cloudtrail.notifications import apply_topic, check_topic_name
from apitrail.services.cloudtrail.organization import convert, required_organization, take_members
from apitrail.services.cloudtrail.tags import check_tags, keep_tags
from apitrail.services.context import Context
from apitrail.services.deliveries import needs_no_policy, trail_may_deliver
from apitrail.services.operation import operation
from apitrail.services.runtime import Runtime
from apitrail.store.resources import Doc
from apitrail.trail.chains import begin_validation, end_validation, is_validated, move_validation
from apitrail.trail.trails import TRAILS, close_span, renew_span
from apitrail.wire.call import Call

if TYPE_CHECKING:
    from mypy_boto3_cloudtrail.type_defs import (
        CreateTrailRequestTypeDef,
        DeleteTrailRequestTypeDef,
        DescribeTrailsRequestTypeDef,
        GetTrailRequestTypeDef,
        ListTrailsRequestTypeDef,
        UpdateTrailRequestTypeDef,
    )

DESTINATION = {"S3BucketName", "S3KeyPrefix", "IsOrganizationTrail"}
"""Parameters that say where log files go."""

SETTINGS = ("S3BucketName", "S3KeyPrefix", "IsMultiRegionTrail", "IncludeGlobalServiceEvents", "RecursiveLogging")
IN_ANSWERS = (
    "Name",
    "S3BucketName",
    "S3KeyPrefix",
    "SnsTopicName",
    "SnsTopicARN",
    "CloudWatchLogsLogGroupArn",
    "CloudWatchLogsRoleArn",
    "KmsKeyId",
    "IncludeGlobalServiceEvents",
    "IsMultiRegionTrail",
    "TrailARN",
    "LogFileValidationEnabled",
    "IsOrganizationTrail",
    "RecursiveLogging",
)


async def check_places(runtime: Runtime, call: Call, principal: Principal) -> str:
    """Before the transaction: is there such a key, can log files be put into a foreign store's bucket; return the key's ARN."""
    name, key = call.params.get("S3BucketName"), await find_key(runtime, call)
    if name and runtime.settings.delivery.s3_endpoint:
        check_bucket_name(name)
        try:
            await runtime.trail_bucket(name).check()
        except SinkError as error:
            if error.code == "NoSuchBucket":
                raise S3BucketDoesNotExistException(f"S3 bucket {name} does not exist!") from error
            raise InsufficientS3BucketPolicyException(
                f"Incorrect S3 bucket policy is detected for bucket: {name}"
            ) from error
        if key:
            await check_use(runtime, name, key)
    return key


@operation(prepare=check_places)
def create_trail(ctx: Context, params: "CreateTrailRequestTypeDef") -> dict[str, Any]:
    """Create a trail, which does not log before StartLogging.

    Raises: InvalidTrailNameException, InvalidS3BucketNameException, InvalidS3PrefixException, S3BucketDoesNotExistException,
    InsufficientS3BucketPolicyException, TrailAlreadyExistsException, MaximumNumberOfTrailsExceededException,
    InvalidParameterCombinationException, TagsLimitExceededException, InvalidTagParameterException,
    InvalidSnsTopicNameException, InsufficientSnsTopicPolicyException, and those of required_organization, apply_log_group,
    find_key and check_use.
    Source: CloudTrail API Reference, CreateTrail.
    """
    name = params["Name"]
    check_trail_name(name)
    tags = check_tags(params.get("TagsList", []))
    _check_settings(ctx, params)
    organization = required_organization(ctx) if params.get("IsOrganizationTrail") else None
    owner = ctx.account if organization is None else organization["MasterAccountId"]
    if TRAILS.at(ctx.tx, owner, ctx.region).has(name):
        raise TrailAlreadyExistsException(f"Trail {name} already exists for customer: {owner}")
    trail = _new_trail(ctx, name, owner)
    if organization is not None:
        take_members(ctx, trail, organization)
    _apply(trail, params)
    check_bucket_policy(ctx, trail)
    _check_quota(ctx, trail)
    apply_topic(ctx, trail, owner, {"SnsTopicName": "", **params})
    apply_log_group(ctx, trail, owner, params)
    _apply_key(ctx, trail, params)
    put_trail(ctx, trail)
    keep_tags(ctx, trail["TrailARN"], tags)
    return _answer(trail)


def _new_trail(ctx: Context, name: str, owner: str) -> Doc:
    """Return a trail with the settings that it has unless others are given."""
    return {
        "Name": name,
        "TrailARN": ctx.arn("cloudtrail", f"trail/{name}", account=owner),
        "HomeRegion": ctx.region,
        "LogFileValidationEnabled": False,
        "HasCustomEventSelectors": False,
        "HasInsightSelectors": False,
        "IsOrganizationTrail": False,
        "IsMultiRegionTrail": False,
        "IncludeGlobalServiceEvents": True,
        "RecursiveLogging": False,
        "_Logging": False,
    }


@operation(prepare=check_places)
def update_trail(ctx: Context, params: "UpdateTrailRequestTypeDef") -> dict[str, Any]:
    """Change the settings that are given, from the next event on; only in the home region.

    Raises: as CreateTrail, and TrailNotFoundException, CloudTrailARNInvalidException, InvalidHomeRegionException.
    Source: CloudTrail API Reference, UpdateTrail.
    """
    parse_name(ctx, params["Name"])
    _check_settings(ctx, params)
    trail = get_own_trail(ctx, params["Name"])
    was_multi = trail["IsMultiRegionTrail"]
    trail = convert(ctx, trail, params)
    _apply(trail, params)
    if DESTINATION & params.keys():
        check_bucket_policy(ctx, trail)
    if was_multi != trail["IsMultiRegionTrail"] and "IncludeGlobalServiceEvents" not in params:
        trail["IncludeGlobalServiceEvents"] = trail["IsMultiRegionTrail"]
    _check_combination(trail)
    if trail["IsMultiRegionTrail"] and not was_multi:
        _check_quota(ctx, trail)
    apply_topic(ctx, trail, owner_of(trail), params)
    apply_log_group(ctx, trail, owner_of(trail), params)
    _apply_key(ctx, trail, params)
    put_trail(ctx, trail)
    if trail["_Logging"]:
        renew_span(ctx.tx, trail, owner_of(trail), ctx.next_seq())
        _renew_validation(ctx, trail)
    return _answer(trail)


@operation
def delete_trail(ctx: Context, params: "DeleteTrailRequestTypeDef") -> dict[str, Any]:
    """Delete a trail; what it has recorded up to this call is still delivered, and delivered files stay.

    Raises: TrailNotFoundException, InvalidHomeRegionException, and those for names.
    Source: CloudTrail API Reference, DeleteTrail.
    """
    trail = get_own_trail(ctx, params["Name"])
    close_span(ctx.tx, trail["TrailARN"], ctx.next_seq())
    end_validation(ctx.tx, trail["TrailARN"], ctx.next_seq())
    TRAILS.at(ctx.tx, owner_of(trail), ctx.region).delete(trail["Name"])
    keep_tags(ctx, trail["TrailARN"], {})
    return {}


@operation
def get_trail_(ctx: Context, params: "GetTrailRequestTypeDef") -> dict[str, Any]:
    """Return one trail. Raises: TrailNotFoundException. Source: CloudTrail API Reference, GetTrail."""
    return {"Trail": get_trail(ctx, params["Name"])}


@operation
def describe_trails(ctx: Context, params: "DescribeTrailsRequestTypeDef") -> dict[str, Any]:
    """Return the trails of this region, with shadows of others unless told otherwise; unknown names are left out.

    Source: CloudTrail API Reference, DescribeTrails.
    """
    names = params.get("trailNameList")
    shadows = bool(names) or params.get("includeShadowTrails", True)
    seen = shown_here(ctx, visible_trails(ctx), shadows=shadows)
    if names:
        wanted = {(name.account, name.home, name.name) for name in (parse_name(ctx, text) for text in names)}
        seen = [trail for trail in seen if (owner_of(trail), trail["HomeRegion"], trail["Name"]) in wanted]
    return {"trailList": seen}


@operation
def list_trails(ctx: Context, params: "ListTrailsRequestTypeDef") -> dict[str, Any]:
    """Return name, ARN and home of every trail of the account and its organization. Source: API Reference, ListTrails."""
    members = ("TrailARN", "Name", "HomeRegion")
    return {"Trails": [{key: trail[key] for key in members} for trail in visible_trails(ctx)]}


def _check_settings(ctx: Context, params: Any) -> None:
    """Check what CreateTrail and UpdateTrail have in common: first the parameters alone, then the bucket."""
    if params.get("S3KeyPrefix"):
        check_prefix(params["S3KeyPrefix"])
    check_topic_name(params)
    _check_combination(params)
    if "S3BucketName" in params:
        check_bucket_name(params["S3BucketName"])


def check_bucket_policy(ctx: Context, trail: Doc) -> None:
    """Check that a trail may deliver into its bucket, where that is one of ours; a foreign store is asked before.

    A bucket of the trail's own account needs no policy, unless the settings want AWS's rule; a policy that is there decides.
    Raises: S3BucketDoesNotExistException, InsufficientS3BucketPolicyException.
    """
    if ctx.settings.delivery.s3_endpoint:
        return
    name = trail["S3BucketName"]
    bucket = buckets(ctx.tx).get(name)
    if bucket is None:
        raise S3BucketDoesNotExistException(f"S3 bucket {name} does not exist!")
    if needs_no_policy(bucket, (ctx.account, owner_of(trail)), ctx.settings.delivery):
        return
    folders = [owner_of(trail), *([trail["_Organization"]] if trail["IsOrganizationTrail"] else [])]
    if not trail_may_deliver(bucket, folders, trail["TrailARN"], trail.get("S3KeyPrefix", ""), ctx.now):
        raise InsufficientS3BucketPolicyException(f"Incorrect S3 bucket policy is detected for bucket: {name}")


def _check_combination(settings: Any) -> None:
    if settings.get("IsMultiRegionTrail") and settings.get("IncludeGlobalServiceEvents") is False:
        raise InvalidParameterCombinationException("Multi-Region trail must include global service events.")


def _check_quota(ctx: Context, trail: Doc) -> None:
    """Check the trails per region, shadows counted; a multi-region trail is counted where it has its home."""
    limit, owner = ctx.settings.limits.trails_per_region, owner_of(trail)
    others = [other for other in shown_here(ctx, trails_of(ctx, owner)) if other["TrailARN"] != trail["TrailARN"]]
    if len(others) >= limit:
        raise MaximumNumberOfTrailsExceededException(f"User: {owner} already has {limit} trails in {ctx.region}.")


def _renew_validation(ctx: Context, trail: Doc) -> None:
    """Let digests begin, end, or move with the settings of a trail that logs."""
    if not trail["LogFileValidationEnabled"]:
        end_validation(ctx.tx, trail["TrailARN"], ctx.next_seq())
    elif is_validated(ctx.tx, trail["TrailARN"]):
        move_validation(ctx.tx, trail)
    else:
        begin_validation(ctx.tx, trail, owner_of(trail), ctx.now)


def _apply(trail: Doc, params: Any) -> None:
    for member in SETTINGS:
        if member in params:
            trail[member] = params[member]
    if "EnableLogFileValidation" in params:
        trail["LogFileValidationEnabled"] = params["EnableLogFileValidation"]
    if not trail.get("S3KeyPrefix"):
        trail.pop("S3KeyPrefix", None)


def _apply_key(ctx: Context, trail: Doc, params: Any) -> None:
    """Let a trail's files be encrypted with the key that was found, or with none for an empty name."""
    if "KmsKeyId" in params:
        trail.pop("KmsKeyId", None)
        trail |= {"KmsKeyId": ctx.prepared} if ctx.prepared else {}


def _answer(trail: Doc) -> dict[str, Any]:
    return {member: trail[member] for member in IN_ANSWERS if member in trail}
