"""A trail's topic: which one is meant, whether CloudTrail may publish there, and the message that tries it out.

Source: CloudTrail API Reference, CreateTrail; User Guide, "Amazon SNS topic policy for CloudTrail".
"""

import re
from typing import Any

from apitrail.arn import make_arn, parse_arn
from apitrail.services.cloudtrail.errors import InsufficientSnsTopicPolicyException, InvalidSnsTopicNameException
from apitrail.services.context import Context
from apitrail.services.topics import topic_at, trail_may_publish
from apitrail.store.resources import Doc
from apitrail.trail.notify import set_topic, try_topic

MEMBER = "SnsTopicName"
LENGTH_MAX = 256
NAME = re.compile(r"[A-Za-z0-9_-]{1,256}", re.ASCII)


def check_topic_name(params: Any) -> None:
    """Raise InvalidSnsTopicNameException unless a given topic can be one: a name or an ARN; empty for none.

    Inferred: the message.
    """
    text = params.get(MEMBER)
    if not text:
        return
    arn = parse_arn(text)
    is_arn = arn is not None and arn.service == "sns" and arn.account.isdigit() and bool(arn.region)
    name = arn.resource if arn is not None and is_arn else text
    if len(text) > LENGTH_MAX or not NAME.fullmatch(name):
        raise InvalidSnsTopicNameException(
            f"SNS topic {text[:LENGTH_MAX]} is not valid: a name of letters, digits, - and _, or the ARN of a topic."
        )


def apply_topic(ctx: Context, trail: Doc, account: str, params: Any) -> None:
    """Let a trail announce its log files at the topic that is given; an empty text ends it. Called before the trail is stored.

    account: of the trail. Raises: InsufficientSnsTopicPolicyException, also for a topic that does not exist.
    """
    if MEMBER not in params:
        return
    arn, before = _topic_arn(trail, account, params[MEMBER]), trail.get("SnsTopicARN", "")
    trail.pop("SnsTopicName", None)
    trail.pop("SnsTopicARN", None)
    if arn:
        topic = topic_at(ctx.tx, arn)
        if topic is None or not trail_may_publish(ctx, topic, trail["TrailARN"], account):
            raise InsufficientSnsTopicPolicyException("SNS Topic does not exist or the topic policy is incorrect!")
        trail |= {"SnsTopicName": arn.rpartition(":")[2], "SnsTopicARN": arn}
    set_topic(ctx.tx, trail["TrailARN"], arn)
    if arn != before:
        try_topic(ctx.tx, trail["TrailARN"], trail["HomeRegion"])


def _topic_arn(trail: Doc, account: str, text: str) -> str:
    """Return a topic's ARN; a name means the trail's home region and account."""
    return text if not text or text.startswith("arn:") else make_arn("sns", trail["HomeRegion"], account, text)
