"""Amazon S3, over the buckets of this server. buckets, configuration: of buckets. listing, reading, writing: of objects.
deleting, versioning, versions: of their versions. lifecycle, rules, sweeping: what happens to objects by age;
foreign: at a foreign store. locks, retention: what may not be removed. settings, public, cors: what else is set on buckets.
templates: of policies.
multipart, uploads: uploads in parts. access: who may reach what. bodies, checksums, conditions, facts, sent: bytes in and
out. claims, effects: what must hold before, and happen after, a transaction. names, errors, records: tables.
owners: who else gets the record of a call.

Not served: ACLs but the default, encryption.
"""

from apitrail.services.operation import Service
from apitrail.services.s3 import (
    buckets,
    configuration,
    deleting,
    effects,
    lifecycle,
    listing,
    locks,
    multipart,
    reading,
    settings,
    uploads,
    versioning,
    writing,
)
from apitrail.services.s3.owners import owners
from apitrail.services.s3.records import FREE, RULES

FAMILIES = (
    buckets,
    configuration,
    settings,
    versioning,
    lifecycle,
    listing,
    reading,
    writing,
    deleting,
    locks,
    multipart,
    uploads,
    effects,
)

SERVICE = Service(
    "s3",
    rules=RULES,
    free=FREE,
    validation_code="InvalidArgument",
    denied_code="AccessDenied",
    denied_status=403,
    owners=owners,
)
