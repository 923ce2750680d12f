"""Finding, listing and making the things of IAM: what its families of operations share."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple
from urllib.parse import quote

from apitrail.arn import make_arn
from apitrail.errors import ServiceError
from apitrail.identity.policy_document import PolicyKind, validate_policy_document
from apitrail.ids import BASE32
from apitrail.services.common import make_token, read_token
from apitrail.services.context import Context
from apitrail.services.iam.errors import (
    EntityAlreadyExistsException,
    LimitExceededException,
    MalformedPolicyDocumentException,
    NoSuchEntityException,
    ValidationError,
)
from apitrail.services.identities import GROUPS, ROLES, USERS
from apitrail.store.resources import Collection, Doc, Documents

Result = dict[str, Any]
Params = Mapping[str, Any]

PAGE = 100
_SPACE = re.compile(r"\s+")


@dataclass(frozen=True, slots=True)
class Kind:
    """Users, roles or groups. noun: as in messages; its model name is the noun with a capital letter.

    prefix: of their ids. count_max: how many an account may have. inline_max: characters of all inline policies together.
    """

    noun: str
    collection: Collection
    prefix: str
    count_max: int
    inline_max: int

    @property
    def member(self) -> str:
        """The member that holds the name, `UserName`."""
        return f"{self.noun.capitalize()}Name"


USER = Kind("user", USERS, "AIDA", 5000, 2048)
ROLE = Kind("role", ROLES, "AROA", 1000, 10_240)
GROUP = Kind("group", GROUPS, "AGPA", 300, 5120)


class Found(NamedTuple):
    """A document with the collection that it is in, and the id it is kept under."""

    documents: Documents
    id: str
    doc: Doc

    def save(self) -> None:
        """Store the document as it is now."""
        self.documents.put(self.id, self.doc)


def find(ctx: Context, kind: Kind, name: str) -> Found:
    """Return the user, role or group of a name. Raises: NoSuchEntityException."""
    documents = kind.collection(ctx)
    doc = documents.get(name.lower())
    if doc is None:
        raise NoSuchEntityException(f"The {kind.noun} with name {name} cannot be found.")
    return Found(documents, name.lower(), doc)


def make(ctx: Context, kind: Kind, params: Params) -> Doc:
    """Return a new document of a kind, not yet stored. Raises: EntityAlreadyExists, LimitExceeded."""
    name, path = params[kind.member], params.get("Path", "/")
    check_path(path)
    documents = kind.collection(ctx)
    if documents.has(name.lower()):
        raise EntityAlreadyExistsException(f"{kind.noun.capitalize()} with name {name} already exists.")
    if documents.count() >= kind.count_max:
        raise LimitExceededException(f"Cannot exceed quota for {kind.noun.capitalize()}sPerAccount: {kind.count_max}")
    doc: Doc = {
        "Path": path,
        kind.member: name,
        f"{kind.noun.capitalize()}Id": unique_id(ctx, kind.prefix),
        "Arn": arn_of(ctx, kind.noun, path, name),
        "CreateDate": whole(ctx.now),
        "_inline": {},
        "_attached": [],
    }
    return doc


def arn_of(ctx: Context, noun: str, path: str, name: str) -> str:
    """Return the ARN of something of this account."""
    return make_arn("iam", "", ctx.account, f"{noun}{path}{name}")


def unique_id(ctx: Context, prefix: str) -> str:
    """Return an id of 21 characters, AIDA... for users and so on."""
    return prefix + ctx.ids.token(17, BASE32)


def whole(moment: datetime) -> datetime:
    """Return a time in whole seconds, as IAM keeps them."""
    return moment.replace(microsecond=0)


def check_path(path: str) -> None:
    """Raise ValidationError unless a path begins and ends with a slash."""
    if not (path.startswith("/") and path.endswith("/")) or "//" in path:
        raise ValidationError(
            "The specified value for path is invalid. It must begin and end with / and contain only "
            "alphanumeric characters and/or / characters."
        )


def policy_text(text: str, kind: PolicyKind, limit: int, what: str) -> str:
    """Return a policy's text after checking it. limit: characters without white space. what: for the message.

    Raises: MalformedPolicyDocumentException, LimitExceededException.
    """
    try:
        validate_policy_document(text, kind)
    except ServiceError as error:
        raise MalformedPolicyDocumentException(error.message) from error
    if text_size(text) > limit:
        raise LimitExceededException(f"Maximum policy size of {limit} bytes exceeded for {what}")
    return text


def text_size(text: str) -> int:
    """Return the length that counts towards quotas."""
    return len(_SPACE.sub("", text))


def encoded(text: str) -> str:
    """Return a policy text as IAM's answers hold it: percent-encoded."""
    return quote(text, safe="")


def page_of(
    ctx: Context, params: Params, rows: Sequence[Any], member: str, shown: Callable[[Any], Any] = lambda row: row
) -> Result:
    """Return one page of a whole list, with IsTruncated and Marker. member: the answer's name of the list.

    The marker is the place in the list, bound to the operation and its other parameters.
    """
    assert ctx.call is not None
    bound = [
        ctx.call.operation.name,
        {name: value for name, value in params.items() if name not in ("Marker", "MaxItems")},
    ]
    start = _start(ctx, bound, params.get("Marker"))
    end = start + params.get("MaxItems", PAGE)
    page: Result = {member: [shown(row) for row in rows[start:end]], "IsTruncated": end < len(rows)}
    if end < len(rows):
        page["Marker"] = make_token(ctx, bound, end)
    return page


def _start(ctx: Context, bound: Any, marker: str | None) -> int:
    if marker is None:
        return 0
    return int(read_token(ctx, bound, marker, lambda _: ValidationError("Invalid Marker.")))


def listed(ctx: Context, kind: Kind, params: Params) -> list[Doc]:
    """Return the documents of a kind below the asked path prefix, by name."""
    prefix = params.get("PathPrefix", "/")
    docs = [entry.doc for entry in kind.collection(ctx).all() if entry.doc["Path"].startswith(prefix)]
    return sorted(docs, key=lambda doc: str(doc[kind.member]).lower())
