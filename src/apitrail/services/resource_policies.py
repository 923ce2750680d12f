"""Policies of topics and queues: what they allow to callers and to AWS services, beside the caller's own policies.

Source: IAM User Guide, "Policy evaluation logic"; SNS and SQS Developer Guides on access policies.
"""

from typing import Any

import orjson

from apitrail.identity.policy import Decision, evaluate
from apitrail.identity.policy_document import MalformedPolicyDocument, validate_policy_document
from apitrail.identity.principal import Principal
from apitrail.identity.request_context import request_context
from apitrail.identity.statements import listed
from apitrail.services.context import Context
from apitrail.services.identities import read_document

VERSION = "2012-10-17"


def decide(
    ctx: Context, action: str, arn: str, owner: str, policy: str, facts: dict[str, Any] | None = None
) -> Decision:
    """Return whether the caller of ctx may do this to a resource. policy: the resource's text, or empty.

    facts: further condition keys of the request.
    """
    assert ctx.principal is not None
    assert ctx.call is not None
    context = {**request_context(ctx.call, ctx.now), **(facts or {})}
    document = read_document(policy) if policy else None
    return evaluate(ctx.principal, action, [arn], context, document, resource_account=owner)


def service_may(ctx: Context, service: str, account: str, source_arn: str, action: str, arn: str, policy: str) -> bool:
    """Return whether a policy lets an AWS service do something for a resource of an account.

    service: DNS name, `cloudtrail.amazonaws.com`. source_arn: the trail or topic that it acts for.
    """
    if not policy:
        return False
    caller = Principal("AWSService", account, "", service, invoked_by=service)
    context = {"aws:CurrentTime": ctx.now, "aws:SourceArn": source_arn, "aws:SourceAccount": account}
    return evaluate(caller, action, [arn], context, read_document(policy)).allowed


def checked_policy(text: str) -> str:
    """Return a policy's text if it can be a resource's. Raises: MalformedPolicyDocument."""
    validate_policy_document(text, "resource")
    return text


def with_statement(policy: str, label: str, accounts: list[str], actions: list[str], arn: str) -> str:
    """Return a policy with one more statement, which lets accounts do something.

    Raises: MalformedPolicyDocument, also for a label that is there already.
    """
    document: dict[str, Any] = orjson.loads(policy) if policy else {"Version": VERSION, "Statement": []}
    statements = listed(document["Statement"])
    if any(statement.get("Sid") == label for statement in statements):
        raise MalformedPolicyDocument("Statement already exists")
    added = {
        "Sid": label,
        "Effect": "Allow",
        "Principal": {"AWS": [f"arn:aws:iam::{account}:root" for account in accounts]},
        "Action": actions,
        "Resource": arn,
    }
    return checked_policy(orjson.dumps({**document, "Statement": [*statements, added]}).decode())


def without_statement(policy: str, label: str) -> str | None:
    """Return a policy without the statement of a label, an empty text when none is left; None when there is no such one."""
    document = orjson.loads(policy) if policy else {"Statement": []}
    statements = listed(document["Statement"])
    left = [statement for statement in statements if statement.get("Sid") != label]
    if len(left) == len(statements):
        return None
    return orjson.dumps({**document, "Statement": left}).decode() if left else ""
