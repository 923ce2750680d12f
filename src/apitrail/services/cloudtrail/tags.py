"""Tags of trails. Source: CloudTrail API Reference, AddTags, RemoveTags, ListTags."""

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from apitrail.arn import parse_arn
from apitrail.errors import ServiceError
from apitrail.services.cloudtrail.access import get_own_trail, get_trail, trail_arn
from apitrail.services.cloudtrail.errors import (
    ChannelARNInvalidException,
    ChannelNotFoundException,
    EventDataStoreARNInvalidException,
    EventDataStoreNotFoundException,
    InvalidHomeRegionException,
    InvalidTagParameterException,
    OperationNotPermittedException,
    ResourceNotFoundException,
    ResourceTypeNotSupportedException,
    TagsLimitExceededException,
    TrailNotFoundException,
)
from apitrail.services.context import Context
from apitrail.services.operation import operation
from apitrail.store.resources import Collection, Documents

if TYPE_CHECKING:
    from mypy_boto3_cloudtrail.type_defs import (
        AddTagsRequestTypeDef,
        ListTagsRequestTypeDef,
        RemoveTagsRequestTypeDef,
    )

TAGS_MAX = 50
TAGS = Collection("cloudtrail/tags", "account")
UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
OTHER_KINDS: dict[str, tuple[type[ServiceError], type[ServiceError], str]] = {
    "channel": (ChannelARNInvalidException, ChannelNotFoundException, "a channel"),
    "eventdatastore": (EventDataStoreARNInvalidException, EventDataStoreNotFoundException, "an event data store"),
}
"""Kinds of resources that this version has none of: the errors for an ARN of a wrong form, and for any other."""


@operation
def add_tags(ctx: Context, params: "AddTagsRequestTypeDef") -> dict[str, Any]:
    """Add tags to a trail, or overwrite their values.

    Raises: TagsLimitExceededException, InvalidTagParameterException, and those of _require_trail.
    """
    arn = params["ResourceId"]
    new = check_tags(params["TagsList"])
    _require_trail(ctx, arn)
    tags = {**_tags(ctx, arn), **new}
    if len(tags) > TAGS_MAX:
        raise TagsLimitExceededException(f"{arn} would have {len(tags)} tags; at most {TAGS_MAX} are allowed.")
    keep_tags(ctx, arn, tags)
    return {}


@operation
def remove_tags(ctx: Context, params: "RemoveTagsRequestTypeDef") -> dict[str, Any]:
    """Remove tags by their keys; absent ones are fine. Inferred: values given are ignored.

    Raises: those of _require_trail.
    """
    arn = params["ResourceId"]
    _require_trail(ctx, arn)
    gone = {tag["Key"] for tag in params["TagsList"]}
    keep_tags(ctx, arn, {key: value for key, value in _tags(ctx, arn).items() if key not in gone})
    return {}


@operation
def list_tags(ctx: Context, params: "ListTagsRequestTypeDef") -> dict[str, Any]:
    """Return the tags of up to 20 trails. Raises: ResourceNotFoundException, and those of check_kind."""
    answer = []
    for arn in params["ResourceIdList"]:
        try:
            check_kind(arn)
            get_trail(ctx, arn)
        except (TrailNotFoundException, ChannelNotFoundException) as error:
            raise ResourceNotFoundException(f"There is no resource {arn}.") from error
        tags = [{"Key": key, "Value": value} for key, value in _tags(ctx, arn).items()]
        answer.append({"ResourceId": arn, "TagsList": tags})
    return {"ResourceTagList": answer}


def check_kind(text: str) -> None:
    """Check that an ARN is one of a trail; others name resources of kinds that there are none of.

    Raises: CloudTrailARNInvalidException, InvalidTrailNameException, ChannelARNInvalidException, ChannelNotFoundException,
    EventDataStoreARNInvalidException, EventDataStoreNotFoundException, ResourceNotFoundException (dashboards),
    ResourceTypeNotSupportedException. Inferred: which one for what.
    """
    arn = parse_arn(text)
    kind, _, name = (
        arn.resource.partition("/") if arn is not None and arn.service == "cloudtrail" else ("trail", "", "")
    )
    if kind == "trail":
        trail_arn(text)
    elif kind == "dashboard":
        raise ResourceNotFoundException(f"There is no resource {text}.")
    elif kind not in OTHER_KINDS:
        raise ResourceTypeNotSupportedException(f"Resources of type {kind[:100]} have no tags; trails have.")
    else:
        invalid, missing, what = OTHER_KINDS[kind]
        if not UUID.fullmatch(name):
            raise invalid(f"{text} is not the ARN of {what}; expected one that ends in {kind}/<uuid>.")
        raise missing(f"There is no {what.partition(' ')[2]} {text}.")


def check_tags(tags: Sequence[Any]) -> dict[str, str]:
    """Return tags as a mapping. Raises: InvalidTagParameterException, TagsLimitExceededException."""
    found: dict[str, str] = {}
    for tag in tags:
        key = tag["Key"]
        if key in found:
            raise InvalidTagParameterException(f"The tag key {key} is given more than once.")
        if key.lower().startswith("aws:"):
            raise InvalidTagParameterException(f"The tag key {key} begins with aws:, which is reserved.")
        found[key] = tag.get("Value", "")
    if len(found) > TAGS_MAX:
        raise TagsLimitExceededException(f"{len(found)} tags are given; at most {TAGS_MAX} are allowed.")
    return found


def keep_tags(ctx: Context, arn: str, tags: dict[str, str]) -> None:
    """Store all tags of a trail; its owner gets a copy of the record if somebody else changes them."""
    if tags:
        _documents(ctx, arn).put(arn, tags)
    else:
        _documents(ctx, arn).delete(arn)
    ctx.also_record(trail_arn(arn).account)


def _tags(ctx: Context, arn: str) -> dict[str, str]:
    return _documents(ctx, arn).get(arn) or {}


def _documents(ctx: Context, arn: str) -> Documents:
    return TAGS.at(ctx.tx, trail_arn(arn).account)


def _require_trail(ctx: Context, arn: str) -> None:
    """Check that a trail's tags may be changed here.

    Raises: ResourceNotFoundException, OperationNotPermittedException (inferred) for a trail whose home is elsewhere, those of
    check_kind and get_own_trail.
    """
    check_kind(arn)
    try:
        get_own_trail(ctx, arn)
    except TrailNotFoundException as error:
        raise ResourceNotFoundException(f"There is no resource {arn}.") from error
    except InvalidHomeRegionException as error:
        raise OperationNotPermittedException(error.message) from error
