"""Temporary credentials, shared by every service that hands them out: STS to its callers, GameLift for uploads.

The documents are here; the keys among them are found through `services.iam.credentials`.
"""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import msgspec

from apitrail.identity.credentials import Credential
from apitrail.identity.principal import Principal
from apitrail.services.context import Context
from apitrail.services.operation import timer
from apitrail.store.resources import Collection, Doc

SESSIONS = Collection("identity/session", "global")
"""By access key: AccessKeyId, SecretAccessKey, SessionToken, CreatedAt, ExpiresAt, Principal."""

EXPIRED = "identity/session-expired"
KEY_PREFIX = "ASIA"
SECRET_LENGTH = 40
TOKEN_LENGTH = 256


def issue_session(ctx: Context, principal: Principal, duration_s: float) -> dict[str, Any]:
    """Keep new temporary credentials of a principal; return AccessKeyId, SecretAccessKey, SessionToken, Expiration.

    principal: as its calls will see it, with the policies that say what it may do; its access key is filled in here.
    duration_s: a deadline, in full seconds of the clock.
    """
    key = ctx.ids.aws(KEY_PREFIX)
    expires_at = ctx.now + timedelta(seconds=duration_s)
    secrets = {
        "AccessKeyId": key,
        "SecretAccessKey": ctx.ids.token(SECRET_LENGTH),
        "SessionToken": ctx.ids.token(TOKEN_LENGTH),
    }
    who = msgspec.to_builtins(replace(principal, access_key=key), builtin_types=(datetime,))
    SESSIONS(ctx).put(key, {**secrets, "CreatedAt": ctx.now, "ExpiresAt": expires_at, "Principal": who})
    ctx.schedule(EXPIRED, {"AccessKeyId": key}, duration_s)
    return {**secrets, "Expiration": expires_at}


def credential_of(session: Doc) -> Credential:
    """Return the credential of a document of SESSIONS."""
    return Credential(
        access_key=session["AccessKeyId"],
        secret_key=session["SecretAccessKey"],
        principal=msgspec.convert(session["Principal"], Principal),
        token=session["SessionToken"],
        expires_at=session["ExpiresAt"],
    )


@timer(EXPIRED)
def forget_session(ctx: Context, doc: Doc) -> None:
    """Remove credentials whose time is over."""
    SESSIONS(ctx).delete(doc["AccessKeyId"])
