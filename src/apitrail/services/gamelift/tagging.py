"""Tags: those given at creation, and the operations that read and change them later.

A resource's tags are one document under its ARN. Limits: 50 tags per resource, no key beginning with `aws:`.
Source: service model; GameLift quotas.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from apitrail.services.context import Context
from apitrail.services.gamelift import collections
from apitrail.services.gamelift.arns import KIND_NAMES, arn_of, split_arn
from apitrail.services.gamelift.errors import (
    InvalidRequestException,
    NotFoundException,
    TaggingFailedException,
)
from apitrail.services.operation import operation
from apitrail.store.resources import Collection

if TYPE_CHECKING:
    from mypy_boto3_gamelift.type_defs import (
        ListTagsForResourceRequestTypeDef,
        TagResourceRequestTypeDef,
        TagTypeDef,
        UntagResourceRequestTypeDef,
    )

TAG_COUNT_MAX = 50
RESERVED_PREFIX = "aws:"
GONE_STATES = ("DELETE_SCHEDULED", "DELETING", "TERMINATED")

TAGGED: Mapping[str, Collection] = {
    "alias": collections.ALIASES,
    "build": collections.BUILDS,
    "containerfleet": collections.FLEETS,
    "containergroupdefinition": collections.GROUP_DEFINITIONS,
    "fleet": collections.FLEETS,
    "gameservergroup": collections.SERVER_GROUPS,
    "gamesessionqueue": collections.QUEUES,
    "location": collections.CUSTOM_LOCATIONS,
    "matchmakingconfiguration": collections.MATCHMAKING_CONFIGURATIONS,
    "matchmakingruleset": collections.RULE_SETS,
    "script": collections.SCRIPTS,
}
"""The kinds of resources that can have tags, by the word in their ARNs; each kept under its id."""

Tags = Sequence["TagTypeDef"]


def check_tags(params: Mapping[str, Any]) -> None:
    """Check the Tags of a call, if it has any.

    Raises: TaggingFailedException for a reserved or repeated key, or too many tags. Inferred: the repeated key.
    """
    _refuse(tags_problem(params.get("Tags", ())))


def tag_new(ctx: Context, arn: str, params: Mapping[str, Any]) -> None:
    """Keep the Tags of a call that creates the resource of this ARN. Raises: as check_tags."""
    check_tags(params)
    keep_tags(ctx, arn, params)


def keep_tags(ctx: Context, arn: str, params: Mapping[str, Any]) -> None:
    """Keep the Tags of a call, which were checked before, for the resource of this ARN."""
    if params.get("Tags"):
        collections.TAGS(ctx).put(arn, {tag["Key"]: tag["Value"] for tag in params["Tags"]})


def tags_problem(tags: Tags) -> str | None:
    """Return what is wrong with the tags of one call, or None: a reserved or repeated key, or too many."""
    for tag in tags:
        if tag["Key"].lower().startswith(RESERVED_PREFIX):
            return f"Tag key {tag['Key']} begins with {RESERVED_PREFIX}, which is reserved."
    if len({tag["Key"] for tag in tags}) < len(tags):
        return "A tag key must not be given more than once."
    return _count_problem(len(tags))


def drop_tags(ctx: Context, arn: str) -> None:
    """Forget the tags of a resource that is deleted."""
    collections.TAGS(ctx).delete(arn)


@operation
def list_tags_for_resource(ctx: Context, params: "ListTagsForResourceRequestTypeDef") -> dict[str, Any]:
    """Return the tags of a resource, sorted by key.

    Raises: NotFoundException; InvalidRequestException (not an ARN of something that can have tags, or it is going).
    """
    tags = _tags_of(ctx, _tagged_arn(ctx, params["ResourceARN"]))
    return {"Tags": [{"Key": key, "Value": tags[key]} for key in sorted(tags)]}


@operation
def tag_resource(ctx: Context, params: "TagResourceRequestTypeDef") -> dict[str, Any]:
    """Add tags to a resource, or give those that it has new values.

    Raises: TaggingFailedException; NotFoundException; InvalidRequestException.
    """
    _refuse(tags_problem(params["Tags"]))
    arn = _tagged_arn(ctx, params["ResourceARN"])
    tags = {**_tags_of(ctx, arn), **{tag["Key"]: tag["Value"] for tag in params["Tags"]}}
    _refuse(_count_problem(len(tags)))
    _put_tags(ctx, arn, tags)
    return {}


@operation
def untag_resource(ctx: Context, params: "UntagResourceRequestTypeDef") -> dict[str, Any]:
    """Take tags from a resource; keys that it does not have are fine. Raises: NotFoundException; InvalidRequestException."""
    arn = _tagged_arn(ctx, params["ResourceARN"])
    unwanted = set(params["TagKeys"])
    _put_tags(ctx, arn, {key: value for key, value in _tags_of(ctx, arn).items() if key not in unwanted})
    return {}


def _count_problem(count: int) -> str | None:
    return f"A resource can have {TAG_COUNT_MAX} tags, not {count}." if count > TAG_COUNT_MAX else None


def _refuse(problem: str | None) -> None:
    if problem is not None:
        raise TaggingFailedException(problem)


def _tags_of(ctx: Context, arn: str) -> dict[str, str]:
    return collections.TAGS(ctx).get(arn) or {}


def _put_tags(ctx: Context, arn: str, tags: dict[str, str]) -> None:
    if tags:
        collections.TAGS(ctx).put(arn, tags)
    else:
        collections.TAGS(ctx).delete(arn)


def _tagged_arn(ctx: Context, text: str) -> str:
    """Return the ARN under which a resource's tags are kept, from either form of it."""
    if not text.startswith("arn:"):
        raise InvalidRequestException(f"{text} is not the ARN of a GameLift resource.")
    found = split_arn(ctx, text)
    if found is None:
        raise NotFoundException(f"Resource {text} was not found in {ctx.region}.")
    kind, id = found[0], found[1].partition(":")[0]
    if kind not in TAGGED:
        raise InvalidRequestException(f"{KIND_NAMES[kind]} {id} cannot have tags.")
    resource = TAGGED[kind](ctx).get(id)
    if resource is None:
        raise NotFoundException(f"{KIND_NAMES[kind]} {id} was not found.")
    if resource.get("Status") in GONE_STATES:
        raise InvalidRequestException(f"Resource {id} is not in a taggable state")
    return arn_of(ctx, kind, id)
