"""Station 5 and 6: validate, authorise, change and record, in one transaction.

No record, no action: the body of the operation and the append of its event are one piece of work. If the event cannot be
committed, the change is undone and the caller gets 503.
"""

import logging
from collections.abc import Callable
from datetime import datetime
from typing import Any

from msgspec import Struct, field

from apitrail.errors import JournalUnavailable, ServiceError
from apitrail.events.build import RecordOptions, build_bytes
from apitrail.events.redact import hidden_names
from apitrail.gateway.effects import EffectRunner
from apitrail.identity.actions import SELF_DECIDED, action_of, further_needs, resource_of
from apitrail.identity.policy import denied_message, evaluate
from apitrail.identity.principal import Principal
from apitrail.identity.request_context import request_context
from apitrail.services.context import Context
from apitrail.services.operation import Operation, Service
from apitrail.services.runtime import Runtime
from apitrail.store import journal
from apitrail.store.database import Tx
from apitrail.telemetry import Metrics
from apitrail.wire.call import Call
from apitrail.wire.validate import validation_message, validator

log = logging.getLogger("apitrail.gateway")


class Outcome(Struct):
    """How a call ended. result: the output's members; error: what the caller must see instead."""

    result: dict[str, Any] = field(default_factory=dict)
    error: ServiceError | None = None


