"""Where files live: log files, digests, uploaded builds, the objects of the S3 service.

bucket: what every bucket does, and its values. folder: a directory whose files are the objects; keys, tree,
content, sidecar and walk are its parts. memory: for tests. s3: any S3-compatible endpoint;
s3_rules: lifecycle rules there. fault: a bucket that fails
by a script, for tests. paging: one page of a listing, the same for all.
"""
