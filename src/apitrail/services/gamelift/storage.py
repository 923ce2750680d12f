"""Where builds and scripts lie: buckets of the service for what is uploaded, or an object of the user's own.

An upload is made with credentials that reach one key of the service's bucket. An object of the user's is looked at on
behalf of the caller, which makes an event of S3 with `invokedBy`. Source: GameLift developer guide, uploading builds.
Inferred: the role that is named with an object must be one of the account, but is not assumed.
"""

from collections.abc import Mapping
from typing import Any

from apitrail.arn import make_arn, parse_arn
from apitrail.errors import ServiceError, SinkError
from apitrail.identity.principal import Principal, Session, SessionIssuer
from apitrail.services.buckets import buckets, ensure_service_bucket, is_service_bucket
from apitrail.services.context import Context
from apitrail.services.gamelift.errors import InternalServiceException, InvalidRequestException
from apitrail.services.operation import Deed, effect
from apitrail.services.runtime import Runtime
from apitrail.services.sessions import issue_session
from apitrail.store.resources import Doc
from apitrail.wire.call import Call

BUILDS = "gamelift-builds-"
SCRIPTS = "gamelift-scripts-"
"""Names of the service's buckets, before the region."""

SERVICE_NAME = "gamelift.amazonaws.com"
ROLE = "AWSServiceRoleForGameLift"
UPLOAD_S = 900
"""Lifetime of upload credentials."""

UPLOAD_ACTIONS = ["s3:PutObject", "s3:AbortMultipartUpload", "s3:ListMultipartUploadParts"]
REMOVE = "gamelift/remove-object"


def service_location(ctx: Context, kind: str, name: str) -> dict[str, str]:
    """Return Bucket and Key for something uploaded, in the service's bucket of this region. kind: BUILDS or SCRIPTS.

    Raises: InternalServiceException while an account owns a bucket of that name.
    """
    bucket = kind + ctx.region
    ensure_service_bucket(ctx, bucket)
    if not is_service_bucket(ctx.tx, bucket):
        raise InternalServiceException(f"Bucket {bucket} belongs to an account; its name is reserved for GameLift.")
    return {"Bucket": bucket, "Key": f"{ctx.account}/{name}"}


def upload_credentials(ctx: Context, location: Mapping[str, Any], name: str) -> dict[str, str]:
    """Return new credentials (AwsCredentials) that may write one key, for 15 minutes. name: of their session."""
    arn = make_arn("s3", "", "", f"{location['Bucket']}/{location['Key']}")
    statement = {"Effect": "Allow", "Action": UPLOAD_ACTIONS, "Resource": arn}
    principal = service_session(ctx, name, {"Version": "2012-10-17", "Statement": [statement]})
    issued = issue_session(ctx, principal, UPLOAD_S)
    return {key: issued[key] for key in ("AccessKeyId", "SecretAccessKey", "SessionToken")}


def remove_object(ctx: Context, location: Mapping[str, Any]) -> None:
    """Remove an uploaded object, after the commit."""
    ctx.effect(REMOVE, {"Bucket": location["Bucket"], "Key": location["Key"]})


@effect(REMOVE)
async def remove_now(runtime: Runtime, deed: Deed) -> None:
    """Remove an object, if there is one: nothing may ever have been uploaded."""
    try:
        await runtime.bucket(deed.doc["Bucket"]).delete(deed.doc["Key"])
    except SinkError as error:
        if error.code != "NoSuchBucket":
            raise


def check_location(location: Mapping[str, Any], account: str) -> None:
    """Check the StorageLocation of a call by itself. Raises: InvalidRequestException."""
    for member in ("Bucket", "Key", "RoleArn"):
        if member not in location:
            raise InvalidRequestException(f"StorageLocation needs a {member}.")
    if "." in location["Bucket"]:
        raise InvalidRequestException(
            f"1 validation error detected: Value '{location['Bucket']}' at 'storageLocation.bucket' failed to satisfy "
            "constraint: Member must satisfy regular expression pattern: ^[^.]+$"
        )
    role = parse_arn(location["RoleArn"])
    if role is None or (role.service, role.account) != ("iam", account) or not role.resource.startswith("role/"):
        raise InvalidRequestException(
            f"GameLift cannot assume the role {location['RoleArn']}: it is not the ARN of a role of account {account}."
        )


async def look_at(runtime: Runtime, call: Call, principal: Principal, location: Mapping[str, Any]) -> str:
    """Return why the object of a StorageLocation cannot be read by the caller, or an empty text; for prepare steps."""
    params = {"Bucket": location["Bucket"], "Key": location["Key"]}
    if "ObjectVersion" in location:
        params["VersionId"] = location["ObjectVersion"]
    try:
        await runtime.call(principal, call.region, "s3", "HeadObject", params, SERVICE_NAME)
    except ServiceError as error:
        return error.message or error.error_code
    return ""


def require_readable(ctx: Context, location: Mapping[str, Any], problem: str, what: str) -> None:
    """Raise InvalidRequestException unless the object was readable and its bucket is in this region.

    problem: what look_at said. what: `build` or `script`.
    """
    row: Doc | None = None if problem else buckets(ctx.tx).get(location["Bucket"])
    if row is None:
        reason = problem or "the bucket does not exist"
    elif row["Region"] != ctx.region:
        reason = f"the bucket is in {row['Region']}, and must be in {ctx.region}"
    else:
        return
    name = f"{location['Bucket']}/{location['Key']}"
    raise InvalidRequestException(f"Provided {what} is not accessible. Object {name}: {reason}")


def service_session(ctx: Context, name: str, policy: dict[str, Any]) -> Principal:
    """Return a session of the service's role in the caller's account, which may do what the policy says."""
    role_id = ctx.ids.aws("AROA")
    role = f"role/aws-service-role/{SERVICE_NAME}/{ROLE}"
    arn = make_arn("iam", "", ctx.account, role)
    return Principal(
        kind="AssumedRole",
        account=ctx.account,
        arn=make_arn("sts", "", ctx.account, f"assumed-role/{ROLE}/{name}"),
        principal_id=f"{role_id}:{name}",
        session=Session(created_at=ctx.now, issuer=SessionIssuer("Role", role_id, arn, ctx.account, ROLE)),
        policies=(policy,),
    )
