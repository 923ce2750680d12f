"""Which bucket a call means, whether the caller may reach it, and what is not offered here.

Policies of the caller were asked before. A bucket answers its owner's account only; one that belongs to a service answers
callers whose policies name it, such as upload credentials. Inferred: for both, anybody else gets AccessDenied.
"""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, TypeVar

from apitrail.arn import make_arn
from apitrail.errors import ServiceError, SinkError
from apitrail.identity.principal import Principal
from apitrail.objects.bucket import Bucket
from apitrail.services.buckets import SERVICE_OWNER, buckets
from apitrail.services.context import Context
from apitrail.services.runtime import Runtime
from apitrail.services.s3.errors import refuse, refuse_sink
from apitrail.services.s3.names import is_bucket_name
from apitrail.store.database import Tx
from apitrail.store.resources import Doc
from apitrail.wire.call import Call

Params = Mapping[str, Any]
Result = TypeVar("Result")

ACLS = ("private", "bucket-owner-full-control", "bucket-owner-read")

# what is refused when it is asked for, as it would not happen: parameter to code and message
NOT_OFFERED: dict[str, tuple[str, str]] = {
    "SSECustomerAlgorithm": ("NotImplemented", "Server-side encryption is not offered here."),
    "SSECustomerKey": ("NotImplemented", "Server-side encryption is not offered here."),
    "CopySourceSSECustomerKey": ("NotImplemented", "Server-side encryption is not offered here."),
    "ServerSideEncryption": ("NotImplemented", "Server-side encryption is not offered here."),
    "SSEKMSKeyId": ("NotImplemented", "Server-side encryption is not offered here."),
    "WriteOffsetBytes": ("NotImplemented", "Appending to objects is not offered here."),
    "MFA": ("NotImplemented", "MFA delete is not offered here."),
    "ObjectLockMode": ("InvalidRequest", "Bucket is missing Object Lock Configuration"),
    "ObjectLockRetainUntilDate": ("InvalidRequest", "Bucket is missing Object Lock Configuration"),
    "ObjectLockLegalHoldStatus": ("InvalidRequest", "Bucket is missing Object Lock Configuration"),
    "ObjectLockEventHold": ("InvalidRequest", "Bucket is missing Object Lock Configuration"),
    "ObjectLockEventHoldDurationDays": ("InvalidRequest", "Bucket is missing Object Lock Configuration"),
    "ObjectLockEventHoldDurationYears": ("InvalidRequest", "Bucket is missing Object Lock Configuration"),
    "GrantFullControl": ("AccessControlListNotSupported", ""),
    "GrantRead": ("AccessControlListNotSupported", ""),
    "GrantReadACP": ("AccessControlListNotSupported", ""),
    "GrantWrite": ("AccessControlListNotSupported", ""),
    "GrantWriteACP": ("AccessControlListNotSupported", ""),
    "ChecksumXXHASH64": ("NotImplemented", "This checksum algorithm is not offered here."),
    "ChecksumXXHASH3": ("NotImplemented", "This checksum algorithm is not offered here."),
    "ChecksumXXHASH128": ("NotImplemented", "This checksum algorithm is not offered here."),
}


def bucket_of(tx: Tx, principal: Principal | None, params: Params, member: str = "Bucket") -> Doc:
    """Return the document of the bucket that a call means. Raises: InvalidBucketName, NoSuchBucket, AccessDenied."""
    assert principal is not None
    name = params[member]
    row = buckets(tx).get(name)
    if row is None:
        raise refuse("NoSuchBucket" if is_bucket_name(name) else "InvalidBucketName", BucketName=name)
    expected = params.get("ExpectedBucketOwner")
    if not may_reach(row, principal) or (expected and expected != row["OwnerAccount"]):
        raise refuse("AccessDenied")
    return row


def may_reach(row: Doc, principal: Principal) -> bool:
    """Return whether a bucket answers this caller."""
    if row["OwnerAccount"] == SERVICE_OWNER:
        return _names(principal, make_arn("s3", "", "", f"{row['Name']}/"))
    return bool(row["OwnerAccount"] == principal.account)


def _names(principal: Principal, start: str) -> bool:
    """Return whether a policy of the caller has a resource that begins so."""
    documents = [*principal.policies, *(principal.session.policies if principal.session else ())]
    for document in documents:
        statements = document.get("Statement", [])
        for statement in statements if isinstance(statements, list) else [statements]:
            resources = statement.get("Resource", [])
            if any(str(text).startswith(start) for text in ([resources] if isinstance(resources, str) else resources)):
                return True
    return False


def own_bucket(ctx: Context, params: Params) -> Doc:
    """Return the document of the bucket of a call whose body needs no file; see bucket_of."""
    return bucket_of(ctx.tx, ctx.principal, params)


async def open_bucket(runtime: Runtime, call: Call, principal: Principal) -> tuple[Doc, Bucket]:
    """Return the document and the files of the bucket that a call means; see bucket_of."""
    row = await runtime.database.read(lambda tx: bucket_of(tx, principal, call.params))
    return row, runtime.bucket(row["Name"])


def check_offered(params: Params) -> None:
    """Refuse what would be ignored otherwise: encryption, locks, versions, ACLs, storage classes."""
    for member in NOT_OFFERED.keys() & params.keys():
        code, message = NOT_OFFERED[member]
        raise refuse(code, message)
    if params.get("ACL", ACLS[0]) not in ACLS:
        raise refuse("AccessControlListNotSupported")
    if params.get("StorageClass", "STANDARD") != "STANDARD":
        raise refuse("InvalidStorageClass")
    if params.get("VersionId", "null") != "null":
        raise refuse("NoSuchVersion", VersionId=params["VersionId"])


def prepare_step(
    work: Callable[[Runtime, Call, Principal], Awaitable[Result]],
) -> Callable[[Runtime, Call, Principal], Awaitable[Result]]:
    """Make a prepare step of S3 out of work: what is not offered is refused first, and errors of files are told in S3's words."""

    async def step(runtime: Runtime, call: Call, principal: Principal) -> Result:
        check_offered(call.params)
        try:
            return await work(runtime, call, principal)
        except SinkError as error:
            raise refuse_sink(error, call.params.get("Key", "")) from error

    return step


def or_discard(error: ServiceError, ctx: Context, *names: str) -> ServiceError:
    """Return an error whose record commits together with the removal of staged files."""
    error.effect = lambda again: again.effect("s3/discard", {f"Staged{at}": name for at, name in enumerate(names)})
    return error
