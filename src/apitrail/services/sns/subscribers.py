"""Subscriptions as documents, and a message's way to those that want it."""

import logging
from collections.abc import Mapping
from typing import Any

from apitrail.arn import make_arn
from apitrail.services.context import Context
from apitrail.services.sns import lanes
from apitrail.services.sns.envelope import CONFIRMATION, NOTIFICATION, text_for
from apitrail.services.sns.filters import SCOPES, attribute_values, body_members, compile_filter
from apitrail.store.database import Tx
from apitrail.store.resources import Collection, Doc

log = logging.getLogger("apitrail.sns")

COURIER = "sns"
"""The worker that makes deliveries."""

SUBSCRIPTIONS = Collection("sns/subscription", "global", indexes=("TopicArn", "_Place", "_Key", "_State", "_Token"))
"""By ARN: SubscriptionArn, TopicArn, Owner, Protocol, Endpoint, Attributes (as set, by name). Private: _Place (owner's account
and region), _Key (topic, protocol, endpoint), _State (topic and whether it waits for confirmation), _Token (that confirms it),
_Confirmed, _Authenticated (was it confirmed with a signature), _Locked (only with a signature can it be ended), _Principal,
_Base (URL of this server as the subscriber knows it), _Until (epoch seconds, end of the token)."""


def state_of(topic_arn: str, confirmed: bool) -> str:
    """Return the indexed state of a subscription."""
    return f"{topic_arn}|{'confirmed' if confirmed else 'pending'}"


def key_of(topic_arn: str, protocol: str, endpoint: str) -> str:
    """Return what no two subscriptions have in common."""
    return f"{topic_arn}|{protocol}|{endpoint}"


def put_subscription(ctx: Context, subscription: Doc) -> None:
    """Store a subscription."""
    subscription["_State"] = state_of(subscription["TopicArn"], subscription["_Confirmed"])
    SUBSCRIPTIONS.at(ctx.tx).put(subscription["SubscriptionArn"], subscription)


def drop_subscription(tx: Tx, subscription_arn: str) -> None:
    """Forget a subscription and what waits for it."""
    SUBSCRIPTIONS.at(tx).delete(subscription_arn)
    lanes.drop_lane(tx, subscription_arn)


def new_message(ctx: Context, topic_arn: str, text: str, **more: Any) -> Doc:
    """Return a message to be published. more: Subject, Attributes, Texts, as in envelope.Message."""
    at = {"MessageId": ctx.ids.uuid(), "TopicArn": topic_arn, "At": ctx.now}
    return {"Type": NOTIFICATION, **at, "Message": text, **{name: value for name, value in more.items() if value}}


def publish(ctx: Context, message: Mapping[str, Any]) -> None:
    """Put a message into the lane of every subscription of its topic that wants it."""
    row = 0
    for entry in SUBSCRIPTIONS.at(ctx.tx).find("TopicArn", message["TopicArn"]):
        if entry.doc["_Confirmed"] and is_wanted(entry.doc, message) and _has_room(ctx, entry.id):
            row = row or lanes.add_message(ctx.tx, dict(message))
            lanes.add_delivery(ctx.tx, entry.id, row, ctx.now.timestamp())
    if row:
        ctx.wake(COURIER)


def ask_to_confirm(ctx: Context, subscription: Doc) -> None:
    """Send the message that asks an endpoint to confirm its subscription, in place of an older one that still waits."""
    message = {
        "Type": CONFIRMATION,
        "MessageId": ctx.ids.uuid(),
        "TopicArn": subscription["TopicArn"],
        "At": ctx.now,
        "Message": "",
        "Token": subscription["_Token"],
    }
    arn = subscription["SubscriptionArn"]
    lanes.drop_lane(ctx.tx, arn)
    lanes.add_delivery(ctx.tx, arn, lanes.add_message(ctx.tx, message), ctx.now.timestamp())
    ctx.wake(COURIER)


def is_wanted(subscription: Doc, message: Mapping[str, Any]) -> bool:
    """Return whether a subscription's filter lets a message through."""
    policy = subscription["Attributes"].get("FilterPolicy")
    if not policy:
        return True
    scope = subscription["Attributes"].get("FilterPolicyScope", SCOPES[0])
    if scope == SCOPES[0]:
        return compile_filter(policy, scope)(attribute_values(message.get("Attributes", {})))
    members = body_members(text_for(message, subscription["Protocol"]))
    return members is not None and compile_filter(policy, scope)(members)


def subscription_arn(ctx: Context, topic: Doc) -> str:
    """Return the ARN of a new subscription."""
    name = topic["TopicArn"].rpartition(":")[2]
    return make_arn("sns", ctx.region, topic["Owner"], f"{name}:{ctx.ids.uuid()}")


def _has_room(ctx: Context, subscription_arn: str) -> bool:
    if lanes.waiting_count(ctx.tx, subscription_arn) < ctx.settings.sns.waiting_max:
        return True
    log.warning("a message is left out for %s: sns.waiting_max others wait for it", subscription_arn)
    return False
