"""Sessions of a user or of root itself: GetSessionToken and GetFederationToken. Source: STS API Reference."""

from dataclasses import replace

from apitrail.arn import make_arn
from apitrail.identity.principal import Principal, Session, SessionIssuer
from apitrail.services.context import Context
from apitrail.services.operation import operation
from apitrail.services.sts.errors import AccessDenied
from apitrail.services.sts.sessions import (
    Params,
    Result,
    duration,
    hand_out,
    long_term_caller,
    packed_size,
    session_policies,
    session_tags,
)

DEFAULT_S = 43_200


@operation
def get_session_token(ctx: Context, params: Params) -> Result:
    """Return credentials that may what the caller may.

    Raises: AccessDenied with session credentials, and for any MFA code, since there are no MFA devices.
    """
    caller = long_term_caller(ctx, "GetSessionToken")
    if "SerialNumber" in params or "TokenCode" in params:
        raise AccessDenied("MultiFactorAuthentication failed with invalid MFA one time pass code.")
    # policies are left to be looked up at use, so that the session follows its user
    principal = replace(_bare(caller), session=Session(created_at=ctx.now))
    return {"Credentials": hand_out(ctx, principal, duration(caller, params, DEFAULT_S))}


@operation
def get_federation_token(ctx: Context, params: Params) -> Result:
    """Return credentials of a federated user, who may what both the caller's and the session's policies allow.

    Raises: AccessDenied with session credentials; MalformedPolicyDocument; PackedPolicyTooLarge.
    """
    caller = long_term_caller(ctx, "GetFederationToken")
    account, name = ctx.account, params["Name"]
    issuer = SessionIssuer(caller.kind, caller.principal_id, caller.arn, account, caller.user_name)
    principal = Principal(
        kind="FederatedUser",
        account=account,
        arn=make_arn("sts", "", account, f"federated-user/{name}"),
        principal_id=f"{account}:{name}",
        session=Session(
            created_at=ctx.now,
            issuer=issuer,
            tags=session_tags(params),
            policies=session_policies(ctx, account, params),
        ),
    )
    return {
        "Credentials": hand_out(ctx, principal, duration(caller, params, DEFAULT_S)),
        "FederatedUser": {"FederatedUserId": principal.principal_id, "Arn": principal.arn},
        **packed_size(params),
    }


def _bare(caller: Principal) -> Principal:
    return replace(caller, policies=(), boundary=None, tags={})
