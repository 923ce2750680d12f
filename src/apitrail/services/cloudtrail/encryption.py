"""A trail's key of KMS: looked up at the endpoint of KMS that is configured, used by the store that the files go to.

Log files are put with SSE-KMS and that key; digest files are not, as on AWS. Nothing is encrypted here, so without both endpoints
a key is refused. Source: CloudTrail API Reference, CreateTrail; User Guide, encrypting log files with KMS keys.
"""

import asyncio
import re

from apitrail.errors import SinkError
from apitrail.services.cloudtrail.errors import (
    InsufficientEncryptionPolicyException,
    InvalidKmsKeyIdException,
    KmsException,
    KmsKeyNotFoundException,
    UnsupportedOperationException,
)
from apitrail.services.runtime import Runtime
from apitrail.trail.sinks.endpoint import open_endpoint
from apitrail.wire.call import Call

SERVICE, TARGET = "kms", "TrentService"
ALIAS, KEY = r"alias/[a-zA-Z0-9/_-]{1,250}", r"(?:mrk-[0-9a-f]{32}|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})"
KEY_ID = re.compile(rf"(?:arn:aws[a-z-]*:kms:[a-z0-9-]+:\d{{12}}:)?(?:{ALIAS}|key/{KEY})|{KEY}", re.ASCII)
ENABLED = "Enabled"


async def find_key(runtime: Runtime, call: Call) -> str:
    """Return the ARN of the key that a CreateTrail or UpdateTrail names, empty for none.

    Raises: InvalidKmsKeyIdException, KmsKeyNotFoundException; KmsException for a key that is not enabled, or without an answer;
    UnsupportedOperationException without the endpoints. Inferred: the messages.
    """
    key = call.params.get("KmsKeyId")
    if not key:
        return ""
    if not KEY_ID.fullmatch(key):
        raise InvalidKmsKeyIdException(f"{key[:400]} is not a key id, an alias, or the ARN of one of them.")
    settings = runtime.settings
    endpoint = open_endpoint(settings.kms, "kms", SERVICE, TARGET, runtime.clock)
    if endpoint is None or not settings.delivery.s3_endpoint:
        raise UnsupportedOperationException(
            "KmsKeyId: log files are encrypted only where the settings kms.endpoint and delivery.s3_endpoint name the services"
            " that hold the keys and the files."
        )
    try:
        answer = await asyncio.to_thread(endpoint.call, call.region, "DescribeKey", {"KeyId": key})
    except SinkError as error:
        if error.code == "NotFoundException":
            raise KmsKeyNotFoundException(f"There is no key {key} in this region.") from error
        raise KmsException(f"KMS did not tell about the key {key}: {error}") from error
    found = answer.get("KeyMetadata") or {}
    if found.get("KeyState") != ENABLED or not found.get("Arn"):
        raise KmsException(f"The key {key} is not enabled: {found.get('KeyState')}.")
    return str(found["Arn"])


async def check_use(runtime: Runtime, bucket: str, key: str) -> None:
    """Try whether the store takes files that are to be encrypted with a key. Raises: InsufficientEncryptionPolicyException."""
    try:
        await runtime.trail_bucket(bucket, key).check()
    except SinkError as error:
        message = f"Insufficient permissions to access S3 bucket {bucket} or KMS key {key}."
        raise InsufficientEncryptionPolicyException(message) from error
