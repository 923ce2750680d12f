"""What subscribers get: the JSON envelope, the text that its signature covers, and the headers of HTTP deliveries. Pure.

Source: SNS Developer Guide, "Parsing message formats" and "Verifying the signatures of Amazon SNS messages".
"""

import base64
from collections.abc import Mapping
from datetime import datetime
from typing import Any
from urllib.parse import quote

import orjson

NOTIFICATION, CONFIRMATION = "Notification", "SubscriptionConfirmation"
API_VERSION = "2010-03-31"
CERTIFICATES = "/_apitrail/sns/"
AGENT = "Amazon Simple Notification Service Agent"
SIGNED = {
    NOTIFICATION: ("Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type"),
    CONFIRMATION: ("Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type"),
}

Message = Mapping[str, Any]
"""A published message: Type, MessageId, TopicArn, At (time), Message, and if given: Subject, Attributes, Texts (by protocol)."""


def text_for(message: Message, protocol: str) -> str:
    """Return the text of a message for a protocol; publishers may give each its own."""
    text: str = message.get("Texts", {}).get(protocol, message["Message"])
    return text


def notification(message: Message, protocol: str) -> dict[str, Any]:
    """Return the members of a notification, up to its signature, in the order in which they are written."""
    subject = {"Subject": message["Subject"]} if "Subject" in message else {}
    return {
        "Type": NOTIFICATION,
        "MessageId": message["MessageId"],
        "TopicArn": message["TopicArn"],
        **subject,
        "Message": text_for(message, protocol),
        "Timestamp": timestamp(message["At"]),
    }


def confirmation(message: Message, base: str) -> dict[str, Any]:
    """Return the members of the message that asks an endpoint to confirm its subscription. base: URL of this server."""
    arn, token = message["TopicArn"], message["Token"]
    said = f"You have chosen to subscribe to the topic {arn}."
    query = f"Action=ConfirmSubscription&TopicArn={quote(arn, safe=':')}&Token={token}&Version={API_VERSION}"
    return {
        "Type": CONFIRMATION,
        "MessageId": message["MessageId"],
        "Token": token,
        "TopicArn": arn,
        "Message": f"{said}\nTo confirm the subscription, visit the SubscribeURL included in this message.",
        "SubscribeURL": f"{base}/?{query}",
        "Timestamp": timestamp(message["At"]),
    }


def unsubscribe_url(base: str, subscription_arn: str) -> str:
    """Return the URL that ends a subscription."""
    return f"{base}/?Action=Unsubscribe&SubscriptionArn={quote(subscription_arn, safe=':')}&Version={API_VERSION}"


def string_to_sign(members: Mapping[str, Any]) -> bytes:
    """Return what the signature of an envelope covers: names and values, a line each, in the order of the names."""
    names = [name for name in SIGNED[members["Type"]] if name in members]
    return "".join(f"{name}\n{members[name]}\n" for name in names).encode()


def attributes_shown(attributes: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[str, str]]:
    """Return message attributes as envelopes show them; binary ones in base64."""
    return {name: {"Type": value["DataType"], "Value": _value(value)} for name, value in attributes.items()}


def written(members: Mapping[str, Any]) -> str:
    """Return an envelope as text."""
    return orjson.dumps(members, option=orjson.OPT_INDENT_2).decode()


def timestamp(at: datetime) -> str:
    """Return a time as messages write it, with milliseconds."""
    return f"{at:%Y-%m-%dT%H:%M:%S}.{at.microsecond // 1000:03d}Z"


def http_headers(message: Message, subscription_arn: str, raw: bool, content_type: str) -> dict[str, str]:
    """Return the headers of an HTTP delivery."""
    headers = {
        "content-type": content_type,
        "user-agent": AGENT,
        "x-amz-sns-message-type": message["Type"],
        "x-amz-sns-message-id": message["MessageId"],
        "x-amz-sns-topic-arn": message["TopicArn"],
    }
    if message["Type"] == NOTIFICATION:
        headers["x-amz-sns-subscription-arn"] = subscription_arn
    return {**headers, "x-amz-sns-rawdelivery": "true"} if raw else headers


def _value(value: Mapping[str, Any]) -> str:
    if "BinaryValue" in value:
        return base64.b64encode(value["BinaryValue"]).decode()
    text: str = value["StringValue"]
    return text
