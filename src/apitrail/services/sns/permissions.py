"""AddPermission and RemovePermission: statements of a topic's policy by label. Source: SNS API Reference."""

import re

from apitrail.errors import ServiceError
from apitrail.services.context import Context
from apitrail.services.operation import operation
from apitrail.services.resource_policies import with_statement, without_statement
from apitrail.services.sns.access import Params, topic_of
from apitrail.services.sns.attributes import DEFAULT_ACTIONS, default_policy
from apitrail.services.sns.errors import NotFound, invalid
from apitrail.services.sns.topics import put_topic

ACCOUNT = re.compile(r"[0-9]{12}", re.ASCII)
ACTIONS = frozenset({*DEFAULT_ACTIONS, "*", "Receive"})
LABEL_MAX = 100


@operation
def add_permission(ctx: Context, params: Params) -> None:
    """Let accounts do something to a topic. Raises: InvalidParameter."""
    topic = topic_of(ctx, params, "AddPermission")
    label, accounts, actions = params["Label"], params["AWSAccountId"], params["ActionName"]
    if not 0 < len(label) <= LABEL_MAX:
        raise invalid("Label", f"1 to {LABEL_MAX} characters")
    if not accounts or not all(ACCOUNT.fullmatch(account) for account in accounts):
        raise invalid("AWSAccountId", "account numbers of 12 digits are needed")
    if not actions or not ACTIONS.issuperset(actions):
        raise invalid("Policy statement action out of service scope!")
    named = [f"SNS:{action}" for action in actions]
    try:
        policy = with_statement(topic["Attributes"]["Policy"], label, accounts, named, topic["TopicArn"])
    except ServiceError as error:
        raise invalid("Label", error.message) from error
    topic["Attributes"]["Policy"] = policy
    put_topic(ctx, topic)


@operation
def remove_permission(ctx: Context, params: Params) -> None:
    """Remove the statement of a label. Raises: NotFound when there is none."""
    topic = topic_of(ctx, params, "RemovePermission")
    policy = without_statement(topic["Attributes"]["Policy"], params["Label"])
    if policy is None:
        raise NotFound(f"There is no statement {params['Label'][:LABEL_MAX]} in the topic's policy")
    topic["Attributes"]["Policy"] = policy or default_policy(topic["TopicArn"], topic["Owner"])
    put_topic(ctx, topic)
