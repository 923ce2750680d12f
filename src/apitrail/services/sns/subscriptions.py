"""Subscriptions: make, confirm, end, list, see and change them. Source: SNS API Reference.

The links in messages call ConfirmSubscription and Unsubscribe without a signature: what proves the right to do so is the
token, and the subscription's own name.
"""

import hmac

from apitrail.services.addresses import base_url
from apitrail.services.common import make_token, read_token, take_page
from apitrail.services.context import Context
from apitrail.services.operation import operation, timer
from apitrail.services.sns.access import (
    Params,
    Result,
    allow_subscription,
    find_subscription,
    subscription_of,
    topic_arn,
    topic_of,
)
from apitrail.services.sns.attributes import check_filter, checked_subscription, merged, subscription_shown
from apitrail.services.sns.endpoints import check_endpoint, confirms_itself
from apitrail.services.sns.errors import (
    AuthorizationError,
    FilterPolicyLimitExceeded,
    NotFound,
    SubscriptionLimitExceeded,
    invalid,
)
from apitrail.services.sns.subscribers import (
    SUBSCRIPTIONS,
    ask_to_confirm,
    drop_subscription,
    key_of,
    put_subscription,
    subscription_arn,
)
from apitrail.services.topics import TOPICS, topic_at
from apitrail.store.resources import Doc

TOKEN_LENGTH = 256
TOKEN_S = 3 * 86_400
PAGE_COUNT = 100
FILTERS_MAX = 200
PENDING = "pending confirmation"
PENDING_ARN = "PendingConfirmation"
EXPIRE = "sns/expire-pending"


@operation
def subscribe(ctx: Context, params: Params) -> Result:
    """Subscribe an endpoint; one that must confirm gets a message, and its ARN is told only if asked for.

    Raises: InvalidParameter, NotFound, AuthorizationError, SubscriptionLimitExceeded, FilterPolicyLimitExceeded.
    """
    protocol, endpoint = params["Protocol"], params.get("Endpoint", "")
    facts = {"sns:Protocol": protocol, "sns:Endpoint": endpoint}
    topic = topic_of(ctx, params, "Subscribe", **facts)
    check_endpoint(ctx, protocol, endpoint)
    attributes = merged({}, checked_subscription(ctx, params.get("Attributes", {})))
    check_filter(attributes)
    key = key_of(topic["TopicArn"], protocol, endpoint)
    known = SUBSCRIPTIONS.at(ctx.tx).find("_Key", key, 1)
    subscription = known[0].doc if known else _new(ctx, topic, protocol, endpoint, attributes)
    if "Attributes" in params and subscription["Attributes"] != attributes:
        raise invalid("Attributes", "Subscription already exists with different attributes")
    if not subscription["_Confirmed"]:
        _renew_token(ctx, subscription)
        ask_to_confirm(ctx, subscription)
    shown = subscription["_Confirmed"] or params.get("ReturnSubscriptionArn")
    return {"SubscriptionArn": subscription["SubscriptionArn"] if shown else PENDING}


@operation
def confirm_subscription(ctx: Context, params: Params) -> Result:
    """Confirm a subscription with the token that was sent to its endpoint; once more is fine while the token lasts.

    Raises: InvalidParameter for a token that is none, NotFound, AuthorizationError.
    """
    arn = topic_arn(params["TopicArn"])
    if topic_at(ctx.tx, str(arn)) is None:
        raise NotFound("Topic does not exist")
    subscription = _by_token(ctx, str(arn), params["Token"])
    lock = params.get("AuthenticateOnUnsubscribe", "false").lower() == "true"
    if lock and not _is_signed(ctx):
        raise AuthorizationError("AuthenticateOnUnsubscribe needs a signed call")
    if not subscription["_Confirmed"]:
        subscription |= {"_Confirmed": True, "_Authenticated": _is_signed(ctx), "_Locked": lock}
        put_subscription(ctx, subscription)
    return {"SubscriptionArn": subscription["SubscriptionArn"]}


@operation
def unsubscribe(ctx: Context, params: Params) -> None:
    """End a subscription; one that is gone is fine. Without a signature it works unless the confirmation forbade it.

    Raises: InvalidParameter, AuthorizationError.
    """
    subscription = find_subscription(ctx, params)
    if subscription is None:
        return
    if _is_signed(ctx):
        allow_subscription(ctx, subscription, "Unsubscribe")
    elif subscription["_Locked"]:
        raise AuthorizationError("This subscription can be ended with a signed call only")
    drop_subscription(ctx.tx, subscription["SubscriptionArn"])
    topic = topic_at(ctx.tx, subscription["TopicArn"])
    if topic is not None:
        arn = topic_arn(topic["TopicArn"])
        topic["_Deleted"] += 1
        TOPICS.at(ctx.tx, arn.account, arn.region).put(arn.resource, topic)


@operation
def list_subscriptions(ctx: Context, params: Params) -> Result:
    """Return the account's own subscriptions in this region, 100 a page."""
    return _page(ctx, params, "_Place", place_of(ctx))


@operation
def list_subscriptions_by_topic(ctx: Context, params: Params) -> Result:
    """Return the subscriptions of a topic, 100 a page. Raises: NotFound, AuthorizationError."""
    topic = topic_of(ctx, params, "ListSubscriptionsByTopic")
    return _page(ctx, params, "TopicArn", topic["TopicArn"])


