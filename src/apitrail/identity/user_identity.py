"""The userIdentity object of a record. Source: CloudTrail User Guide, "userIdentity element"."""

from typing import Any

from apitrail.identity.principal import Principal, Session, SessionIssuer


def user_identity(principal: Principal, *, cross_account: bool = False) -> dict[str, Any]:
    """Return the userIdentity of a principal, fields in the order of real records.

    cross_account: for the copy that the owner of another account's resource gets, which hides arn, key and name.
    """
    if principal.kind == "AWSService":
        return {"type": "AWSService", "invokedBy": principal.invoked_by}
    if cross_account or principal.kind == "AWSAccount":
        return _foreign(principal)
    identity: dict[str, Any] = {
        "type": principal.kind,
        "principalId": principal.principal_id,
        "arn": principal.arn,
        "accountId": principal.account,
    }
    if principal.access_key:
        identity["accessKeyId"] = principal.access_key
    if principal.user_name and principal.kind in ("IAMUser", "Root"):
        identity["userName"] = principal.user_name
    if principal.session is not None:
        identity["sessionContext"] = _session_context(principal.session)
    if principal.invoked_by:
        identity["invokedBy"] = principal.invoked_by
    return identity


def _foreign(principal: Principal) -> dict[str, Any]:
    identity: dict[str, Any] = {
        "type": "AWSAccount",
        "principalId": principal.principal_id,
        "accountId": principal.account,
    }
    if principal.invoked_by:
        identity["invokedBy"] = principal.invoked_by
    return identity


def _session_context(session: Session) -> dict[str, Any]:
    context: dict[str, Any] = {}
    if session.issuer is not None:
        context["sessionIssuer"] = _issuer(session.issuer)
    context["attributes"] = {
        "creationDate": session.created_at.isoformat(timespec="seconds").replace("+00:00", "Z"),
        "mfaAuthenticated": "true" if session.mfa else "false",
    }
    if session.source_identity:
        context["sourceIdentity"] = session.source_identity
    return context


def _issuer(issuer: SessionIssuer) -> dict[str, Any]:
    shown = {
        "type": issuer.kind,
        "principalId": issuer.principal_id,
        "arn": issuer.arn,
        "accountId": issuer.account,
    }
    return shown | {"userName": issuer.name} if issuer.name else shown
