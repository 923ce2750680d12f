"""AssumeRole: whether the trust policy lets the caller in, and what the session carries. Source: STS API Reference."""

from dataclasses import replace
from typing import Any

from apitrail.arn import make_arn, parse_arn
from apitrail.identity.policy import denied_message, evaluate
from apitrail.identity.principal import Principal, Session, SessionIssuer
from apitrail.identity.request_context import request_context
from apitrail.services.context import Context
from apitrail.services.identities import read_document, role_at
from apitrail.services.operation import operation
from apitrail.services.sts.errors import AccessDenied, ValidationError
from apitrail.services.sts.sessions import Params, Result, hand_out, packed_size, session_policies, session_tags
from apitrail.store.resources import Doc

DEFAULT_S = 3600
CHAINED_S_MAX = 3600


@operation
def assume_role(ctx: Context, params: Params) -> Result:
    """Return credentials of a role session.

    The trust policy must allow the caller; unless it names the caller itself, the caller's own policies must as well.
    Tags need sts:TagSession, a source identity sts:SetSourceIdentity, from both. Tags passed on as transitive by
    the caller's session stay. A role of another account is recorded there as well, unless it is refused.
    Raises: AccessDenied; ValidationError; MalformedPolicyDocument; PackedPolicyTooLarge.
    """
    assert ctx.principal is not None
    tags = session_tags(params)
    if "SerialNumber" in params or "TokenCode" in params:
        raise AccessDenied("MultiFactorAuthentication failed with invalid MFA one time pass code.")
    role = _trusting_role(ctx, params)
    seconds = _duration(ctx.principal, role, params)
    principal = _session_principal(ctx, role, params, tags)
    user = {"AssumedRoleId": principal.principal_id, "Arn": principal.arn}
    answer = {"Credentials": hand_out(ctx, principal, seconds), "AssumedRoleUser": user, **packed_size(params)}
    session = principal.session
    if session is not None and session.source_identity:
        answer["SourceIdentity"] = session.source_identity
    ctx.also_record(principal.account)
    return answer


def _trusting_role(ctx: Context, params: Params) -> Doc:
    """Return the role if its trust policy lets the caller in; one that is missing is refused in the same words."""
    caller, arn = ctx.principal, params["RoleArn"]
    assert caller is not None
    if caller.kind == "Root":
        raise AccessDenied("Roles may not be assumed by root accounts.")
    if parse_arn(arn) is None:
        raise ValidationError(f"{arn} is invalid")
    role = role_at(ctx.tx, arn)
    for action in _actions(caller, params):
        _check_trust(ctx, caller, action, arn, role)
    assert role is not None
    return role


def _actions(caller: Principal, params: Params) -> list[str]:
    chained = caller.session.source_identity if caller.session is not None else ""
    transitive = caller.session.transitive if caller.session is not None else ()
    actions = ["sts:AssumeRole"]
    actions += ["sts:TagSession"] if params.get("Tags") or transitive else []
    return actions + (["sts:SetSourceIdentity"] if params.get("SourceIdentity") or chained else [])


def _check_trust(ctx: Context, caller: Principal, action: str, arn: str, role: Doc | None) -> None:
    trust = read_document(role["AssumeRolePolicyDocument"]) if role is not None else {"Statement": []}
    decision = evaluate(caller, action, [arn], _context(ctx, role), trust, trust=True)
    if not decision.allowed:
        raise AccessDenied(denied_message(caller, action, arn, decision))


def _context(ctx: Context, role: Doc | None) -> dict[str, Any]:
    assert ctx.call is not None
    context = request_context(ctx.call, ctx.now)
    for tag in (role or {}).get("Tags", ()):
        context[f"aws:ResourceTag/{tag['Key']}"] = context[f"iam:ResourceTag/{tag['Key']}"] = tag["Value"]
    return context


def _duration(caller: Principal, role: Doc, params: Params) -> int:
    chained = caller.kind == "AssumedRole" and not caller.invoked_by
    seconds = int(params.get("DurationSeconds", DEFAULT_S))
    if chained and seconds > CHAINED_S_MAX:
        message = "The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining"
        raise ValidationError(message)
    if seconds > role["MaxSessionDuration"]:
        raise ValidationError("The requested DurationSeconds exceeds the MaxSessionDuration set for this role.")
    return seconds


def _session_principal(ctx: Context, role: Doc, params: Params, tags: dict[str, str]) -> Principal:
    assert ctx.principal is not None
    account = parse_role_account(role)
    name, session_name = role["RoleName"], params["RoleSessionName"]
    issuer = SessionIssuer("Role", role["RoleId"], role["Arn"], account, name)
    return Principal(
        kind="AssumedRole",
        account=account,
        arn=make_arn("sts", "", account, f"assumed-role/{name}/{session_name}"),
        principal_id=f"{role['RoleId']}:{session_name}",
        session=_with_inherited(
            Session(
                created_at=ctx.now,
                issuer=issuer,
                source_identity=params.get("SourceIdentity", ""),
                tags=tags,
                transitive=tuple(params.get("TransitiveTagKeys", ())),
                policies=session_policies(ctx, account, params),
            ),
            ctx.principal.session,
        ),
    )


def parse_role_account(role: Doc) -> str:
    """Return the account that a role belongs to."""
    arn = parse_arn(role["Arn"])
    assert arn is not None
    return arn.account


def _with_inherited(session: Session, of_caller: Session | None) -> Session:
    """Return a session with what goes on from the caller's: source identity, transitive tags, MFA."""
    if of_caller is None:
        return session
    if of_caller.source_identity and session.source_identity not in ("", of_caller.source_identity):
        raise AccessDenied("The source identity of a session cannot be changed.")
    inherited = {key: value for key, value in of_caller.tags.items() if key in of_caller.transitive}
    clash = {key.lower() for key in inherited} & {key.lower() for key in session.tags}
    if clash:
        raise ValidationError(
            f"The tag key {min(clash)} is transitive in the caller's session and cannot be passed again."
        )
    return replace(
        session,
        mfa=of_caller.mfa,
        source_identity=of_caller.source_identity or session.source_identity,
        tags={**inherited, **session.tags},
        transitive=tuple(dict.fromkeys((*of_caller.transitive, *session.transitive))),
    )
