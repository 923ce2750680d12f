"""Secrets planted in calls, and the search for them.

What is a secret is listed here by hand, from the specification of records and not from the product's own tables, so
that an omission there is found. Members of later models are found by how they are called.
"""

import base64
import re
from collections.abc import Iterable, Iterator
from typing import Any

from apitrail.wire.models import OperationModel, Shape, service_model
from worlds import Likely, zip_of

# Members whose whole value must be in no record, in no mode: credentials, tokens, keys, passwords, URLs, uploads.
SECRETS = {
    "gamelift": {
        "AuthToken", "Credentials", "PlayerGatewayToken", "PreSignedLogUrl", "PreSignedUrl", "Secret",
        "SecretAccessKey", "SessionToken", "UploadCredentials", "ZipFile",
    },
    "cloudtrail": set(),
    "iam": {
        "AddPrivateKey", "AuthenticationCode1", "AuthenticationCode2", "Base32StringSeed", "NewPassword",
        "OldPassword", "Password", "PrivateKey", "QRCodePNG", "SecretAccessKey", "ServiceCredentialSecret",
        "ServicePassword",
    },
    "sts": {
        "ContextAssertion", "SAMLAssertion", "SecretAccessKey", "SessionToken", "TokenCode", "TradeInToken",
        "WebIdentityToken",
    },
    "s3": {
        "Body", "CopySourceSSECustomerKey", "MFA", "RequestToken", "SSECustomerKey", "SecretAccessKey",
        "SessionToken",
    },
    "sns": {"Endpoint", "Message", "MessageAttributes", "OneTimePassword", "Subject", "Token"},
    "sqs": {"MessageAttributes", "MessageBody"},
}  # fmt: skip
# Players' and developers' free text, by member and where that says too little by the structure around it.
GAME_DATA = {
    "AttributeValue.N", "AttributeValue.S", "AttributeValue.SDM", "AttributeValue.SL", "ContainerEnvironment.Value",
    "CustomEventData", "GameProperty.Value", "GameServerData", "GameSessionData", "MatchmakerData", "PlayerData",
    "PlayerDataMap",
}  # fmt: skip
# What looks like a secret by its name and is none: pages, repeats of a call, ids and settings.
NO_SECRETS = re.compile(
    r"[Nn]extToken|ContinuationToken|IdempotencyToken|ClientToken|ClientRequestToken|.*TokenVersion|.*CredentialId|"
    r".*CredentialAlias|InstanceRoleCredentialsProvider|SubjectFromWebIdentityToken|RemovePrivateKey|AccessKeyId|"
    r"NextContinuationToken"
)
# Structures that name what is a secret elsewhere: an endpoint in a list of subscriptions, what went wrong with an entry.
NO_OWNERS = {"Subscription", "BatchResultErrorEntry"}
TELLING = re.compile(r"(?i)secret|passw|token$|credential|privatekey|assertion|presigned|signedurl")

MARK = "Zq7xPlanted"
NUMBER = 73_550_917.25
CODE = "918273"
ANSWERED_MIN = 12


def is_secret(service: str, owner: Shape, name: str) -> bool:
    """Return whether a member must never be written."""
    if name in SECRETS.get(service, ()) and owner.name not in NO_OWNERS:
        return True
    shape = owner.members[name]
    is_text = shape.type_name in ("string", "blob") and not shape.metadata.get("enum")
    return is_text and bool(TELLING.search(name)) and not NO_SECRETS.fullmatch(name)


def is_game_data(owner: Shape, name: str) -> bool:
    """Return whether a member is free text of players or developers."""
    return name in GAME_DATA or f"{owner.name}.{name}" in GAME_DATA


