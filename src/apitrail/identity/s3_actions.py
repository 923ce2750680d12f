"""The S3 operations whose action has another name. Source: Service Authorization Reference, Amazon S3."""

# operations by action; all others have the action of their own name
_BY_ACTION = {
    "AbortMultipartUpload": ["AbortMultipartUpload"],
    "DeleteObject": ["DeleteObjects"],
    "GetAccelerateConfiguration": ["GetBucketAccelerateConfiguration"],
    "GetAnalyticsConfiguration": ["GetBucketAnalyticsConfiguration", "ListBucketAnalyticsConfigurations"],
    "GetBucketCORS": ["GetBucketCors"],
    "GetBucketNotification": ["GetBucketNotificationConfiguration"],
    "GetBucketObjectLockConfiguration": ["GetObjectLockConfiguration"],
    "GetBucketPublicAccessBlock": ["GetPublicAccessBlock"],
    "GetEncryptionConfiguration": ["GetBucketEncryption"],
    "GetIntelligentTieringConfiguration": [
        "GetBucketIntelligentTieringConfiguration",
        "ListBucketIntelligentTieringConfigurations",
    ],
    "GetInventoryConfiguration": ["GetBucketInventoryConfiguration", "ListBucketInventoryConfigurations"],
    "GetLifecycleConfiguration": ["GetBucketLifecycle", "GetBucketLifecycleConfiguration"],
    "GetMetricsConfiguration": ["GetBucketMetricsConfiguration", "ListBucketMetricsConfigurations"],
    "GetObject": ["HeadObject", "SelectObjectContent"],
    "GetReplicationConfiguration": ["GetBucketReplication"],
    "ListAllMyBuckets": ["ListBuckets"],
    "ListAllMyDirectoryBuckets": ["ListDirectoryBuckets"],
    "ListBucket": ["HeadBucket", "ListObjects", "ListObjectsV2"],
    "ListBucketMultipartUploads": ["ListMultipartUploads"],
    "ListBucketVersions": ["ListObjectVersions"],
    "ListMultipartUploadParts": ["ListParts"],
    "PutAccelerateConfiguration": ["PutBucketAccelerateConfiguration"],
    "PutAnalyticsConfiguration": ["DeleteBucketAnalyticsConfiguration", "PutBucketAnalyticsConfiguration"],
    "PutBucketCORS": ["DeleteBucketCors", "PutBucketCors"],
    "PutBucketNotification": ["PutBucketNotificationConfiguration"],
    "PutBucketObjectLockConfiguration": ["PutObjectLockConfiguration"],
    "PutBucketOwnershipControls": ["DeleteBucketOwnershipControls"],
    "PutBucketPublicAccessBlock": ["DeletePublicAccessBlock", "PutPublicAccessBlock"],
    "PutBucketTagging": ["DeleteBucketTagging"],
    "PutEncryptionConfiguration": ["DeleteBucketEncryption", "PutBucketEncryption"],
    "PutIntelligentTieringConfiguration": [
        "DeleteBucketIntelligentTieringConfiguration",
        "PutBucketIntelligentTieringConfiguration",
    ],
    "PutInventoryConfiguration": ["DeleteBucketInventoryConfiguration", "PutBucketInventoryConfiguration"],
    "PutLifecycleConfiguration": [
        "DeleteBucketLifecycle",
        "PutBucketLifecycle",
        "PutBucketLifecycleConfiguration",
    ],
    "PutMetricsConfiguration": ["DeleteBucketMetricsConfiguration", "PutBucketMetricsConfiguration"],
    "PutObject": [
        "CompleteMultipartUpload",
        "CopyObject",
        "CreateMultipartUpload",
        "UploadPart",
        "UploadPartCopy",
    ],
    "PutReplicationConfiguration": ["DeleteBucketReplication", "PutBucketReplication"],
}
S3_ACTIONS = {operation: action for action, operations in _BY_ACTION.items() for operation in operations}

# actions that have another name when the request names a version
VERSIONED = {
    "DeleteObject": "DeleteObjectVersion",
    "DeleteObjectTagging": "DeleteObjectVersionTagging",
    "GetObject": "GetObjectVersion",
    "GetObjectAcl": "GetObjectVersionAcl",
    "GetObjectAttributes": "GetObjectVersionAttributes",
    "GetObjectTagging": "GetObjectVersionTagging",
    "GetObjectTorrent": "GetObjectVersionTorrent",
    "PutObjectAcl": "PutObjectVersionAcl",
    "PutObjectTagging": "PutObjectVersionTagging",
}
