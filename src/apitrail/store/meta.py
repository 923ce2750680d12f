"""Small values of the store: its keys, versions and counters."""

from apitrail.ids import Ids
from apitrail.store.database import Tx

KEY_BYTES = 32


def read_meta(tx: Tx, name: str) -> bytes | None:
    """Return a value, or None."""
    row = tx.one("SELECT value FROM meta WHERE name = ?", (name,))
    return row[0] if row else None


def write_meta(tx: Tx, name: str, value: bytes) -> None:
    """Store a value."""
    tx.run(
        "INSERT INTO meta VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value",
        (name, value),
    )


def store_key(tx: Tx, name: str, ids: Ids) -> bytes:
    """Return a secret key of this store (32 bytes), made the first time it is asked for."""
    key = read_meta(tx, f"key/{name}")
    if key is None:
        key = ids.raw(KEY_BYTES)
        write_meta(tx, f"key/{name}", key)
    return key
