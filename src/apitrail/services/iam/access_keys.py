"""Access keys of users and of root. Source: IAM API Reference."""

from apitrail.errors import ServiceError
from apitrail.services.context import Context
from apitrail.services.iam.errors import LimitExceededException, NoSuchEntityException
from apitrail.services.iam.store import Params, Result, page_of, whole
from apitrail.services.iam.users import asked_user, owner_asked, require_user_key
from apitrail.services.identities import ACCESS_KEYS, KEY_USES, new_access_key
from apitrail.services.operation import operation

KEYS_MAX = 2


@operation
def create_access_key(ctx: Context, params: Params) -> Result:
    """Create a key of a user, or of root; its secret is shown this once. Raises: LimitExceededException (two per user)."""
    assert ctx.principal is not None
    owner = owner_asked(ctx, params)
    if ACCESS_KEYS(ctx).count("_owner", owner) >= KEYS_MAX:
        raise LimitExceededException(f"Cannot exceed quota for AccessKeysPerUser: {KEYS_MAX}")
    of_root = "UserName" not in params and ctx.principal.kind == "Root"
    user = None if of_root else asked_user(ctx, params).doc
    key = new_access_key(ctx.tx, ctx.ids, ctx.account, whole(ctx.now), user)
    return {
        "AccessKey": {
            "UserName": key.get("UserName", ""),
            "AccessKeyId": key["AccessKeyId"],
            "Status": key["Status"],
            "SecretAccessKey": key["_secret"],
            "CreateDate": key["CreateDate"],
        }
    }


@operation
def list_access_keys(ctx: Context, params: Params) -> Result:
    """Return the keys of a user, or of root, without their secrets."""
    rows = [entry.doc for entry in ACCESS_KEYS(ctx).find("_owner", owner_asked(ctx, params))]
    return page_of(ctx, params, rows, "AccessKeyMetadata")


@operation
def update_access_key(ctx: Context, params: Params) -> None:
    """Switch a key on or off."""
    key = require_user_key(ctx, params)
    if params["Status"] not in ("Active", "Inactive"):
        raise ServiceError("The status must be Active or Inactive.", code="ValidationError")
    ACCESS_KEYS(ctx).put(key["AccessKeyId"], {**key, "Status": params["Status"]})


@operation
def delete_access_key(ctx: Context, params: Params) -> None:
    """Delete a key."""
    key = require_user_key(ctx, params)
    ACCESS_KEYS(ctx).delete(key["AccessKeyId"])
    KEY_USES(ctx).delete(key["AccessKeyId"])


@operation
def get_access_key_last_used(ctx: Context, params: Params) -> Result:
    """Return when, where and for what a key was last used; up to half a minute late."""
    key = ACCESS_KEYS(ctx).get(params["AccessKeyId"])
    if key is None or key["_account"] != ctx.account:
        raise NoSuchEntityException(f"The Access Key with id {params['AccessKeyId']} cannot be found.")
    unused = {"ServiceName": "N/A", "Region": "N/A"}
    used = KEY_USES(ctx).get(params["AccessKeyId"]) or unused
    return {"UserName": key.get("UserName", ""), "AccessKeyLastUsed": used}
