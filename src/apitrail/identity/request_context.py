"""The condition keys of a request, as policies may ask for them. Source: Service Authorization Reference, IAM User Guide."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from apitrail.wire.call import Call

# parameters that are condition keys as they are, by service
_KEYS: dict[str, dict[str, str]] = {
    "s3": {
        "Prefix": "s3:prefix",
        "Delimiter": "s3:delimiter",
        "MaxKeys": "s3:max-keys",
        "ACL": "s3:x-amz-acl",
        "StorageClass": "s3:x-amz-storage-class",
        "ServerSideEncryption": "s3:x-amz-server-side-encryption",
        "CopySource": "s3:x-amz-copy-source",
        "VersionId": "s3:VersionId",
    },
    "sts": {
        "ExternalId": "sts:ExternalId",
        "RoleSessionName": "sts:RoleSessionName",
        "SourceIdentity": "sts:SourceIdentity",
        "TransitiveTagKeys": "sts:TransitiveTagKeys",
    },
    "iam": {
        "PermissionsBoundary": "iam:PermissionsBoundary",
        "PolicyArn": "iam:PolicyARN",
        "AWSServiceName": "iam:AWSServiceName",
    },
}
_TAG_MEMBERS = ("Tags", "TagsList", "tags")


def request_context(call: Call, now: datetime) -> dict[str, Any]:
    """Return the condition keys of a call, besides those of the principal; for evaluate."""
    context: dict[str, Any] = {
        "aws:CurrentTime": now,
        "aws:SourceIp": call.source_ip,
        "aws:UserAgent": call.user_agent or None,
        "aws:SecureTransport": call.tls is not None,
        "aws:RequestedRegion": call.region,
    }
    for member, key in _KEYS.get(call.service, {}).items():
        if member in call.params:
            context[key] = call.params[member]
    _add_tags(context, call.params)
    return context


def _add_tags(context: dict[str, Any], params: Mapping[str, Any]) -> None:
    keys: list[str] = []
    for member in _TAG_MEMBERS:
        value = params.get(member)
        if isinstance(value, list | dict):
            for key, text in _pairs(value):
                context[f"aws:RequestTag/{key}"] = text
                keys.append(key)
    if isinstance(params.get("TagKeys"), list):
        keys += params["TagKeys"]
    if keys:
        context["aws:TagKeys"] = keys


def _pairs(tags: list[Any] | dict[str, Any]) -> list[tuple[str, str]]:
    if isinstance(tags, dict):
        return [(str(key), str(value)) for key, value in tags.items()]
    return [(str(tag["Key"]), str(tag.get("Value", ""))) for tag in tags if isinstance(tag, dict) and "Key" in tag]
