"""Receipt handles: which message was received, and which reception it was. Opaque to callers."""

import base64
import binascii
from typing import NamedTuple

from apitrail.services.sqs.errors import ReceiptHandleIsInvalid
from apitrail.store.database import Tx

RECEIPT_LENGTH = 24
HANDLE_MAX = 200


class Held(NamedTuple):
    """A message in the hands of a receiver. visible_at: epoch seconds."""

    id: int
    visible_at: float


def handle_of(id: int, receipt: str) -> str:
    """Return the handle of a reception."""
    return base64.urlsafe_b64encode(f"{id}:{receipt}".encode()).decode()


def held_message(tx: Tx, queue_arn: str, handle: str) -> Held | None:
    """Return the message of a handle, or None when it is gone or was received again since. Raises: ReceiptHandleIsInvalid."""
    id_, receipt = _read(handle)
    row = tx.one(
        "SELECT id, visible_at FROM queue_messages WHERE id = ? AND queue = ? AND receipt = ?",
        (id_, queue_arn, receipt),
    )
    return Held(*row) if row else None


def _read(handle: str) -> tuple[int, str]:
    wrong = ReceiptHandleIsInvalid(f'The input receipt handle "{handle[:HANDLE_MAX]}" is not a valid receipt handle.')
    if len(handle) > HANDLE_MAX:
        raise wrong
    try:
        number, _, receipt = base64.urlsafe_b64decode(handle.encode("ascii")).decode("ascii").partition(":")
    except (binascii.Error, ValueError):
        raise wrong from None
    if not number.isdigit() or len(number) > 18 or len(receipt) != RECEIPT_LENGTH:
        raise wrong
    return int(number), receipt
