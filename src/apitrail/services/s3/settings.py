"""What else is set on a bucket: public access block, object ownership, CORS, encryption. Source: Amazon S3 API Reference."""

from typing import Any

from apitrail.services.context import Context
from apitrail.services.operation import operation
from apitrail.services.s3.access import Params, own_bucket
from apitrail.services.s3.configuration import change_bucket
from apitrail.services.s3.cors import CORS, check_rules
from apitrail.services.s3.errors import refuse
from apitrail.services.s3.public import BLOCK, BLOCKS, ENFORCED, OWNERSHIP

AES256 = {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}, "BucketKeyEnabled": False}


@operation
def get_public_access_block(ctx: Context, params: Params) -> dict[str, Any]:
    """Return a bucket's public access block. Raises: NoSuchPublicAccessBlockConfiguration, NoSuchBucket."""
    row = own_bucket(ctx, params)
    if BLOCK not in row:
        raise refuse("NoSuchPublicAccessBlockConfiguration", BucketName=row["Name"])
    return {"PublicAccessBlockConfiguration": row[BLOCK], "_Owner": row["OwnerAccount"]}


@operation
def put_public_access_block(ctx: Context, params: Params) -> dict[str, Any]:
    """Replace a bucket's public access block; what is left out is off. Raises: NoSuchBucket."""
    asked = params["PublicAccessBlockConfiguration"]
    return change_bucket(ctx, params, BLOCK, {name: bool(asked.get(name)) for name in BLOCKS})


@operation
def delete_public_access_block(ctx: Context, params: Params) -> dict[str, Any]:
    """Remove a bucket's public access block, if there is one. Raises: NoSuchBucket."""
    return change_bucket(ctx, params, BLOCK, None)


@operation
def get_bucket_ownership_controls(ctx: Context, params: Params) -> dict[str, Any]:
    """Return who owns objects in a bucket. Raises: OwnershipControlsNotFoundError, NoSuchBucket."""
    row = own_bucket(ctx, params)
    if OWNERSHIP not in row:
        raise refuse("OwnershipControlsNotFoundError", BucketName=row["Name"])
    return {"OwnershipControls": {"Rules": [{"ObjectOwnership": row[OWNERSHIP]}]}, "_Owner": row["OwnerAccount"]}


@operation
def put_bucket_ownership_controls(ctx: Context, params: Params) -> dict[str, Any]:
    """Keep the one form of ownership that there is here: the bucket's owner owns all, and ACLs have no effect.

    Raises: NotImplemented for the forms that need ACLs; MalformedXML, NoSuchBucket.
    """
    rules = params["OwnershipControls"]["Rules"]
    if len(rules) != 1:
        raise refuse("MalformedXML")
    if rules[0]["ObjectOwnership"] != ENFORCED:
        raise refuse("NotImplemented", f"Only {ENFORCED} is offered here, as there are no ACLs.")
    return change_bucket(ctx, params, OWNERSHIP, ENFORCED)


@operation
def get_bucket_cors(ctx: Context, params: Params) -> dict[str, Any]:
    """Return a bucket's CORS rules. Raises: NoSuchCORSConfiguration, NoSuchBucket."""
    row = own_bucket(ctx, params)
    if CORS not in row:
        raise refuse("NoSuchCORSConfiguration", BucketName=row["Name"])
    return {"CORSRules": row[CORS], "_Owner": row["OwnerAccount"]}


@operation
def put_bucket_cors(ctx: Context, params: Params) -> dict[str, Any]:
    """Replace a bucket's CORS rules, at most 100. Raises: InvalidRequest, MalformedXML, NoSuchBucket."""
    rules = params["CORSConfiguration"]["CORSRules"]
    check_rules(rules)
    return change_bucket(ctx, params, CORS, rules)


@operation
def delete_bucket_cors(ctx: Context, params: Params) -> dict[str, Any]:
    """Remove a bucket's CORS rules, if there are any. Raises: NoSuchBucket."""
    return change_bucket(ctx, params, CORS, None)


@operation
def get_bucket_encryption(ctx: Context, params: Params) -> dict[str, Any]:
    """Return the default that every bucket has in S3, so that tools that look for it go on. Raises: NoSuchBucket.

    What is on disk is as safe as the disk; encryption of it is the operator's.
    """
    row = own_bucket(ctx, params)
    return {"ServerSideEncryptionConfiguration": {"Rules": [AES256]}, "_Owner": row["OwnerAccount"]}
