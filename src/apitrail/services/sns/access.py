"""Which topic or subscription a call means, and whether the caller may do this.

The caller's own policies and the topic's decide together.
"""

from collections.abc import Mapping
from typing import Any

from apitrail.arn import Arn, parse_arn
from apitrail.identity.policy import denied_message
from apitrail.services.context import Context
from apitrail.services.resource_policies import decide
from apitrail.services.sns.errors import AuthorizationError, NotFound, invalid
from apitrail.services.sns.subscribers import SUBSCRIPTIONS
from apitrail.services.topics import TOPICS
from apitrail.store.resources import Doc

Params = Mapping[str, Any]
Result = dict[str, Any]

ARN_PARTS = 6


def topic_of(ctx: Context, params: Params, action: str, member: str = "TopicArn", **facts: Any) -> Doc:
    """Return the topic of a call's ARN.

    action: what is done, `Publish`. facts: further condition keys. Raises: InvalidParameter, AuthorizationError, NotFound.
    """
    topic = find_topic(ctx, params, action, member, **facts)
    if topic is None:
        raise NotFound("Topic does not exist")
    return topic


def find_topic(ctx: Context, params: Params, action: str, member: str = "TopicArn", **facts: Any) -> Doc | None:
    """Return the topic of a call's ARN if there is one; see topic_of."""
    arn = topic_arn(params[member], member)
    if arn.region != ctx.region:
        raise invalid(member, f"the topic is in {arn.region}, the call was made to {ctx.region}")
    topic = TOPICS.at(ctx.tx, arn.account, arn.region).get(arn.resource)
    allow(ctx, arn, topic, action, **facts)
    return topic


def topic_arn(text: str, member: str = "TopicArn") -> Arn:
    """Return the parts of a topic's ARN. Raises: InvalidParameter."""
    if text.count(":") < ARN_PARTS - 1:
        raise invalid(member, f"An ARN must have at least {ARN_PARTS} elements, not {text.count(':') + 1}")
    arn = parse_arn(text)
    if arn is None or arn.service != "sns" or ":" in arn.resource or not arn.resource or not arn.account.isdigit():
        raise invalid(member)
    return arn


def allow(ctx: Context, arn: Arn, topic: Doc | None, action: str, owner: str = "", **facts: Any) -> None:
    """Raise AuthorizationError unless the caller may do this to a topic.

    owner: whose permission counts, when it is not the topic's account.
    """
    policy = topic["Attributes"].get("Policy", "") if topic is not None else ""
    decision = decide(ctx, f"sns:{action}", str(arn), owner or arn.account, policy, facts)
    if not decision.allowed:
        assert ctx.principal is not None
        raise AuthorizationError(denied_message(ctx.principal, f"SNS:{action}", str(arn), decision))


def subscription_of(ctx: Context, params: Params, action: str) -> Doc:
    """Return the subscription of a call's ARN, for its owner or whoever may do this to the topic.

    Raises: InvalidParameter, AuthorizationError, NotFound.
    """
    subscription = find_subscription(ctx, params)
    if subscription is None:
        raise NotFound("Subscription does not exist")
    allow_subscription(ctx, subscription, action)
    return subscription


def find_subscription(ctx: Context, params: Params) -> Doc | None:
    """Return the subscription of a call's ARN, or None. Raises: InvalidParameter for what is no such ARN."""
    text = params["SubscriptionArn"]
    topic, _, id_ = text.rpartition(":")
    if text.count(":") != ARN_PARTS or not id_:
        raise invalid("SubscriptionArn", f"An ARN must have at least {ARN_PARTS} elements, not {text.count(':') + 1}")
    topic_arn(topic, "SubscriptionArn")
    return SUBSCRIPTIONS.at(ctx.tx).get(text)


def allow_subscription(ctx: Context, subscription: Doc, action: str) -> None:
    """Raise AuthorizationError unless the caller may do this to a subscription."""
    assert ctx.principal is not None
    arn = topic_arn(subscription["TopicArn"])
    is_owner = subscription["Owner"] == ctx.principal.account
    topic = TOPICS.at(ctx.tx, arn.account, arn.region).get(arn.resource)
    allow(ctx, arn, topic, action, subscription["Owner"] if is_owner else "")
