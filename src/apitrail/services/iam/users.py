"""Users. Source: IAM API Reference."""

from apitrail.services.context import Context
from apitrail.services.iam.boundaries import boundary_member, set_boundary
from apitrail.services.iam.errors import (
    DeleteConflictException,
    EntityAlreadyExistsException,
    NoSuchEntityException,
    ValidationError,
)
from apitrail.services.iam.store import USER, Found, Params, Result, arn_of, check_path, find, listed, make, page_of
from apitrail.services.iam.tagging import checked_tags
from apitrail.services.identities import ACCESS_KEYS, ACCOUNTS, key_owner
from apitrail.services.operation import operation
from apitrail.store.resources import Doc

NO_USER = "Must specify userName when calling with non-User credentials"


def asked_user(ctx: Context, params: Params) -> Found:
    """Return the named user, or the calling one. Raises: NoSuchEntityException, ValidationError."""
    if "UserName" in params:
        return find(ctx, USER, params["UserName"])
    assert ctx.principal is not None
    if ctx.principal.kind != "IAMUser":
        raise ValidationError(NO_USER)
    return find(ctx, USER, ctx.principal.user_name)


def shown(doc: Doc, *, tags: bool = True) -> Doc:
    """Return a user as answers show it; lists leave tags and boundary out."""
    hidden = () if tags else ("Tags",)
    return {name: value for name, value in doc.items() if name not in hidden} | (boundary_member(doc) if tags else {})


@operation
def create_user(ctx: Context, params: Params) -> Result:
    """Create a user without keys and rights.

    Raises: EntityAlreadyExistsException; LimitExceededException; NoSuchEntityException (unknown boundary).
    """
    user = make(ctx, USER, params)
    user["_groups"] = []
    if "Tags" in params:
        user["Tags"] = checked_tags(params["Tags"])
    if "PermissionsBoundary" in params:
        set_boundary(ctx, user, params["PermissionsBoundary"])
    USER.collection(ctx).put(params["UserName"].lower(), user)
    return {"User": shown(user)}


@operation
def get_user(ctx: Context, params: Params) -> Result:
    """Return the named user, else the caller; for root, the account itself."""
    assert ctx.principal is not None
    if "UserName" not in params and ctx.principal.kind == "Root":
        account = ACCOUNTS(ctx).get(ctx.account) or {}
        root = {"UserId": ctx.account, "Arn": ctx.principal.arn, "CreateDate": account.get("CreateDate", ctx.now)}
        return {"User": {**root, "Path": "/", "UserName": ctx.principal.user_name or "root"}}
    return {"User": shown(asked_user(ctx, params).doc)}


@operation
def list_users(ctx: Context, params: Params) -> Result:
    """Return the users below a path prefix."""
    return page_of(ctx, params, listed(ctx, USER, params), "Users", lambda doc: shown(doc, tags=False))


@operation
def update_user(ctx: Context, params: Params) -> None:
    """Give a user another name or path; its id and keys stay."""
    found = find(ctx, USER, params["UserName"])
    name = params.get("NewUserName", found.doc["UserName"])
    path = params.get("NewPath", found.doc["Path"])
    check_path(path)
    if name.lower() != found.id and found.documents.has(name.lower()):
        raise EntityAlreadyExistsException(f"User with name {name} already exists.")
    found.doc.update(UserName=name, Path=path, Arn=arn_of(ctx, "user", path, name))
    if name.lower() != found.id:
        found.documents.delete(found.id)
    found.documents.put(name.lower(), found.doc)
    keys = ACCESS_KEYS(ctx)
    for entry in keys.find("_owner", key_owner(ctx.account, found.doc["UserId"])):
        keys.put(entry.id, {**entry.doc, "UserName": name})


@operation
def delete_user(ctx: Context, params: Params) -> None:
    """Delete a user that has no keys, policies and groups any more. Raises: DeleteConflictException."""
    found = find(ctx, USER, params["UserName"])
    conflicts = {
        "must delete access keys first.": ACCESS_KEYS(ctx).count("_owner", key_owner(ctx.account, found.doc["UserId"])),
        "must detach all policies first.": found.doc["_attached"],
        "must delete policies first.": found.doc["_inline"],
        "must remove users from group first.": found.doc["_groups"],
    }
    for message, present in conflicts.items():
        if present:
            raise DeleteConflictException(f"Cannot delete entity, {message}")
    found.documents.delete(found.id)


def require_user_key(ctx: Context, params: Params) -> Doc:
    """Return an access key of the named or calling user, or of root. Raises: NoSuchEntityException."""
    key = ACCESS_KEYS(ctx).get(params["AccessKeyId"])
    if key is None or key["_owner"] != owner_asked(ctx, params):
        raise NoSuchEntityException(f"The Access Key with id {params['AccessKeyId']} cannot be found.")
    return key


def owner_asked(ctx: Context, params: Params) -> str:
    """Return the owner of the access keys that a call means."""
    assert ctx.principal is not None
    if "UserName" not in params and ctx.principal.kind == "Root":
        return key_owner(ctx.account)
    return key_owner(ctx.account, asked_user(ctx, params).doc["UserId"])
