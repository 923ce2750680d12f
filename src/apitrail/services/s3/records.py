"""How calls of S3 are recorded. Source: Amazon S3 User Guide, "CloudTrail events" and example log files.

Parameters have the names of the request: `bucketName` and `key`, else those of headers and query parts
(`x-amz-copy-source`, `encoding-type`). Inferred: members of XML bodies follow the rule of all services.
"""

from functools import cache
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from apitrail.arn import make_arn
from apitrail.events.rules import RecordRules, Resource
from apitrail.wire.call import Call
from apitrail.wire.models import OperationModel, Shape, service_model

OBJECT, BUCKET = "AWS::S3::Object", "AWS::S3::Bucket"
BUCKET_NAME, KEY = "bucketName", "key"

DATA_OPERATIONS = (
    "AbortMultipartUpload",
    "CompleteMultipartUpload",
    "CopyObject",
    "CreateMultipartUpload",
    "DeleteObject",
    "DeleteObjectTagging",
    "DeleteObjects",
    "GetObject",
    "GetObjectAcl",
    "GetObjectAttributes",
    "GetObjectLegalHold",
    "GetObjectRetention",
    "GetObjectTagging",
    "GetObjectTorrent",
    "HeadBucket",
    "HeadObject",
    "ListMultipartUploads",
    "ListObjectVersions",
    "ListObjects",
    "ListObjectsV2",
    "ListParts",
    "PutObject",
    "PutObjectAcl",
    "PutObjectLegalHold",
    "PutObjectRetention",
    "PutObjectTagging",
    "RestoreObject",
    "SelectObjectContent",
    "UploadPart",
    "UploadPartCopy",
    "WriteGetObjectResponse",
)
FREE = frozenset(name for name in service_model("s3").operation_names if name.startswith(("Get", "Head", "List")))
"""Operations that change nothing and hand out no credentials; they may pass unrecorded in capture mode `blocking`."""


def _names_of(shape: Shape | None) -> dict[str, str]:
    """Return the record's names of a request's or answer's own members, by `Shape.Member`."""
    found: dict[str, str] = {}
    for name, member in getattr(shape, "members", {}).items():
        if member.serialization.get("location") in ("header", "querystring"):
            found[f"{shape.name}.{name}"] = member.serialization.get("name", name)  # type: ignore[union-attr]
    return found


def _spelled() -> dict[str, str]:
    """Return all names that differ from the rule of other services."""
    model = service_model("s3")
    operations = [model.operation_model(name) for name in model.operation_names]
    found: dict[str, str] = {}
    for operation in operations:
        found |= _names_of(operation.input_shape) | _names_of(operation.output_shape)
        if operation.input_shape is not None:
            found |= {f"{operation.input_shape.name}.Bucket": BUCKET_NAME, f"{operation.input_shape.name}.Key": KEY}
    return found


@cache
def subresources(operation: OperationModel) -> dict[str, str]:
    """Return the parts of the query string that make a request this operation: `acl`, `list-type` with 2."""
    return dict(parse_qsl(urlsplit(operation.http["requestUri"]).query, keep_blank_values=True))


def extras(call: Call) -> dict[str, Any]:
    """Return what records of S3 show among the parameters besides members: subresources, and the host that was asked."""
    return {**subresources(call.operation), **({"Host": call.host} if call.host else {})}


def resources(account: str, region: str, params: dict[str, Any], result: dict[str, Any] | None) -> list[Resource]:
    """Return the object, or the beginning of all objects that are listed, and the bucket with its owner.

    Inferred: the caller's account stands for the owner where a call failed.
    """
    bucket = params.get("Bucket")
    if not isinstance(bucket, str):
        return []
    arn = make_arn("s3", "", "", bucket)
    found: list[Resource] = []
    if "Key" in params:
        found.append({"type": OBJECT, "ARN": f"{arn}/{params['Key']}"})
    elif "Delete" in params:
        keys = [one.get("Key", "") for one in params["Delete"].get("Objects") or []]
        found += [{"type": OBJECT, "ARN": f"{arn}/{key}"} for key in keys]
    elif {"Prefix", "Marker", "MaxKeys", "Delimiter", "EncodingType"} & params.keys():
        found.append({"type": OBJECT, "ARNPrefix": f"{arn}/{params.get('Prefix', '')}"})
    owner = (result or {}).get("_Owner", account)
    return [*found, {"accountId": owner if owner.isdecimal() else account, "type": BUCKET, "ARN": arn}]


RULES = RecordRules(
    event_source="s3.amazonaws.com",
    spelled=_spelled(),
    request_extras=extras,
    resources=resources,
    data_operations=dict.fromkeys(DATA_OPERATIONS, OBJECT),
)
