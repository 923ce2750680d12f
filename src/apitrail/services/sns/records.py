"""How calls of SNS are recorded: Publish and PublishBatch are data events; what messages say is hidden.

Source: SNS Developer Guide, "Logging Amazon SNS API calls using CloudTrail". The endpoint of a subscription is hidden because
webhook URLs are secrets in themselves; a queue that is subscribed is among the resources.
"""

from typing import Any

from apitrail.arn import parse_arn
from apitrail.events.rules import READ_PREFIXES, RecordRules, Resource
from apitrail.wire.models import service_model

TOPIC, QUEUE = "AWS::SNS::Topic", "AWS::SQS::Queue"
FREE = frozenset(name for name in service_model("sns").operation_names if name.startswith(READ_PREFIXES))
"""Operations that change nothing and hand out no credentials; they may pass unrecorded in capture mode `blocking`."""

_MEMBERS = ("TopicArn", "TargetArn", "ResourceArn", "SubscriptionArn", "Endpoint")
_TYPES = {"sns": TOPIC, "sqs": QUEUE}


def resources(account: str, region: str, params: dict[str, Any], result: dict[str, Any] | None) -> list[Resource]:
    """Return the topic that a call names or made, and the queue that is subscribed to it."""
    texts = [params.get(name) for name in _MEMBERS] + [(result or {}).get("TopicArn")]
    found: dict[str, Resource] = {}
    for arn in (parse_arn(text) for text in texts if isinstance(text, str)):
        if arn is not None and arn.service in _TYPES:
            topic = arn._replace(resource=arn.resource.partition(":")[0])
            found[str(topic)] = {"accountId": arn.account, "type": _TYPES[arn.service], "ARN": str(topic)}
    return list(found.values())


RULES = RecordRules(
    event_source="sns.amazonaws.com",
    masked=frozenset(
        {
            "MessageAttributes",
            "PublishBatchRequestEntry.Message",
            "PublishBatchRequestEntry.Subject",
            "PublishInput.Message",
            "PublishInput.Subject",
            "SubscribeInput.Endpoint",
            "Token",
        }
    ),
    resources=resources,
    data_operations={"Publish": TOPIC, "PublishBatch": TOPIC},
)
