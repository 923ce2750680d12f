"""What a record hides, and how the tables of a service are matched against its model.

Three treatments: left out (the member is absent), masked (the whole value is `HIDDEN`), shown. No mode and no
setting shows the members of `BASE_LEFT_OUT` and `BASE_MASKED`: an archive must hold no live secret. The model's
sensitive trait masks a value unless the service's rules name it `clear`. Game data is masked unless it is asked for.
Source: CloudTrail's own records (`HIDDEN_DUE_TO_SECURITY_REASONS`), STS page on CloudTrail (secretAccessKey).
"""

from collections.abc import Callable
from functools import cache
from typing import Literal

from apitrail.events.rules import RecordRules
from apitrail.wire.models import Shape

HIDDEN = "HIDDEN_DUE_TO_SECURITY_REASONS"

Treatment = Literal["left out", "masked", "shown"]
Treat = Callable[[str, str, Shape], Treatment]

BASE_LEFT_OUT = frozenset(
    {
        "SecretAccessKey",
        "Password",
        "NewPassword",
        "OldPassword",
        "PrivateKey",
        "SAMLAssertion",
        "WebIdentityToken",
        "ContextAssertion",
    }
)
BASE_MASKED = frozenset(
    {
        "SessionToken",
        "SecurityToken",
        "TradeInToken",
        "AuthenticationCode1",  # codes of MFA devices: IAM, STS, S3
        "AuthenticationCode2",
        "TokenCode",
        "OneTimePassword",
        "MFA",
        "RequestToken",  # lets its holder answer in place of S3
        "ObjectLockToken",
    }
)


def treatment(rules: RecordRules, show_game_data: bool) -> Treat:
    """Return a function (owner shape's name, member name, value's shape) -> treatment, for compiling casers.

    For items of lists and values of maps the member name is empty. Order: left out, masked, game data, clear,
    the model's sensitive trait.
    """
    left_out = rules.left_out | BASE_LEFT_OUT
    masked = rules.masked | BASE_MASKED
    game_data = rules.game_data

    def treat(owner: str, member: str, shape: Shape) -> Treatment:
        names = {member, f"{owner}.{member}", shape.name}
        if shape.type_name == "blob" or shape.serialization.get("eventstream") or not names.isdisjoint(left_out):
            return "left out"
        if not names.isdisjoint(masked):
            return "masked"
        if not names.isdisjoint(game_data):
            return "shown" if show_game_data else "masked"
        if is_sensitive(shape) and names.isdisjoint(rules.clear):
            return "masked"
        return "shown"

    return treat


@cache
def hidden_names(rules: RecordRules) -> frozenset[str]:
    """Return the members and shapes whose values no record shows by default, so that no error message may either."""
    return rules.left_out | BASE_LEFT_OUT | rules.masked | BASE_MASKED | rules.game_data


def is_sensitive(shape: Shape) -> bool:
    """Return whether the model marks a shape sensitive."""
    return bool(shape.metadata.get("sensitive"))
