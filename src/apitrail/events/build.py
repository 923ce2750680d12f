"""From a call and its outcome to the event. No time and no chance is taken here: both are handed in.

Sources: CloudTrail User Guide (record contents, userIdentity), the GameLift record in its developer guide.
"""

from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any

from apitrail.errors import ServiceError
from apitrail.events.casing import Caser, caser
from apitrail.events.limits import RESOURCE_COUNT_MAX, cut_text, fit
from apitrail.events.record import COMPATIBLE_VERSION, EVENT_VERSION, Event, EventVersion, event_time
from apitrail.events.rules import RecordRules, Resource
from apitrail.identity.principal import Principal
from apitrail.identity.user_identity import user_identity
from apitrail.wire.call import Call
from apitrail.wire.models import OperationModel

API_CALL = "AwsApiCall"
EMPTY_AGENT = "[]"
DENIALS = ("AccessDenied", "AuthorizationError", "UnauthorizedOperation", "Client.UnauthorizedOperation")


@dataclass(frozen=True, slots=True)
class RecordOptions:
    """What an operator may choose. show_game_data: write players' and developers' free text as it is.

    event_version: "1.04" writes management events with the fields of the GameLift developer guide's records only.
    """

    show_game_data: bool = False
    event_version: EventVersion = EVENT_VERSION


DEFAULT_OPTIONS = RecordOptions()


@dataclass(frozen=True, slots=True)
class _Plan:
    """What is the same for every call of one operation."""

    name: str
    read_only: bool
    answers: bool
    data: bool
    case_params: Caser
    case_result: Caser


@lru_cache(maxsize=4096)
def _plan(operation: OperationModel, rules: RecordRules, show_game_data: bool) -> _Plan:
    name = operation.name
    read_only = rules.reads_only(name)
    return _Plan(
        name=name,
        read_only=read_only,
        answers=not read_only or name in rules.answers_in_reads,
        data=name in rules.data_operations,
        case_params=caser(operation, "input", rules, show_game_data),
        case_result=caser(operation, "output", rules, show_game_data),
    )


def build_bytes(
    call: Call,
    principal: Principal,
    rules: RecordRules,
    *,
    result: dict[str, Any] | None,
    error: ServiceError | None,
    at: datetime,
    event_id: str,
    options: RecordOptions = DEFAULT_OPTIONS,
    additional: dict[str, Any] | None = None,
    recipient: str | None = None,
    shared_event_id: str | None = None,
) -> bytes:
    """Return the event of build_event as JSON, within the size limits of a record (at most 256 KB)."""
    event = build_event(
        call,
        principal,
        rules,
        result=result,
        error=error,
        at=at,
        event_id=event_id,
        options=options,
        additional=additional,
        recipient=recipient,
        shared_event_id=shared_event_id,
    )
    return fit(event)


def build_event(
    call: Call,
    principal: Principal,
    rules: RecordRules,
    *,
    result: dict[str, Any] | None,
    error: ServiceError | None,
    at: datetime,
    event_id: str,
    options: RecordOptions = DEFAULT_OPTIONS,
    additional: dict[str, Any] | None = None,
    recipient: str | None = None,
    shared_event_id: str | None = None,
) -> Event:
    """Return the event of one call, its fields in record order; objects are not yet held to their size limits.

    result: the output by model names, None for a failed call. error: what the caller was answered instead.
    at: when the call was completed. event_id: a UUID. recipient: the account that gets this copy, if not the
    caller's; its copy names the caller as a foreign account. shared_event_id: the same for all copies of one call.
    additional: additionalEventData.
    """
    plan = _plan(call.operation, rules, options.show_game_data)
    account = recipient or principal.account
    compatible = options.event_version == COMPATIBLE_VERSION
    event: Event = {
        "eventVersion": options.event_version,
        "userIdentity": user_identity(principal, cross_account=account != principal.account),
        "eventTime": event_time(at),
        "eventSource": rules.event_source,
        "eventName": plan.name,
        "awsRegion": rules.region_of(call.region),
    }
    _add_origin(event, call, principal, compatible)
    _add_outcome(event, call, rules, plan, result, error)
    if additional:
        event["additionalEventData"] = additional
    event["requestID"] = cut_text(call.request_id)
    event["eventID"] = event_id
    if plan.data or not compatible:
        _add_kind(event, call, rules, plan, result, account, is_copy=account != principal.account)
    else:
        event["eventType"] = API_CALL
    event["recipientAccountId"] = account
    if shared_event_id:
        event["sharedEventID"] = shared_event_id
    if not compatible:
        event["eventCategory"] = "Data" if plan.data else "Management"
        _add_tls(event, call, principal)
    return event


def _add_origin(event: Event, call: Call, principal: Principal, compatible: bool) -> None:
    if principal.invoked_by:
        event["sourceIPAddress"] = event["userAgent"] = principal.invoked_by
        return
    event["sourceIPAddress"] = call.source_ip
    if call.user_agent:
        event["userAgent"] = cut_text(call.user_agent)
    elif compatible:
        event["userAgent"] = EMPTY_AGENT


def _add_outcome(
    event: Event,
    call: Call,
    rules: RecordRules,
    plan: _Plan,
    result: dict[str, Any] | None,
    error: ServiceError | None,
) -> None:
    if error is not None:
        event["errorCode"] = cut_text(error.error_code.rpartition("#")[2])
        if error.message:
            event["errorMessage"] = cut_text(error.message)
    params = plan.case_params(call.params) if call.params else None
    if rules.request_extras is not None:
        params = {**(params or {}), **rules.request_extras(call)} or None
    event["requestParameters"] = params
    event["responseElements"] = plan.case_result(result) if result and plan.answers and error is None else None


def _add_kind(
    event: Event,
    call: Call,
    rules: RecordRules,
    plan: _Plan,
    result: dict[str, Any] | None,
    account: str,
    *,
    is_copy: bool,
) -> None:
    """Add what kind of event it is, and its resources as the account that gets it may see them."""
    event["readOnly"] = plan.read_only
    failed = "errorCode" in event
    if rules.resources is not None:
        found = rules.resources(account, event["awsRegion"], call.params, None if failed else result)
        resources = found[:RESOURCE_COUNT_MAX]
        if plan.data and failed and not is_copy and event["errorCode"].startswith(DENIALS):
            resources = [_without_foreign_account(item, account) for item in resources]
        if resources:
            event["resources"] = resources
    event["eventType"] = API_CALL
    event["managementEvent"] = not plan.data


def _without_foreign_account(resource: Resource, account: str) -> Resource:
    """Return a resource whose owner a denied caller must not learn. Source: CloudTrail User Guide, resources."""
    foreign = resource.get("accountId", account) != account
    return {**resource, "accountId": ""} if foreign else resource


def _add_tls(event: Event, call: Call, principal: Principal) -> None:
    if call.tls is None or principal.invoked_by:
        return
    facts = {
        "tlsVersion": call.tls.version,
        "cipherSuite": call.tls.cipher_suite,
        "clientProvidedHostHeader": cut_text(call.host),
    }
    event["tlsDetails"] = {name: fact for name, fact in facts.items() if fact}