class Performer:
    """Performs decoded calls, whether they came over the network or from inside."""

    def __init__(
        self,
        runtime: Runtime,
        services: dict[str, Service],
        effects: EffectRunner,
        metrics: Metrics,
        key: bytes,
        on_commit: Callable[[Context | None], None],
    ) -> None:
        self._runtime = runtime
        self._services = services
        self._effects = effects
        self._metrics = metrics
        self._key = key
        self._on_commit = on_commit
        capture = runtime.settings.capture
        self._mode = capture.mode
        self._options = RecordOptions(show_game_data=capture.show_game_data, event_version=capture.event_version)

    async def perform(self, call: Call, principal: Principal, failure: ServiceError | None = None) -> Outcome:
        """Perform a call and record it; return after the commit.

        failure: why the request could not be decoded, if so; it is recorded. Raises: JournalUnavailable.
        """
        service = self._services[call.service]
        operation, prepared = None, None
        if failure is None:
            try:
                operation, prepared = await self._before(service, call, principal)
            except ServiceError as error:
                failure = error
            except JournalUnavailable:
                raise
            except Exception as bug:
                failure = own_mistake(call, bug)
        outcome, ctx = await self._commit(service, operation, call, principal, prepared, failure)
        self._on_commit(ctx)
        if ctx is not None and ctx.effects:
            await self._effects.run(ctx.effects)
        self._count(call, outcome)
        return outcome

    async def _before(self, service: Service, call: Call, principal: Principal) -> tuple[Operation, Any]:
        """Do everything that needs no transaction: is it served, valid, allowed; then its prepare step."""
        name = call.operation.name
        operation = service.operations.get(name)
        if operation is None:
            message = f"{name} is not served yet by this version; docs/reference/coverage.md lists what is."
            raise ServiceError(message, code="UnsupportedOperationException")
        if problems := validator(call.operation, hidden_names(service.rules))(call.params):
            raise ServiceError(validation_message(problems), code=_validation_code(service, name, problems[0]))
        self.authorise(service, call, principal)
        refused = None if service.refusal is None else service.refusal(call)
        if refused is not None:
            raise refused
        if operation.prepare is None:
            return operation, None
        return operation, await operation.prepare(self._runtime, call, principal)

    def authorise(self, service: Service, call: Call, principal: Principal) -> None:
        """Raise the service's denial unless the caller's policies allow the call."""
        name = call.operation.name
        if principal.kind == "Root" or name in service.unsigned or (call.service, name) in SELF_DECIDED:
            return
        context = request_context(call, self._runtime.clock.now())
        where = (call.service, call.operation.name, call.params, call.region, principal.account)
        action = action_of(call.service, call.operation.name, call.params)
        needs = [(action, resource_of(*where, caller=principal)), *further_needs(*where)]
        for action, resources in needs:
            decision = evaluate(principal, action, resources, context)
            if not decision.allowed:
                message = denied_message(principal, action, resources[0], decision)
                raise ServiceError(message, code=service.denied_code, status=service.denied_status)

    async def _commit(
        self,
        service: Service,
        operation: Operation | None,
        call: Call,
        principal: Principal,
        prepared: Any,
        failure: ServiceError | None,
    ) -> tuple[Outcome, Context | None]:
        def work(tx: Tx) -> tuple[Outcome, Context | None]:
            ctx = self.context(tx, principal.account, call.region, principal, call, prepared)
            outcome = Outcome(error=failure) if failure or operation is None else self._run(ctx, operation)
            self._record(ctx, service, call, principal, outcome)
            return outcome, ctx

        database = self._runtime.database
        try:
            return await database.write(work, durable=self._mode != "batch")
        except JournalUnavailable:
            if self._mode != "blocking" or call.operation.name not in service.free:
                raise
            self._metrics.dropped.labels("blocking").inc()
            return await database.read(lambda tx: self._unrecorded(tx, operation, call, principal, failure))

    def _unrecorded(
        self, tx: Tx, operation: Operation | None, call: Call, principal: Principal, failure: ServiceError | None
    ) -> tuple[Outcome, Context | None]:
        ctx = self.context(tx, principal.account, call.region, principal, call, None)
        return (Outcome(error=failure) if failure or operation is None else self._run(ctx, operation)), None

    def _run(self, ctx: Context, operation: Operation) -> Outcome:
        """Run the body; undo what it changed when it fails."""
        assert ctx.call is not None
        try:
            return Outcome(result=operation.body(ctx, ctx.call.params) or {})
        except ServiceError as error:
            outcome, effect = Outcome(error=error), error.effect
        except Exception as bug:
            if self._runtime.database.trouble(bug):
                raise
            outcome, effect = Outcome(error=own_mistake(ctx.call, bug)), None
        ctx.tx.undo()
        ctx.effects.clear()
        ctx.recipients.clear()
        if effect is not None:
            effect(ctx)
        return outcome

    def _record(self, ctx: Context, service: Service, call: Call, principal: Principal, outcome: Outcome) -> None:
        """Append the event, once per account that it concerns: the caller's, and those that own what was touched."""
        if service.owners is not None:
            ctx.recipients.extend(service.owners(ctx, outcome.result if outcome.error is None else None))
        accounts = dict.fromkeys((principal.account, *ctx.recipients))
        shared = ctx.ids.uuid() if len(accounts) > 1 else None
        data = call.operation.name in service.rules.data_operations
        category = journal.DATA if data else journal.MANAGEMENT
        region, at = service.rules.region_of(call.region), int(ctx.now.timestamp())
        for account in accounts:
            event = build_bytes(
                call,
                principal,
                service.rules,
                result=outcome.result,
                error=outcome.error,
                at=ctx.now,
                event_id=ctx.ids.uuid(),
                options=self._options,
                additional=ctx.additional,
                recipient=account,
                shared_event_id=shared,
            )
            journal.append(ctx.tx, account, region, category, at, event)

    def context(
        self,
        tx: Tx,
        account: str,
        region: str,
        principal: Principal | None = None,
        call: Call | None = None,
        prepared: Any = None,
    ) -> Context:
        """Return what a body has at hand, now."""
        now: datetime = self._runtime.clock.now()
        return Context(
            tx=tx,
            account=account,
            region=region,
            now=now,
            ids=self._runtime.ids,
            settings=self._runtime.settings,
            key=self._key,
            principal=principal,
            call=call,
            prepared=prepared,
        )

    def _count(self, call: Call, outcome: Outcome) -> None:
        kind = "success" if outcome.error is None else "failure"
        self._metrics.requests_of(call.service, call.operation.name, kind).inc()
        data = call.operation.name in self._services[call.service].rules.data_operations
        self._metrics.recorded_of("data" if data else "management").inc()


def own_mistake(call: Call, bug: Exception) -> ServiceError:
    """Return what the caller sees of a bug: where to look it up, nothing of the bug itself."""
    log.error("%s:%s failed (request %s)", call.service, call.operation.name, call.request_id, exc_info=bug)
    message = f"An internal error occurred; the server's log has it under request {call.request_id}."
    return ServiceError(message, code="InternalFailure", status=500)


def _validation_code(service: Service, operation: str, problem: str) -> str:
    """Return the error code for the first problem, which names its member as `at 'maxResults'`."""
    member = problem.partition(" at '")[2].partition("'")[0].partition(".")[0]
    return service.validation_codes.get(f"{operation}.{member}", service.validation_code)
