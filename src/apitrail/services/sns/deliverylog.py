"""The delivery log: one JSON line per attempt in DATA/sns/deliveries.log, in the form of SNS's delivery status logs.

Bounded in size; no text of a message and no query or password of a URL is kept. Source: SNS Developer Guide, delivery status.
"""

import hashlib
import logging
from datetime import datetime
from logging.handlers import RotatingFileHandler
from pathlib import Path
from urllib.parse import urlsplit

import orjson

from apitrail.services.sns.envelope import timestamp
from apitrail.services.sns.verdicts import Verdict
from apitrail.store.resources import Doc

FILE_BYTES_MAX = 10 * 1024 * 1024
FILES = 3


class DeliveryLog:
    """Notes attempts. path: the file; its folder is made when it is missing."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._log = logging.Logger("apitrail.deliveries")
        self._file = RotatingFileHandler(path, maxBytes=FILE_BYTES_MAX, backupCount=FILES, delay=True)
        self._log.addHandler(self._file)

    def note(self, subscription: Doc, message: Doc, verdict: Verdict, attempts: int, now: datetime) -> None:
        """Note one attempt. attempts: how many there were with this one."""
        digest = hashlib.md5(message["Message"].encode(), usedforsecurity=False).hexdigest()
        notification = {
            "messageMD5Sum": digest,
            "messageId": message["MessageId"],
            "topicArn": message["TopicArn"],
            "timestamp": timestamp(message["At"]),
        }
        delivery = {
            "subscriptionArn": subscription["SubscriptionArn"],
            "destination": destination(subscription["Endpoint"]),
            "statusCode": verdict.status,
            "providerResponse": verdict.reason,
            "attempts": attempts,
            "dwellTimeMs": max(0, int((now - message["At"]).total_seconds() * 1000)),
        }
        line = {"time": timestamp(now), "notification": notification, "delivery": delivery, "status": verdict.outcome}
        self._log.info(orjson.dumps(line).decode())

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def destination(endpoint: str) -> str:
    """Return an endpoint without what may be secret in it: of a URL scheme, host and port."""
    if not endpoint.startswith(("http:", "https:")):
        return endpoint
    split = urlsplit(endpoint)
    return f"{split.scheme}://{split.netloc.rpartition('@')[2]}"
