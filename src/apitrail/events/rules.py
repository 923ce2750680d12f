"""What each service says about its records: one `RecordRules` per service, filled in as a table.

The default for read-only or write follows the operation's name. Sources: CloudTrail User Guide (readOnly),
STS and KMS pages on CloudTrail, IAM's access levels for GameLift.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from apitrail.arn import partition_of
from apitrail.wire.call import Call

Resource = dict[str, str]
Resources = Callable[[str, str, dict[str, Any], dict[str, Any] | None], list[Resource]]

READ_PREFIXES = (
    "Describe",
    "Get",
    "List",
    "Search",
    "Lookup",
    "Resolve",
    "BatchGet",
    "Head",
    "Query",
    "Scan",
    "Select",
    "Check",
    "Validate",
    "Preview",
    "Estimate",
    "Simulate",
    "Test",
    "Filter",
    "Detect",
    "View",
)

READ_ONLY_EXCEPTIONS: Mapping[str, Mapping[str, bool]] = {
    "gamelift.amazonaws.com": {"RequestUploadCredentials": True},
    "kms.amazonaws.com": {"Encrypt": True, "Decrypt": True, "GenerateDataKey": True},
    "sts.amazonaws.com": {
        "AssumeRole": True,
        "AssumeRoleWithSAML": True,
        "AssumeRoleWithWebIdentity": True,
        "AssumeRoot": False,
        "GetFederationToken": False,
        "GetSessionToken": False,
    },
}

GLOBAL_REGIONS = {"aws": "us-east-1", "aws-cn": "cn-north-1", "aws-us-gov": "us-gov-west-1"}

NO_NAMES: frozenset[str] = frozenset()
NO_MAPPING: Mapping[str, str] = MappingProxyType({})


def is_read_only(operation: str, event_source: str = "") -> bool:
    """Return whether an operation changes nothing, by the first word of its name and the known exceptions.

    Inferred: the list of first words; CloudTrail takes the value from the service and publishes no list.
    """
    exception = READ_ONLY_EXCEPTIONS.get(event_source, {}).get(operation)
    return operation.startswith(READ_PREFIXES) if exception is None else exception


@dataclass(frozen=True, slots=True, eq=False)
class RecordRules:
    """How the calls of one service become records. Make one per service, at import; compared by identity.

    Sets of names (masked, game_data, clear, left_out) hold member names (`AuthToken`), `Shape.Member`
    (`GameProperty.Value`), or shape names, which also reach list items and map values (`PlayerData`).

    event_source: `gamelift.amazonaws.com`.
    read_only: by operation name; absent: is_read_only with this event source.
    answers_in_reads: read-only operations whose responseElements are written all the same (AssumeRole).
    masked: the whole value becomes HIDDEN_DUE_TO_SECURITY_REASONS, always.
    game_data: masked too, unless game data is to be shown.
    clear: shapes that the model marks sensitive and that are written all the same. A sensitive shape that
        stands in none of these sets is masked, so that a newer model cannot leak.
    left_out: members that do not appear at all. Blobs and event streams never appear, in any service.
    spelled: record names that differ from the model's with its first letter lowered, by member name or
        `Shape.Member` (`Bucket` is `bucketName` in records of S3).
    request_extras: further requestParameters that are no members, from the call (S3's `Host`).
    resources: resources[] of the event from (account, region, params, result); result is None for a failed
        call; items are {"accountId", "type", "ARN"}, or "ARNPrefix" in place of "ARN".
    data_operations: operation to resource type, for operations that are data events.
    global_service: calls are recorded in the partition's first region (us-east-1) whatever the signature says.
    """

    event_source: str
    read_only: Callable[[str], bool] | None = None
    answers_in_reads: frozenset[str] = NO_NAMES
    masked: frozenset[str] = NO_NAMES
    game_data: frozenset[str] = NO_NAMES
    clear: frozenset[str] = NO_NAMES
    left_out: frozenset[str] = NO_NAMES
    spelled: Mapping[str, str] = field(default_factory=lambda: NO_MAPPING)
    request_extras: Callable[[Call], dict[str, Any]] | None = None
    resources: Resources | None = None
    data_operations: Mapping[str, str] = field(default_factory=lambda: NO_MAPPING)
    global_service: bool = False

    def reads_only(self, operation: str) -> bool:
        """Return the record's readOnly for an operation."""
        if self.read_only is not None:
            return self.read_only(operation)
        return is_read_only(operation, self.event_source)

    def region_of(self, region: str) -> str:
        """Return awsRegion for a call signed for a region."""
        return GLOBAL_REGIONS[partition_of(region)] if self.global_service else region
