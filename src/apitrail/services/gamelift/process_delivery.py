"""Brings messages to connected processes, and keeps those for processes that are away until they come back.

A message is written to a connection once: there is no acknowledgement, and a game must not be told twice to start a session. One
that was never written to the connection it was for, because that broke, is sent on the process's next one; one that was
written, but not read, is covered by the deadline that goes with it. Source: server SDK 5.
"""

import orjson

from apitrail.services.context import Context
from apitrail.services.gamelift.collections import PARKED_MESSAGES, PROCESSES
from apitrail.services.gamelift.process_messages import ANNOUNCED, GONE_ANNOUNCED
from apitrail.services.links import PeerKey
from apitrail.services.operation import Deed, observer
from apitrail.services.runtime import Runtime
from apitrail.store.resources import Doc

PARKED_MAX = 100
"""Messages kept for one process; older ones make room."""


@observer(ANNOUNCED)
async def deliver(runtime: Runtime, deed: Deed) -> None:
    """Send a message to its process, or keep it until the process connects."""
    key = PeerKey(deed.account, deed.region, deed.doc["ProcessId"])
    await bring(runtime, key, orjson.dumps(deed.doc["Message"]).decode())


async def bring(runtime: Runtime, key: PeerKey, text: str) -> None:
    """Send a message on the newest connection of its process, or keep it until there is one. Raises: JournalUnavailable."""
    if runtime.links.tell(key, text):
        return
    await runtime.write(key.account, key.region, lambda ctx: park(ctx, key.peer_id, text))
    if runtime.links.find(key) is not None:  # it has connected meanwhile
        for kept in await runtime.write(key.account, key.region, lambda ctx: take_parked(ctx, key.peer_id)):
            runtime.links.tell(key, kept)


@observer(GONE_ANNOUNCED)
async def disconnect(runtime: Runtime, deed: Deed) -> None:
    """Close the connections of a process that is gone, and forget what was kept for it."""
    key = PeerKey(deed.account, deed.region, deed.doc["ProcessId"])
    runtime.links.end(key)
    if await runtime.database.read(lambda tx: PARKED_MESSAGES.at(tx, *key[:2]).count("ProcessId", key.peer_id)):
        await runtime.write(key.account, key.region, lambda ctx: take_parked(ctx, key.peer_id))


def park(ctx: Context, process_id: str, text: str) -> None:
    """Keep a message for a process that is not connected, unless it is gone."""
    if not PROCESSES(ctx).has(process_id):
        return
    parked = PARKED_MESSAGES(ctx)
    for entry in parked.find("ProcessId", process_id, newest_first=True)[PARKED_MAX - 1 :]:
        parked.delete(entry.id)
    doc: Doc = {"ProcessId": process_id, "Text": text}
    parked.put(ctx.ids.uuid(), doc)


def take_parked(ctx: Context, process_id: str) -> list[str]:
    """Return the messages that were kept for a process, oldest first, and forget them."""
    entries = PARKED_MESSAGES(ctx).find("ProcessId", process_id)
    for entry in entries:
        PARKED_MESSAGES(ctx).delete(entry.id)
    return [entry.doc["Text"] for entry in entries]
