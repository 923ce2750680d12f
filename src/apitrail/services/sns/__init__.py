"""Amazon SNS, standard topics only. topics, permissions, tagging, subscriptions, publishing: the operations. access: which
topic a call means. attributes, contents, endpoints: rules. subscribers, filters: who wants a message. lanes, courier, senders,
retries, verdicts, deliverylog: its way. envelope, signing, post, files: how it looks and goes. notices: what trails
announce. errors, records: tables.

Not served: FIFO topics, text messages, mobile push, e-mail, Lambda, Firehose, encryption, data protection policies.
"""

from apitrail.services.operation import Service
from apitrail.services.resource_owners import owners_of
from apitrail.services.sns import permissions, publishing, subscriptions, tagging, topics
from apitrail.services.sns.records import FREE, RULES, TOPIC
from apitrail.services.topics import topic_at

FAMILIES = (permissions, publishing, subscriptions, tagging, topics)

SERVICE = Service(
    "sns",
    rules=RULES,
    unsigned=frozenset({"ConfirmSubscription", "Unsubscribe"}),
    free=FREE,
    validation_code="InvalidParameter",
    denied_code="AuthorizationError",
    denied_status=403,
    owners=owners_of(RULES, TOPIC, topic_at),
)
