"""Which bucket a call means, whether the caller may reach it, and what is not offered here.

The policies of the caller and the bucket's policy decide together: within the owner's account either may allow, across
accounts both must, and a deny of either is final. A bucket that belongs to a service answers callers whose policies name
it, such as upload credentials. Source: Amazon S3 User Guide, "How Amazon S3 authorizes a request".
"""

from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime
from typing import Any, TypeVar

from apitrail.arn import make_arn
from apitrail.errors import ServiceError, SinkError
from apitrail.identity.actions import action_of, resource_of
from apitrail.identity.policy import Decision, denied_message, evaluate
from apitrail.identity.principal import Principal
from apitrail.identity.request_context import request_context
from apitrail.identity.statements import listed
from apitrail.objects.bucket import Bucket
from apitrail.services.buckets import SERVICE_OWNER, buckets, policy_of
from apitrail.services.context import Context
from apitrail.services.runtime import Runtime
from apitrail.services.s3.errors import refuse, refuse_sink
from apitrail.services.s3.names import is_bucket_name
from apitrail.services.s3.public import is_restricted
from apitrail.services.s3.rules import CLASSES
from apitrail.services.s3.templates import READS, is_template_bucket, template_bucket
from apitrail.store.database import Tx
from apitrail.store.resources import Doc
from apitrail.wire.call import Call

Params = Mapping[str, Any]
Result = TypeVar("Result")

# what writing an object needs besides, by parameter
WRITES = ("PutObject", "CopyObject", "CreateMultipartUpload")
FURTHER = {
    "Tagging": "s3:PutObjectTagging",
    "ObjectLockMode": "s3:PutObjectRetention",
    "ObjectLockLegalHoldStatus": "s3:PutObjectLegalHold",
}
POLICY_ACTIONS = ("s3:GetBucketPolicy", "s3:PutBucketPolicy", "s3:DeleteBucketPolicy")

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
    "ObjectLockEventHold": ("NotImplemented", "Holds by event are not offered here."),
    "ObjectLockEventHoldDurationDays": ("NotImplemented", "Holds by event are not offered here."),
    "ObjectLockEventHoldDurationYears": ("NotImplemented", "Holds by event are not offered here."),
    "GrantFullControl": ("AccessControlListNotSupported", ""),
    "GrantRead": ("AccessControlListNotSupported", ""),
    "GrantReadACP": ("AccessControlListNotSupported", ""),
    "GrantWrite": ("AccessControlListNotSupported", ""),
    "GrantWriteACP": ("AccessControlListNotSupported", ""),
    "ChecksumXXHASH64": ("NotImplemented", "This checksum algorithm is not offered here."),
    "ChecksumXXHASH3": ("NotImplemented", "This checksum algorithm is not offered here."),
    "ChecksumXXHASH128": ("NotImplemented", "This checksum algorithm is not offered here."),
}


def bucket_of(tx: Tx, call: Call, principal: Principal | None, now: datetime) -> Doc:
    """Return the document of the bucket that a call means, if the caller may make the call.

    Raises: InvalidBucketName, NoSuchBucket, AccessDenied.
    """
    assert principal is not None
    row = find_row(tx, call, principal, now)
    for action, resource in needs_of(call, principal):
        check_allowed(row, call, principal, now, action, resource)
    return row


def find_row(tx: Tx, call: Call, principal: Principal, now: datetime) -> Doc:
    """Return the document of a call's bucket, whoever asks, as long as it has the expected owner.

    Raises: InvalidBucketName, NoSuchBucket; AccessDenied, also instead of these for who may not even ask.
    """
    name = call.params["Bucket"]
    row = buckets(tx).get(name)
    if row is None:
        for action, resource in needs_of(call, principal):
            check_allowed({"Name": name, "OwnerAccount": principal.account}, call, principal, now, action, resource)
        raise refuse("NoSuchBucket" if is_bucket_name(name) else "InvalidBucketName", BucketName=name)
    check_owner(row, call.params.get("ExpectedBucketOwner"))
    return row


def check_owner(row: Doc, expected: str | None) -> None:
    """Refuse a bucket that does not belong to the account that the caller expects. Raises: AccessDenied."""
    if expected and expected != row["OwnerAccount"]:
        raise refuse("AccessDenied")


