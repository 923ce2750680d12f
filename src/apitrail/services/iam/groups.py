"""Groups and who is in them. Source: IAM API Reference."""

from apitrail.services.context import Context
from apitrail.services.iam.errors import DeleteConflictException, EntityAlreadyExistsException, LimitExceededException
from apitrail.services.iam.store import (
    GROUP,
    USER,
    Params,
    Result,
    arn_of,
    check_path,
    find,
    listed,
    make,
    page_of,
)
from apitrail.services.iam.users import shown
from apitrail.services.operation import operation
from apitrail.store.resources import Doc

GROUPS_PER_USER = 10


def _members(ctx: Context, name: str) -> list[Doc]:
    return [entry.doc for entry in USER.collection(ctx).find("_groups", name)]


@operation
def create_group(ctx: Context, params: Params) -> Result:
    """Create a group. Raises: EntityAlreadyExistsException; LimitExceededException."""
    group = make(ctx, GROUP, params)
    GROUP.collection(ctx).put(params["GroupName"].lower(), group)
    return {"Group": group}


@operation
def get_group(ctx: Context, params: Params) -> Result:
    """Return a group and the users in it."""
    group = find(ctx, GROUP, params["GroupName"]).doc
    page = page_of(ctx, params, _members(ctx, group["GroupName"]), "Users", lambda doc: shown(doc, tags=False))
    return {"Group": group, **page}


@operation
def list_groups(ctx: Context, params: Params) -> Result:
    """Return the groups below a path prefix."""
    return page_of(ctx, params, listed(ctx, GROUP, params), "Groups")


@operation
def update_group(ctx: Context, params: Params) -> None:
    """Give a group another name or path."""
    found = find(ctx, GROUP, params["GroupName"])
    old, name = found.doc["GroupName"], params.get("NewGroupName", found.doc["GroupName"])
    path = params.get("NewPath", found.doc["Path"])
    check_path(path)
    if name.lower() != found.id and found.documents.has(name.lower()):
        raise EntityAlreadyExistsException(f"Group with name {name} already exists.")
    members = _members(ctx, old)
    found.doc.update(GroupName=name, Path=path, Arn=arn_of(ctx, "group", path, name))
    if name.lower() != found.id:
        found.documents.delete(found.id)
    found.documents.put(name.lower(), found.doc)
    for user in members:
        user["_groups"] = [name if group == old else group for group in user["_groups"]]
        USER.collection(ctx).put(user["UserName"].lower(), user)


@operation
def delete_group(ctx: Context, params: Params) -> None:
    """Delete a group that has no users and policies any more. Raises: DeleteConflictException."""
    found = find(ctx, GROUP, params["GroupName"])
    conflicts = {
        "must remove users from group first.": _members(ctx, found.doc["GroupName"]),
        "must detach all policies first.": found.doc["_attached"],
        "must delete policies first.": found.doc["_inline"],
    }
    for message, present in conflicts.items():
        if present:
            raise DeleteConflictException(f"Cannot delete entity, {message}")
    found.documents.delete(found.id)


@operation
def add_user_to_group(ctx: Context, params: Params) -> None:
    """Put a user into a group; a user who is in it already stays."""
    group = find(ctx, GROUP, params["GroupName"]).doc["GroupName"]
    user = find(ctx, USER, params["UserName"])
    if group in user.doc["_groups"]:
        return
    if len(user.doc["_groups"]) >= GROUPS_PER_USER:
        raise LimitExceededException(f"Cannot exceed quota for GroupsPerUser: {GROUPS_PER_USER}")
    user.doc["_groups"].append(group)
    user.save()


@operation
def remove_user_from_group(ctx: Context, params: Params) -> None:
    """Take a user out of a group."""
    group = find(ctx, GROUP, params["GroupName"]).doc["GroupName"]
    user = find(ctx, USER, params["UserName"])
    user.doc["_groups"] = [name for name in user.doc["_groups"] if name != group]
    user.save()


@operation
def list_groups_for_user(ctx: Context, params: Params) -> Result:
    """Return the groups that a user is in."""
    user = find(ctx, USER, params["UserName"]).doc
    rows = [find(ctx, GROUP, name).doc for name in user["_groups"]]
    return page_of(ctx, params, rows, "Groups")
