"""A trail's log group in CloudWatch Logs. Source: CloudTrail API Reference, CreateTrail; User Guide, CloudWatch Logs."""

import re
from typing import Any

from apitrail.arn import parse_arn
from apitrail.services.cloudtrail.errors import (
    CloudWatchLogsDeliveryUnavailableException,
    InvalidCloudWatchLogsLogGroupArnException,
    InvalidCloudWatchLogsRoleArnException,
)
from apitrail.services.context import Context
from apitrail.store.resources import Doc

GROUP, ROLE = "CloudWatchLogsLogGroupArn", "CloudWatchLogsRoleArn"
GROUP_NAME = re.compile(r"log-group:[a-zA-Z0-9_/.#-]{1,512}(:\*)?", re.ASCII)
ROLE_NAME = re.compile(r"role/[!-~]{1,576}")


def apply_log_group(ctx: Context, trail: Doc, account: str, params: Any) -> None:
    """Let a trail's events go to the log group that is given; empty texts end it. Called before the trail is stored.

    account: of the trail. Raises: CloudWatchLogsDeliveryUnavailableException without a configured endpoint,
    InvalidCloudWatchLogsLogGroupArnException and InvalidCloudWatchLogsRoleArnException for ARNs that are wrong, of another
    account, or not given together. Inferred: the messages, and that the role's existence is left to the endpoint.
    """
    if GROUP not in params and ROLE not in params:
        return
    group, role = params.get(GROUP, trail.get(GROUP, "")), params.get(ROLE, trail.get(ROLE, ""))
    trail.pop(GROUP, None)
    trail.pop(ROLE, None)
    if group or role:
        _check(ctx, account, group, role)
        trail |= {GROUP: group, ROLE: role}


def _check(ctx: Context, account: str, group: str, role: str) -> None:
    if not role:
        raise InvalidCloudWatchLogsRoleArnException("You must specify a role ARN as well as a log group.")
    if not group:
        raise InvalidCloudWatchLogsLogGroupArnException("You must specify a log group ARN as well as a role ARN.")
    arn = parse_arn(group)
    if arn is None or arn.service != "logs" or not arn.region or not GROUP_NAME.fullmatch(arn.resource):
        raise InvalidCloudWatchLogsLogGroupArnException(
            f"{group[:600]} is not the ARN of a log group; expected arn:aws:logs:<region>:<account>:log-group:<name>:*."
        )
    if arn.account != account:
        raise InvalidCloudWatchLogsLogGroupArnException(f"The log group must belong to account {account}.")
    arn = parse_arn(role)
    if arn is None or arn.service != "iam" or arn.account != account or not ROLE_NAME.fullmatch(arn.resource):
        raise InvalidCloudWatchLogsRoleArnException(f"{role[:600]} is not the ARN of a role of account {account}.")
    if not ctx.settings.logs.endpoint:
        raise CloudWatchLogsDeliveryUnavailableException(
            "This server delivers to CloudWatch Logs only when the setting logs.endpoint names an AWS-compatible endpoint."
        )
