"""What trails announce: published as cloudtrail.amazonaws.com, by the topic's policy, and never an event of any trail."""

from collections.abc import Callable, Sequence

from apitrail.arn import parse_arn
from apitrail.services.context import Context
from apitrail.services.runtime import Runtime
from apitrail.services.sns.subscribers import new_message, publish
from apitrail.services.topics import topic_at, trail_may_publish
from apitrail.store.database import Tx

Done = Callable[[Tx], None]


async def publish_for_trail(runtime: Runtime, topic: str, trail: str, texts: Sequence[str], done: Done) -> str:
    """Publish texts into a topic for a trail, and run done in the same transaction; return an empty text, or why not.

    topic, trail: ARNs. The reason is the error code of SNS; nothing has happened then, and done was not run.
    """
    topic_parts, trail_parts = parse_arn(topic), parse_arn(trail)
    assert topic_parts is not None
    assert trail_parts is not None

    def work(ctx: Context) -> str:
        found = topic_at(ctx.tx, topic)
        if found is None:
            return "NotFound"
        if not trail_may_publish(ctx, found, trail, trail_parts.account):
            return "AuthorizationError"
        for text in texts:
            publish(ctx, new_message(ctx, topic, text))
        done(ctx.tx)
        return ""

    return await runtime.write(topic_parts.account, topic_parts.region, work)
