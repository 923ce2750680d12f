"""Amazon SQS, standard queues only. queues, attributes, permissions, tagging: of queues. sending, receiving, visibility: of
messages. access: which queue a call means. batches, digests, receipts: what they share. errors, records: tables.

Not served: FIFO queues, encryption, and moving messages back from dead-letter queues.
"""

from apitrail.services.operation import Service
from apitrail.services.queues import queue_at
from apitrail.services.resource_owners import owners_of
from apitrail.services.sqs import permissions, queues, receiving, sending, tagging, visibility
from apitrail.services.sqs.records import FREE, QUEUE, RULES

FAMILIES = (permissions, queues, receiving, sending, tagging, visibility)

SERVICE = Service(
    "sqs",
    rules=RULES,
    free=FREE,
    owners=owners_of(RULES, QUEUE, queue_at),
    validation_code="InvalidParameterValue",
    validation_codes={
        "CreateQueue.attributes": "InvalidAttributeName",
        "GetQueueAttributes.attributeNames": "InvalidAttributeName",
        "SetQueueAttributes.attributes": "InvalidAttributeName",
    },
)
