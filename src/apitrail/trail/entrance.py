"""What is asked before a file of a trail is put: does the bucket let it in now. Whoever owns the policies gives the answer."""

from collections.abc import Callable

from apitrail.store.database import Tx

Check = Callable[[Tx, str, str, str], None]
"""Takes a transaction, a trail's ARN, bucket and key. Raises: SinkError with the store's code, as a put would."""


def lets_in(tx: Tx, trail: str, bucket: str, key: str) -> None:
    """Let every file in: for stores that look at their policies themselves."""