@operation
def get_subscription_attributes(ctx: Context, params: Params) -> Result:
    """Return a subscription's attributes. Raises: NotFound, AuthorizationError."""
    subscription = subscription_of(ctx, params, "GetSubscriptionAttributes")
    return {"Attributes": subscription_shown(_topic(ctx, subscription), subscription)}


@operation
def set_subscription_attributes(ctx: Context, params: Params) -> None:
    """Change one attribute; an empty value takes it away. Raises: InvalidParameter, FilterPolicyLimitExceeded."""
    subscription = subscription_of(ctx, params, "SetSubscriptionAttributes")
    change = checked_subscription(ctx, {params["AttributeName"]: params.get("AttributeValue", "")})
    changed = merged(subscription["Attributes"], change)
    check_filter(changed)
    if "FilterPolicy" in changed and "FilterPolicy" not in subscription["Attributes"]:
        _check_filters(ctx, subscription["TopicArn"])
    subscription["Attributes"] = changed
    put_subscription(ctx, subscription)


@timer(EXPIRE)
def expire_pending(ctx: Context, doc: Doc) -> None:
    """Forget a subscription that nobody has confirmed in three days."""
    subscription = SUBSCRIPTIONS.at(ctx.tx).get(doc["SubscriptionArn"])
    if subscription is None or subscription["_Confirmed"]:
        return
    left_s = subscription["_Until"] - ctx.now.timestamp()
    if left_s > 0:
        ctx.schedule(EXPIRE, doc, left_s)
    else:
        drop_subscription(ctx.tx, doc["SubscriptionArn"])


def place_of(ctx: Context) -> str:
    """Return the caller's account and region, by which its own subscriptions are listed."""
    return f"{ctx.account}|{ctx.region}"


def _new(ctx: Context, topic: Doc, protocol: str, endpoint: str, attributes: dict[str, str]) -> Doc:
    assert ctx.principal is not None
    arn, limit = topic["TopicArn"], ctx.settings.sns.subscriptions_max
    if SUBSCRIPTIONS.at(ctx.tx).count("TopicArn", arn) >= limit:
        raise SubscriptionLimitExceeded(f"A topic has at most {limit} subscriptions.")
    if "FilterPolicy" in attributes:
        _check_filters(ctx, arn)
    subscription: Doc = {
        "SubscriptionArn": subscription_arn(ctx, topic),
        "TopicArn": arn,
        "Owner": ctx.account,
        "Protocol": protocol,
        "Endpoint": endpoint,
        "Attributes": attributes,
        "_Place": place_of(ctx),
        "_Key": key_of(arn, protocol, endpoint),
        "_Confirmed": confirms_itself(ctx, protocol, endpoint),
        "_Authenticated": True,
        "_Locked": False,
        "_Principal": ctx.principal.arn,
        "_Base": ctx.settings.sns.endpoint_url.rstrip("/") or base_url(ctx),
    }
    put_subscription(ctx, subscription)
    return subscription


def _renew_token(ctx: Context, subscription: Doc) -> None:
    """Give a subscription that waits for confirmation a new token, which lasts three days."""
    if "_Token" not in subscription:
        ctx.schedule(EXPIRE, {"SubscriptionArn": subscription["SubscriptionArn"]}, TOKEN_S)
    subscription |= {"_Token": ctx.ids.hex(TOKEN_LENGTH), "_Until": ctx.now.timestamp() + TOKEN_S}
    put_subscription(ctx, subscription)


def _by_token(ctx: Context, arn: str, token: str) -> Doc:
    found = SUBSCRIPTIONS.at(ctx.tx).find("_Token", token, 1) if len(token) == TOKEN_LENGTH else []
    subscription = found[0].doc if found else None
    if subscription is None or subscription["TopicArn"] != arn or ctx.now.timestamp() > subscription["_Until"]:
        raise invalid("Token")
    assert hmac.compare_digest(subscription["_Token"], token)
    return subscription


def _check_filters(ctx: Context, arn: str) -> None:
    found = SUBSCRIPTIONS.at(ctx.tx).find("TopicArn", arn)
    if sum("FilterPolicy" in entry.doc["Attributes"] for entry in found) >= FILTERS_MAX:
        raise FilterPolicyLimitExceeded(f"A topic has at most {FILTERS_MAX} filter policies.")


def _topic(ctx: Context, subscription: Doc) -> Doc:
    topic = topic_at(ctx.tx, subscription["TopicArn"])
    assert topic is not None, subscription["TopicArn"]
    return topic


def _is_signed(ctx: Context) -> bool:
    return ctx.principal is not None and ctx.principal.kind != "AWSAccount"


def _page(ctx: Context, params: Params, field: str, value: str) -> Result:
    token = params.get("NextToken")
    after = read_token(ctx, [field, value], token, lambda reason: invalid("NextToken", reason)) if token else 0
    page, more = take_page(SUBSCRIPTIONS.at(ctx.tx).find(field, value, PAGE_COUNT + 1, after), PAGE_COUNT)
    answer: Result = {"Subscriptions": [_line(entry.doc) for entry in page]}
    return {**answer, "NextToken": make_token(ctx, [field, value], page[-1].ord)} if more else answer


def _line(subscription: Doc) -> dict[str, str]:
    arn = subscription["SubscriptionArn"] if subscription["_Confirmed"] else PENDING_ARN
    return {
        "SubscriptionArn": arn,
        **{name: subscription[name] for name in ("Owner", "Protocol", "Endpoint", "TopicArn")},
    }
