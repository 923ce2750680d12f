"""Tags of users and roles. Source: IAM API Reference; at most 50, keys unique without regard to case."""

from typing import Any

from apitrail.services.context import Context
from apitrail.services.iam.errors import InvalidInputException, LimitExceededException
from apitrail.services.iam.store import ROLE, USER, Kind, Params, Result, find, page_of
from apitrail.services.operation import operation

TAGS_MAX = 50


def checked_tags(tags: list[dict[str, str]]) -> list[dict[str, str]]:
    """Return tags in the form that is stored. Raises: InvalidInputException, LimitExceededException."""
    names = [tag["Key"].lower() for tag in tags]
    if len(set(names)) != len(names):
        raise InvalidInputException("Duplicate tag keys found. Please note that Tag keys are case insensitive.")
    if any(name.startswith("aws:") for name in names):
        raise InvalidInputException("Tag keys that begin with aws: are reserved.")
    if len(tags) > TAGS_MAX:
        raise LimitExceededException(f"The number of tags has reached the maximum limit of {TAGS_MAX}.")
    return [{"Key": tag["Key"], "Value": tag.get("Value", "")} for tag in tags]


def merged(old: list[dict[str, str]], new: list[dict[str, str]]) -> list[dict[str, str]]:
    """Return tags after adding some; a key that is there gets the new value."""
    added = {tag["Key"].lower() for tag in checked_tags(new)}
    return checked_tags([tag for tag in old if tag["Key"].lower() not in added] + new)


def _tag(ctx: Context, kind: Kind, params: Params) -> None:
    found = find(ctx, kind, params[kind.member])
    found.doc["Tags"] = merged(found.doc.get("Tags", []), params["Tags"])
    found.save()


def _untag(ctx: Context, kind: Kind, params: Params) -> None:
    found = find(ctx, kind, params[kind.member])
    gone = {key.lower() for key in params["TagKeys"]}
    found.doc["Tags"] = [tag for tag in found.doc.get("Tags", []) if tag["Key"].lower() not in gone]
    found.save()


def _list(ctx: Context, kind: Kind, params: Params) -> dict[str, Any]:
    return page_of(ctx, params, find(ctx, kind, params[kind.member]).doc.get("Tags", []), "Tags")


@operation
def tag_user(ctx: Context, params: Params) -> None:
    """Add tags to a user."""
    _tag(ctx, USER, params)


@operation
def untag_user(ctx: Context, params: Params) -> None:
    """Remove tags from a user."""
    _untag(ctx, USER, params)


@operation
def list_user_tags(ctx: Context, params: Params) -> Result:
    """Return the tags of a user."""
    return _list(ctx, USER, params)


@operation
def tag_role(ctx: Context, params: Params) -> None:
    """Add tags to a role."""
    _tag(ctx, ROLE, params)


@operation
def untag_role(ctx: Context, params: Params) -> None:
    """Remove tags from a role."""
    _untag(ctx, ROLE, params)


@operation
def list_role_tags(ctx: Context, params: Params) -> Result:
    """Return the tags of a role."""
    return _list(ctx, ROLE, params)
