"""What AWS services announce: published as the service, by the topic's policy, and never an event of any trail."""

from collections.abc import Callable, Sequence

from apitrail.arn import parse_arn
from apitrail.services.context import Context
from apitrail.services.runtime import Runtime
from apitrail.services.sns.subscribers import new_message, publish
from apitrail.services.topics import service_may_publish, topic_at
from apitrail.store.database import Tx

Done = Callable[[Tx], None]


async def publish_for_service(
    runtime: Runtime, service: str, topic: str, source: str, texts: Sequence[str], done: Done
) -> str:
    """Publish texts into a topic as an AWS service, and run done in the same transaction; return an empty text, or why not.

    service: DNS name. topic, source: ARNs, of the topic and of the resource that the texts are about. The reason is the error
    code of SNS; nothing has happened then, and done was not run.
    """
    topic_parts, source_parts = parse_arn(topic), parse_arn(source)
    assert source_parts is not None
    if topic_parts is None:
        return "NotFound"

    def work(ctx: Context) -> str:
        found = topic_at(ctx.tx, topic)
        if found is None:
            return "NotFound"
        if not service_may_publish(ctx, service, found, source, source_parts.account):
            return "AuthorizationError"
        for text in texts:
            publish(ctx, new_message(ctx, topic, text))
        done(ctx.tx)
        return ""

    return await runtime.write(topic_parts.account, topic_parts.region, work)
