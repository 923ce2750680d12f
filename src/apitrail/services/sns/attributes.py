"""Attributes of topics and subscriptions: which can be set, and to what. Source: SNS API Reference, SetTopicAttributes,
SetSubscriptionAttributes; the default policy is AWS's."""

from collections.abc import Callable, Mapping

import orjson

from apitrail.errors import ServiceError
from apitrail.services.context import Context
from apitrail.services.queues import queue_at
from apitrail.services.resource_policies import checked_policy
from apitrail.services.sns.errors import invalid
from apitrail.services.sns.filters import SCOPES, FilterError, compile_filter
from apitrail.services.sns.retries import DeliveryPolicyError, check_delivery_policy, delivery_of, shown
from apitrail.services.sns.subscribers import SUBSCRIPTIONS, state_of
from apitrail.store.resources import Doc

Check = Callable[[Context, str], None]
DISPLAY_NAME_MAX = 100
DEFAULT_ACTIONS = (
    "GetTopicAttributes",
    "SetTopicAttributes",
    "AddPermission",
    "RemovePermission",
    "DeleteTopic",
    "Subscribe",
    "ListSubscriptionsByTopic",
    "Publish",
)


def default_policy(topic_arn: str, owner: str) -> str:
    """Return the policy of a new topic: its owner may do everything, through services that name it as source owner."""
    statement = {
        "Sid": "__default_statement_ID",
        "Effect": "Allow",
        "Principal": {"AWS": "*"},
        "Action": [f"SNS:{action}" for action in DEFAULT_ACTIONS],
        "Resource": topic_arn,
        "Condition": {"StringEquals": {"AWS:SourceOwner": owner}},
    }
    document = {"Version": "2008-10-17", "Id": "__default_policy_ID", "Statement": [statement]}
    return orjson.dumps(document).decode()


def checked_topic(ctx: Context, given: Mapping[str, str]) -> dict[str, str]:
    """Return attributes of a topic as they can be stored. Raises: InvalidParameter."""
    return _checked(ctx, given, TOPIC_CHECKS, "Attributes")


def checked_subscription(ctx: Context, given: Mapping[str, str]) -> dict[str, str]:
    """Return attributes of a subscription as they can be stored. Raises: InvalidParameter."""
    return _checked(ctx, given, SUBSCRIPTION_CHECKS, "Attributes")


def check_filter(attributes: Mapping[str, str]) -> None:
    """Check a filter policy together with its scope. Raises: InvalidParameter."""
    if policy := attributes.get("FilterPolicy"):
        try:
            compile_filter(policy, attributes.get("FilterPolicyScope", SCOPES[0]))
        except FilterError as error:
            raise invalid("FilterPolicy", f"FilterPolicy: {error}") from error


def merged(old: Mapping[str, str], new: Mapping[str, str]) -> dict[str, str]:
    """Return attributes after a change, without those that were emptied."""
    return {name: value for name, value in {**old, **new}.items() if value not in ("", "{}")}


def topic_shown(ctx: Context, topic: Doc) -> dict[str, str]:
    """Return all attributes of a topic as GetTopicAttributes does."""
    arn, attributes = topic["TopicArn"], topic["Attributes"]
    subscriptions = SUBSCRIPTIONS.at(ctx.tx)
    return {
        "DisplayName": "",
        **attributes,
        "TopicArn": arn,
        "Owner": topic["Owner"],
        "EffectiveDeliveryPolicy": shown(delivery_of("http", attributes, {}), of_topic=True),
        "SubscriptionsConfirmed": str(subscriptions.count("_State", state_of(arn, True))),
        "SubscriptionsPending": str(subscriptions.count("_State", state_of(arn, False))),
        "SubscriptionsDeleted": str(topic["_Deleted"]),
    }


