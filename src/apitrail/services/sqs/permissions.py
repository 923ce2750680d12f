"""AddPermission and RemovePermission: statements of a queue's policy by label. Source: SQS API Reference."""

import re

from apitrail.errors import ServiceError
from apitrail.services.context import Context
from apitrail.services.operation import operation
from apitrail.services.resource_policies import with_statement, without_statement
from apitrail.services.sqs.access import ACCOUNT, Params, put_queue, queue_of
from apitrail.services.sqs.errors import InvalidParameterValue, OverLimit

LABEL = re.compile(r"[A-Za-z0-9_-]{1,80}", re.ASCII)
ACTIONS_MAX = 7
ACTIONS = frozenset(
    {
        "*",
        "ChangeMessageVisibility",
        "DeleteMessage",
        "GetQueueAttributes",
        "GetQueueUrl",
        "ListDeadLetterSourceQueues",
        "PurgeQueue",
        "ReceiveMessage",
        "SendMessage",
    }
)


@operation
def add_permission(ctx: Context, params: Params) -> None:
    """Let accounts do something to a queue. Raises: InvalidParameterValue, OverLimit for more than seven actions."""
    queue = queue_of(ctx, params, "AddPermission")
    label, accounts, actions = params["Label"], params["AWSAccountIds"], params["Actions"]
    if not LABEL.fullmatch(label):
        raise InvalidParameterValue("A label has 1 to 80 letters, digits, hyphens or underscores.")
    if not accounts or not all(ACCOUNT.fullmatch(account) for account in accounts):
        raise InvalidParameterValue(f"Value {accounts} for parameter PrincipalId is invalid. Reason: Unable to verify.")
    if len(actions) > ACTIONS_MAX:
        raise OverLimit(f"{len(actions)} Actions were found, maximum allowed is {ACTIONS_MAX}.")
    for action in actions or [""]:
        if action not in ACTIONS:
            raise InvalidParameterValue(
                f"Value SQS:{action} for parameter ActionName is invalid. Reason: no such action."
            )
    named = [f"SQS:{action}" for action in actions]
    try:
        policy = with_statement(queue["Attributes"].get("Policy", ""), label, accounts, named, queue["QueueArn"])
    except ServiceError as error:
        said = f"Value {label} for parameter Label is invalid. Reason: {error.message}."
        raise InvalidParameterValue(said) from error
    queue["Attributes"]["Policy"] = policy
    put_queue(ctx, queue)


@operation
def remove_permission(ctx: Context, params: Params) -> None:
    """Remove the statement of a label. Raises: InvalidParameterValue when there is none."""
    queue = queue_of(ctx, params, "RemovePermission")
    policy = without_statement(queue["Attributes"].pop("Policy", ""), params["Label"])
    if policy is None:
        said = "Reason: can't find label on existing policy."
        raise InvalidParameterValue(f"Value {params['Label'][:80]} for parameter Label is invalid. {said}")
    if policy:
        queue["Attributes"]["Policy"] = policy
    put_queue(ctx, queue)
