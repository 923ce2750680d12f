"""How a service says what it does: operations, timers, effects and observers, registered by decorators.

An operation is a function with the operation's name in snake case, `create_fleet` for CreateFleet:

    @operation
    def create_fleet(ctx: Context, params: "CreateFleetInputTypeDef") -> dict[str, Any]:

- `params` is already valid against the model (required members, types, lengths, ranges, patterns, enums).
- The body runs inside the transaction: no network, no file, no sleep. It returns the output's members by model name;
  private extras (names with a leading underscore) are dropped on the way out and from the record. `_Status` is the HTTP status of
  an answer of S3 that has another one than the model says.
- It raises ServiceError subclasses; then everything it wrote is undone and the failure is recorded.
- What must read or upload before is `prepare(runtime, call, principal)`, given as `@operation(prepare=...)`; its result is
  `ctx.prepared`. A prepare step may call other services with `runtime.call`. What must happen outside afterwards is
  `ctx.effect(kind, doc)`, a row that is drained by the function registered under that kind with `@effect`; the answer
  waits for the effects of its own call. What is due later is `ctx.schedule(kind, doc, after_s)`, run by `@timer`.

The package of the function (`apitrail.services.<service>.<family>`) tells the service.
"""

from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, overload

from apitrail.errors import ServiceError
from apitrail.events.rules import RecordRules
from apitrail.identity.principal import Principal
from apitrail.services.context import Context
from apitrail.services.runtime import Runtime
from apitrail.store.resources import Doc
from apitrail.wire.call import Call
from apitrail.wire.models import snake_names

Body = Callable[[Context, Any], dict[str, Any] | None]
Prepare = Callable[[Runtime, Call, Principal], Awaitable[Any]]
TimerBody = Callable[[Context, Doc], None]
EffectBody = Callable[[Runtime, "Deed"], Awaitable[None]]
Observer = Callable[[Runtime, "Deed"], Awaitable[None]]
Refusal = Callable[[Call], ServiceError | None]
Owners = Callable[[Context, dict[str, Any] | None], Iterable[str]]


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation of a service. name: as in the model."""

    service: str
    name: str
    body: Body
    prepare: Prepare | None = None


@dataclass(frozen=True, slots=True)
class Deed:
    """Something to be done outside. kind: its name. doc: as given to ctx.effect or announce."""

    kind: str
    account: str
    region: str
    doc: Doc


@dataclass(frozen=True, slots=True)
class Service:
    """A served API.

    name: botocore's name of the model. rules: how its calls are recorded. unsigned: operations that are
    called without a signature by design. free: operations that change nothing and hand out no credentials, so that they
    may pass unrecorded in capture mode `blocking`. validation_code: the error for parameters that break the model;
    validation_codes: others for single members (`LookupEvents.maxResults`).
    denied_code: the error when policies refuse; denied_status its HTTP status.
    owners: accounts that own what a call touched, whether it succeeded or not, from its context and its result (None for a
    failed call); each gets a copy of the record. For services where the bodies do not say it themselves, `ctx.also_record`.
    refusal: what a call that the caller may make ends in all the same, by where it was sent; None: nothing.
    """

    name: str
    rules: RecordRules
    unsigned: frozenset[str] = frozenset()
    free: frozenset[str] = frozenset()
    validation_code: str = "ValidationException"
    validation_codes: Mapping[str, str] = field(default_factory=dict)
    denied_code: str = "AccessDeniedException"
    denied_status: int = 400
    owners: Owners | None = None
    refusal: Refusal | None = None

    @property
    def operations(self) -> dict[str, Operation]:
        """The operations that are served, by model name."""
        return OPERATIONS.setdefault(self.name, {})


OPERATIONS: dict[str, dict[str, Operation]] = {}
TIMERS: dict[str, TimerBody] = {}
EFFECTS: dict[str, EffectBody] = {}
OBSERVERS: dict[str, list[Observer]] = {}


def _service_of(function: Callable[..., Any]) -> str:
    return function.__module__.split(".")[2].replace("_", "-")


@overload
def operation(body: Body) -> Body: ...
@overload
def operation(*, prepare: Prepare) -> Callable[[Body], Body]: ...
def operation(body: Body | None = None, *, prepare: Prepare | None = None) -> Body | Callable[[Body], Body]:
    """Register the body of an operation; its function name is the operation's name in snake case."""

    def register(body: Body) -> Body:
        service = _service_of(body)
        name = snake_names(service)[body.__name__.rstrip("_")]
        known = OPERATIONS.setdefault(service, {})
        assert name not in known, f"{service}:{name} is registered twice"
        known[name] = Operation(service, name, body, prepare)
        return body

    return register if body is None else register(body)


def timer(kind: str) -> Callable[[TimerBody], TimerBody]:
    """Register what a timer of this kind does, in a transaction of its own."""

    def register(body: TimerBody) -> TimerBody:
        assert kind not in TIMERS, f"timer {kind} is registered twice"
        TIMERS[kind] = body
        return body

    return register


def effect(kind: str) -> Callable[[EffectBody], EffectBody]:
    """Register what an effect of this kind does; it is repeated until it returns, so it must be idempotent."""

    def register(body: EffectBody) -> EffectBody:
        assert kind not in EFFECTS, f"effect {kind} is registered twice"
        EFFECTS[kind] = body
        return body

    return register


def observer(kind: str) -> Callable[[Observer], Observer]:
    """Register someone who wants to know when this is announced, e.g. `object-created` by the S3 service."""

    def register(body: Observer) -> Observer:
        OBSERVERS.setdefault(kind, []).append(body)
        return body

    return register


async def announce(runtime: Runtime, deed: Deed) -> None:
    """Tell every observer, one after another; called from effects, so it is repeated after a crash."""
    for body in OBSERVERS.get(deed.kind, ()):
        await body(runtime, deed)