def needs_of(call: Call, principal: Principal) -> list[tuple[str, str]]:
    """Return what a call needs as pairs of action and resource; deleting several objects is asked one by one."""
    name, params = call.operation.name, call.params
    if name == "DeleteObjects":
        return []
    resource = resource_of("s3", name, params, call.region, principal.account)[0]
    needs = [(action_of("s3", name, params), resource)]
    if name in WRITES:
        needs += [(action, resource) for member, action in FURTHER.items() if params.get(member)]
    return needs


def check_allowed(row: Doc, call: Call, principal: Principal, now: datetime, action: str, resource: str) -> None:
    """Refuse what the caller's policies and the bucket's do not allow together. Raises: AccessDenied.

    The bucket's explicit denies bind its owner's root as well, except for the bucket's policy itself, so that nobody locks
    the door with the key inside. Source: Amazon S3 User Guide, bucket policies.
    """
    if row["OwnerAccount"] == SERVICE_OWNER and not _names(principal, make_arn("s3", "", "", f"{row['Name']}/")):
        raise refuse("AccessDenied")
    decision = decide(row, call, principal, now, action, resource)
    if not decision.allowed and row["OwnerAccount"] != principal.account:
        raise refuse("AccessDenied")
    _check(decision, principal, action, resource)


def _check(decision: Decision, principal: Principal, action: str, resource: str) -> None:
    if not decision.allowed:
        raise refuse("AccessDenied", denied_message(principal, action, resource, decision))


def decide(row: Doc, call: Call, principal: Principal, now: datetime, action: str, resource: str) -> Decision:
    """Return what the caller's policies and the bucket's say to an action."""
    owner = principal.account if row["OwnerAccount"] == SERVICE_OWNER else row["OwnerAccount"]
    policy = policy_of(row)
    if principal.kind == "Root" and owner == principal.account and action in POLICY_ACTIONS:
        policy = None
    if policy is not None and owner != principal.account and is_restricted(row):
        policy = None
    return evaluate(principal, action, [resource], request_context(call, now), policy, resource_account=owner)


def _names(principal: Principal, start: str) -> bool:
    """Return whether a policy of the caller has a resource that begins so."""
    documents = [*principal.policies, *(principal.session.policies if principal.session else ())]
    for document in documents:
        for statement in listed(document.get("Statement", [])):
            if any(str(text).startswith(start) for text in listed(statement.get("Resource", []))):
                return True
    return False


def own_bucket(ctx: Context, params: Params) -> Doc:
    """Return the document of the bucket of a call, inside its transaction; see bucket_of."""
    assert ctx.call is not None
    return bucket_of(ctx.tx, ctx.call, ctx.principal, ctx.now)


async def open_bucket(runtime: Runtime, call: Call, principal: Principal) -> tuple[Doc, Bucket]:
    """Return the document and the files of the bucket that a call means; see bucket_of."""
    now, name = runtime.clock.now(), call.params["Bucket"]
    if is_template_bucket(name) and call.operation.name in READS:
        return _template_row(name, call, principal, now), await template_bucket(runtime.clock)
    row = await runtime.database.read(lambda tx: bucket_of(tx, call, principal, now))
    return row, runtime.bucket(name)


def _template_row(name: str, call: Call, principal: Principal, now: datetime) -> Doc:
    """Return the document of a bucket of templates, for whom own policies let read it. Raises: AccessDenied."""
    row = {"Name": name, "OwnerAccount": SERVICE_OWNER, "Region": call.region}
    check_owner(row, call.params.get("ExpectedBucketOwner"))
    for action, resource in needs_of(call, principal):
        _check(decide(row, call, principal, now, action, resource), principal, action, resource)
    return row


def check_offered(params: Params) -> None:
    """Refuse what would be ignored otherwise: encryption, ACLs, other storage classes."""
    for member in NOT_OFFERED.keys() & params.keys():
        code, message = NOT_OFFERED[member]
        raise refuse(code, message)
    if params.get("ACL", ACLS[0]) not in ACLS:
        raise refuse("AccessControlListNotSupported")
    if params.get("StorageClass", CLASSES[0]) not in CLASSES:
        raise refuse("InvalidStorageClass")


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