class Planter(Likely):
    """Makes parameters that hold marks in all secret members. planted: how many. spoil: make secrets invalid."""

    def __init__(self, seed: str, known: dict[str, list[str]], service: str, *, game_data: bool, spoil: bool) -> None:
        super().__init__(seed, known, full=True)
        self._service = service
        self._game_data = game_data
        self._spoil = spoil
        self._inside = False
        self.planted = 0

    def member(self, owner: Shape, name: str, above: tuple[str, ...]) -> Any:
        """Return the value of a member, full of marks if it is a secret."""
        hidden = is_secret(self._service, owner, name) or (self._game_data and is_game_data(owner, name))
        if self._inside or not hidden:
            return super().member(owner, name, above)
        self._inside = True
        try:
            return self.value(owner.members[name], owner.members[name].serialization.get("location", ""), above)
        finally:
            self._inside = False

    def value(self, shape: Shape, where: str = "", above: tuple[str, ...] = ()) -> Any:
        """Return a value; the keys of a map of secrets are none."""
        if not self._inside or shape.type_name != "map":
            return super().value(shape, where, above)
        self._inside = False
        key = self.value(shape.key, where)
        self._inside = True
        return {key: self.value(shape.value, where, (*above, shape.name))}

    def _string(self, shape: Shape, where: str) -> str:
        if not self._inside:
            return super()._string(shape, where)
        self.planted += 1
        low, high = shape.metadata.get("min", 1), shape.metadata.get("max", 100_000)
        mark = CODE if high < len(MARK) else f"{MARK}{self.planted:04}"
        if self._spoil:
            return mark * (high // len(mark) + 1) if high < 20_000 or where == "header" else f"{mark}\x00\x01\ufffe"
        return (mark * (low // len(mark) + 1))[: max(high, len(mark))] if low > len(mark) else mark

    def _blob(self, shape: Shape, where: str) -> bytes:
        if not self._inside:
            return super()._blob(shape, where)
        self.planted += 1
        content = f"{MARK}{self.planted:04}".encode()
        return content if self._spoil else zip_of(content)

    def _double(self, shape: Shape, where: str) -> float:
        return NUMBER if self._inside else super()._double(shape, where)


def found_marks(content: bytes | str) -> list[str]:
    """Return the marks in a content, as they are or in base64, with what is around them."""
    text = content.decode("latin-1") if isinstance(content, bytes) else content
    return [text[max(0, match.start() - 60) : match.end() + 20] for match in MARKS.finditer(text)]


def _forms(mark: str) -> Iterator[str]:
    """Yield how a text may appear: plain, and in base64 at each of its three offsets."""
    yield mark
    for offset in range(3):
        encoded = base64.b64encode(b"\0" * offset + mark.encode()).decode().rstrip("=")
        yield encoded[offset + bool(offset) : -1]


MARKS = re.compile("|".join(map(re.escape, [*_forms(MARK), str(int(NUMBER)), f'"{CODE}', f"'{CODE}"])))


def secrets_in(service: str, shape: Shape | None, value: Any, inside: bool = False) -> Iterator[str]:
    """Yield the secret texts of an answer."""
    if isinstance(value, str | bytes) and inside:
        text = value if isinstance(value, str) else value.decode("latin-1")
        if len(text) >= ANSWERED_MIN:
            yield text
    elif isinstance(value, list):
        for item in value:
            yield from secrets_in(service, shape.member, item, inside)
    elif isinstance(value, dict) and shape is not None and shape.type_name == "structure":
        for name, item in value.items():
            if name in shape.members and name != "AccessKeyId":
                hidden = inside or is_secret(service, shape, name)
                yield from secrets_in(service, shape.members[name], item, hidden)


def parts_of(secret: str) -> Iterable[str]:
    """Return a secret and, of a URL, the parts of it that let somebody in."""
    values = re.findall(r"(?:Signature|Security-Token)=([^&]+)", secret)
    return [secret, *(value for value in values if len(value) >= ANSWERED_MIN)]


def operations_with_secrets(service: str) -> list[OperationModel]:
    """Return the operations that take a secret or game data."""
    model = service_model(service)
    found = [model.operation_model(name) for name in model.operation_names]
    return [operation for operation in found if holds_secret(service, operation.input_shape, ())]


def holds_secret(service: str, shape: Shape | None, above: tuple[str, ...]) -> bool:
    """Return whether a shape has a secret or game data in it."""
    if shape is None or shape.name in above:
        return False
    inside = (*above, shape.name)
    if shape.type_name == "structure":
        return any(
            is_secret(service, shape, name) or is_game_data(shape, name) or holds_secret(service, member, inside)
            for name, member in shape.members.items()
        )
    if shape.type_name == "list":
        return holds_secret(service, shape.member, inside)
    return shape.type_name == "map" and holds_secret(service, shape.value, inside)
