"""Who a caller or a key is. Source: STS API Reference."""

from apitrail.services.context import Context
from apitrail.services.identities import ACCESS_KEYS
from apitrail.services.operation import operation
from apitrail.services.sessions import SESSIONS
from apitrail.services.sts.errors import ValidationError
from apitrail.services.sts.sessions import Params, Result


@operation
def get_caller_identity(ctx: Context, params: Params) -> Result:
    """Return the caller's id, account and ARN; needs no permission."""
    assert ctx.principal is not None
    return {"UserId": ctx.principal.principal_id, "Account": ctx.principal.account, "Arn": ctx.principal.arn}


@operation
def get_access_key_info(ctx: Context, params: Params) -> Result:
    """Return the account that a key belongs to. Raises: ValidationError for a key that does not exist here."""
    name = params["AccessKeyId"]
    key = ACCESS_KEYS(ctx).get(name)
    if key is not None:
        return {"Account": key["_account"]}
    session = SESSIONS(ctx).get(name)
    if session is None:
        raise ValidationError(f"The access key {name} is not known here.")
    return {"Account": session["Principal"]["account"]}
