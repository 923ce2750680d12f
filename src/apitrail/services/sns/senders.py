"""Sending a parcel to its endpoint, by protocol. Each attempt ends in a verdict, or in a change that gives one.

What goes into a queue that is here happens in the transaction that takes the delivery off its lane, so it happens once;
everything else may be repeated after a crash.
"""

import asyncio
import base64
import ssl
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import orjson

from apitrail.arn import parse_arn
from apitrail.clock import Clock
from apitrail.identity.credentials import Credential
from apitrail.identity.principal import Principal
from apitrail.identity.signer import sign_headers
from apitrail.services.context import Context
from apitrail.services.queues import SNS, add_message, has_room, message_of, queue_at, topic_may_send
from apitrail.services.sns.endpoints import file_path
from apitrail.services.sns.envelope import http_headers
from apitrail.services.sns.files import append_line, as_line
from apitrail.services.sns.post import NoAnswer, post
from apitrail.services.sns.verdicts import Verdict, of_status
from apitrail.settings import Sns
from apitrail.store.resources import Doc

TARGET = "AmazonSQS.SendMessage"
MEDIA_TYPE = "application/x-amz-json-1.0"
OK = 200
ATTRIBUTES_MAX = 10


class Parcel(NamedTuple):
    """What is to be sent. text: what the endpoint gets. raw: is it the bare message. content_type: of HTTP bodies.

    queue_here: whether the endpoint is a queue of this server.
    """

    subscription: Doc
    message: Doc
    text: str
    raw: bool
    content_type: str
    queue_here: bool


Attempt = Callable[[Context], Verdict]
"""What is left to be done in the transaction that settles the delivery."""


class Outside(NamedTuple):
    """What senders need of the server."""

    settings: Sns
    clock: Clock
    tls: ssl.SSLContext


Send = Callable[[Outside, Parcel], Awaitable[Attempt]]


def tls_context(settings: Sns) -> ssl.SSLContext:
    """Return how https endpoints are checked: by the system's certificates and those of sns.ca_file."""
    context = ssl.create_default_context()
    if settings.ca_file:
        context.load_verify_locations(settings.ca_file)
    return context


async def send_http(outside: Outside, parcel: Parcel) -> Attempt:
    """POST to an http or https endpoint."""
    arn = parcel.subscription["SubscriptionArn"]
    headers = http_headers(parcel.message, arn, parcel.raw, parcel.content_type)
    return _ended(await _post(outside, parcel.subscription["Endpoint"], headers, parcel.text.encode()))


async def send_file(outside: Outside, parcel: Parcel) -> Attempt:
    """Append to a file below the configured folder."""
    if not outside.settings.files_folder:
        return _ended(Verdict(False, reason="sns.files_folder is not set"))
    folder, name = Path(outside.settings.files_folder), file_path(parcel.subscription["Endpoint"])
    try:
        await asyncio.to_thread(append_line, folder, name, as_line(parcel.text))
    except OSError as error:
        return _ended(Verdict(False, reason=f"{type(error).__name__}: {error.strerror}"))
    return _ended(Verdict(True, status=OK))


async def send_queue(outside: Outside, parcel: Parcel) -> Attempt:
    """Send into a queue: of this server, or of the service that is set for others."""
    if parcel.queue_here or not outside.settings.sqs_endpoint:
        return lambda ctx: put_in_queue(ctx, parcel, parcel.subscription["Endpoint"])
    return _ended(await _send_away(outside, parcel))


def put_in_queue(ctx: Context, parcel: Parcel, queue_arn: str) -> Verdict:
    """Put a parcel into a queue of this server if the queue's policy lets SNS do so for the topic."""
    topic = parcel.message["TopicArn"]
    arn, queue = parse_arn(topic), queue_at(ctx.tx, queue_arn)
    if queue is None:
        return Verdict(False, True, reason="AWS.SimpleQueueService.NonExistentQueue")
    if arn is None or not topic_may_send(ctx, queue, topic, arn.account):
        return Verdict(
            False, True, reason="AccessDenied: the queue's policy does not let sns.amazonaws.com send for this topic"
        )
    if not has_room(ctx, queue):
        return Verdict(False, reason="the queue is full")
    attributes = _attributes(parcel)
    if len(attributes) > ATTRIBUTES_MAX:
        return Verdict(False, True, reason=f"a queue takes at most {ATTRIBUTES_MAX} message attributes")
    doc = message_of(ctx.ids.uuid(), parcel.text, SNS, attributes)
    add_message(ctx, queue, doc, delay_s=int(queue["Attributes"].get("DelaySeconds", 0)))
    return Verdict(True, status=OK)


async def _post(outside: Outside, url: str, headers: Mapping[str, str], body: bytes) -> Verdict:
    try:
        return of_status(await post(url, headers, body, timeout_s=outside.settings.http_timeout_s, tls=outside.tls))
    except NoAnswer as error:
        return Verdict(False, reason=str(error))


async def _send_away(outside: Outside, parcel: Parcel) -> Verdict:
    """Call SendMessage of another SQS-compatible service."""
    arn = parse_arn(parcel.subscription["Endpoint"])
    assert arn is not None
    base = outside.settings.sqs_endpoint.rstrip("/")
    params: dict[str, Any] = {"QueueUrl": f"{base}/{arn.account}/{arn.resource}", "MessageBody": parcel.text}
    if attributes := _attributes(parcel):
        params["MessageAttributes"] = attributes
    body = orjson.dumps(params, default=_base64)
    try:
        secret = await asyncio.to_thread(_secret, outside.settings)
    except OSError as error:
        return Verdict(False, reason=f"sns.sqs_secret_key_file: {error.strerror}")
    key = Credential(outside.settings.sqs_access_key, secret, Principal("Root", arn.account, "", ""))
    headers = {"content-type": MEDIA_TYPE, "x-amz-target": TARGET}
    signed = sign_headers("POST", f"{base}/", headers, body, key, arn.region, "sqs", outside.clock.now())
    return await _post(outside, f"{base}/", signed, body)


def _attributes(parcel: Parcel) -> dict[str, Any]:
    """Return the message attributes that go along with a bare message; envelopes hold them inside."""
    return dict(parcel.message.get("Attributes", {})) if parcel.raw else {}


def _secret(settings: Sns) -> str:
    return Path(settings.sqs_secret_key_file).read_text().strip() if settings.sqs_secret_key_file else ""


def _base64(value: Any) -> str:
    assert isinstance(value, bytes)
    return base64.b64encode(value).decode()


def _ended(verdict: Verdict) -> Attempt:
    return lambda ctx: verdict


SENDERS: Mapping[str, Send] = {"http": send_http, "https": send_http, "sqs": send_queue, "file": send_file}