def subscription_shown(topic: Doc, subscription: Doc) -> dict[str, str]:
    """Return all attributes of a subscription as GetSubscriptionAttributes does."""
    attributes = subscription["Attributes"]
    protocol = subscription["Protocol"]
    scope = {"FilterPolicyScope": SCOPES[0]} if "FilterPolicy" in attributes else {}
    delivery = delivery_of(protocol, topic["Attributes"], attributes)
    effective = {"EffectiveDeliveryPolicy": shown(delivery, of_topic=False)} if protocol in ("http", "https") else {}
    return {
        "RawMessageDelivery": "false",
        **scope,
        **attributes,
        **effective,
        "SubscriptionArn": subscription["SubscriptionArn"],
        "TopicArn": subscription["TopicArn"],
        "Owner": subscription["Owner"],
        "Protocol": protocol,
        "Endpoint": subscription["Endpoint"],
        "SubscriptionPrincipal": subscription["_Principal"],
        "PendingConfirmation": "false" if subscription["_Confirmed"] else "true",
        "ConfirmationWasAuthenticated": "true" if subscription["_Authenticated"] else "false",
    }


def _checked(ctx: Context, given: Mapping[str, str], checks: Mapping[str, Check], parameter: str) -> dict[str, str]:
    for name, value in given.items():
        if name not in checks:
            raise invalid(
                "AttributeName" if len(given) == 1 else parameter, f"there is no attribute {name[:80]} to be set"
            )
        if value != "":
            checks[name](ctx, value)
    return dict(given)


def _check_policy(ctx: Context, value: str) -> None:
    try:
        checked_policy(value)
    except ServiceError as error:
        raise invalid("Policy", f"Error: {error.message}") from error


def _check_display_name(ctx: Context, value: str) -> None:
    if len(value) > DISPLAY_NAME_MAX or not value.isprintable():
        raise invalid("DisplayName", f"at most {DISPLAY_NAME_MAX} printable characters")


def _check_delivery(of_topic: bool) -> Check:
    def check(ctx: Context, value: str) -> None:
        try:
            check_delivery_policy(value, of_topic=of_topic)
        except DeliveryPolicyError as error:
            raise invalid("DeliveryPolicy", f"DeliveryPolicy: {error}") from error

    return check


def _check_redrive(ctx: Context, value: str) -> None:
    """Check that dead letters go into a queue that is here."""
    try:
        policy = orjson.loads(value)
    except orjson.JSONDecodeError as error:
        raise invalid("RedrivePolicy", "RedrivePolicy: failed to parse JSON") from error
    target = policy.get("deadLetterTargetArn") if isinstance(policy, dict) else None
    if not isinstance(target, str) or len(policy) != 1:
        raise invalid("RedrivePolicy", "RedrivePolicy: it must be an object with deadLetterTargetArn alone")
    if queue_at(ctx.tx, target) is None:
        raise invalid("RedrivePolicy", f"deadLetterTargetArn: there is no queue {target[:200]} here")


def _one_of(name: str, *values: str) -> Check:
    def check(ctx: Context, value: str) -> None:
        if value.lower() not in {item.lower() for item in values}:
            raise invalid(name, f"{name}: it must be {' or '.join(values)}")

    return check


def _refused(name: str, why: str) -> Check:
    def check(ctx: Context, value: str) -> None:
        if value.lower() != "false":
            raise invalid(name, f"{name}: {why}")

    return check


_FIFO = "FIFO topics are not served by this version; only standard topics are"

TOPIC_CHECKS: Mapping[str, Check] = {
    "Policy": _check_policy,
    "DisplayName": _check_display_name,
    "DeliveryPolicy": _check_delivery(of_topic=True),
    "SignatureVersion": _one_of("SignatureVersion", "1", "2"),
    "TracingConfig": _one_of("TracingConfig", "PassThrough"),
    "FifoTopic": _refused("FifoTopic", _FIFO),
    "ContentBasedDeduplication": _refused("ContentBasedDeduplication", _FIFO),
    "FifoThroughputScope": _refused("FifoThroughputScope", _FIFO),
    "ArchivePolicy": _refused("ArchivePolicy", _FIFO),
    "KmsMasterKeyId": _refused("KmsMasterKeyId", "encryption is not served by this version"),
}
SUBSCRIPTION_CHECKS: Mapping[str, Check] = {
    "RawMessageDelivery": _one_of("RawMessageDelivery", "true", "false"),
    "FilterPolicy": lambda ctx, value: None,
    "FilterPolicyScope": _one_of("FilterPolicyScope", *SCOPES),
    "RedrivePolicy": _check_redrive,
    "DeliveryPolicy": _check_delivery(of_topic=False),
    "ReplayPolicy": _refused("ReplayPolicy", _FIFO),
    "SubscriptionRoleArn": _refused("SubscriptionRoleArn", "Firehose is not served by this version"),
}
