"""The stations of a call, in order: route, authenticate, decode, perform and record, reply.

Nothing flows back. What fails before a caller is known is a metric and a line of the security log; from then on every
call becomes an event, whatever its answer.
"""

from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from apitrail.errors import JournalUnavailable, ServiceError
from apitrail.gateway.perform import Performer, own_mistake
from apitrail.gateway.security import SecurityLog
from apitrail.identity.credentials import Credentials
from apitrail.identity.principal import Principal
from apitrail.identity.sigv4 import Authenticated, authenticate
from apitrail.services.operation import Service
from apitrail.services.runtime import Runtime
from apitrail.telemetry import Metrics
from apitrail.wire.call import Call
from apitrail.wire.hosts import bucket_of_host
from apitrail.wire.http import HttpRequest, HttpResponse
from apitrail.wire.route import Route, Router
from apitrail.wire.scope import Scope, find_scope

NOBODY = "000000000000"
DEFAULT_REGION = "us-east-1"


class Arrival(Struct, frozen=True):
    """A request at the door. failure: why its signature cannot be read. caller: set when known before the body."""

    request: HttpRequest
    request_id: str
    scope: Scope | None = None
    caller: Authenticated | None = None
    failure: ServiceError | None = None

    @property
    def is_upload(self) -> bool:
        """Whether the body may be an object of S3, which is taken in by pieces."""
        if self.request.method not in ("PUT", "POST"):
            return False
        if self.scope is not None:
            return self.scope.service == "s3"
        return self.request.method == "PUT"

    def with_request(self, request: HttpRequest) -> "Arrival":
        """Return the same arrival with its body."""
        return replace(self, request=request)


class Pipeline:
    """Takes a request with its whole body and returns the answer.

    services: what is served, by name. unrecorded failures go to the security log.
    """

    def __init__(
        self,
        runtime: Runtime,
        router: Router,
        credentials: Credentials,
        services: dict[str, Service],
        performer: Performer,
        metrics: Metrics,
        security: SecurityLog,
    ) -> None:
        self._runtime = runtime
        self._router = router
        self._credentials = credentials
        self._services = services
        self._performer = performer
        self._metrics = metrics
        self._security = security

    def arrive(self, request: HttpRequest) -> "Arrival":
        """Return what the head of a request tells; its body may still be missing."""
        request_id = self._runtime.ids.uuid()
        try:
            scope = find_scope(request)
        except ServiceError as error:
            return Arrival(request, request_id, None, None, error)
        return Arrival(request, request_id, scope)

    async def __call__(self, arrival: "Arrival") -> HttpResponse:
        """Answer one request that has its whole body."""
        route = self._router.find_route(arrival.request, arrival.scope)
        try:
            if arrival.failure is not None:
                raise arrival.failure
            caller = arrival.caller or self._authenticate(arrival, route)
        except ServiceError as error:
            return self._refused(arrival, route, error)
        if route.operation is None or route.service not in self._services:
            return _encode_error(route, self._unknown(route), arrival.request_id)
        call, failure = self._decode(arrival, route, caller)
        return await self._answer(route, call, caller, failure)

    def authenticate(self, arrival: "Arrival", *, body_sha256: str) -> "Arrival":
        """Establish the caller from the head alone, before the body is read. Raises: AuthenticationError."""
        if arrival.failure is not None:
            raise arrival.failure
        route = self._router.find_route(arrival.request, arrival.scope)
        return replace(arrival, caller=self._authenticate(arrival, route, body_sha256))

    def refuse(self, arrival: "Arrival", error: ServiceError) -> HttpResponse:
        """Answer a request whose body could not be taken in."""
        route = self._router.find_route(arrival.request, arrival.scope)
        return self._refused(arrival, route, error)

    def _refused(self, arrival: "Arrival", route: Route, error: ServiceError) -> HttpResponse:
        self._security.refused(arrival.request, route, arrival.scope, error)
        return _encode_error(route, error, arrival.request_id)

    def _authenticate(self, arrival: "Arrival", route: Route, body_sha256: str | None = None) -> Authenticated:
        service = self._services.get(route.service or "")
        unsigned = service.unsigned if service else ()
        if arrival.scope is None and route.operation is not None and route.operation.name in unsigned:
            return _anonymous(route)
        return authenticate(
            arrival.request,
            arrival.scope,
            self._credentials,
            self._runtime.clock.now(),
            permissive=self._runtime.settings.auth.mode == "permissive",
            body_sha256=body_sha256,
            virtual_bucket=self._virtual_bucket(arrival),
        )

    def _virtual_bucket(self, arrival: "Arrival") -> str:
        """Return the bucket that the Host header names; only a URL of the older signature version needs it."""
        if arrival.scope is not None:
            return ""
        suffixes = self._runtime.settings.server.virtual_host_suffixes
        return bucket_of_host(arrival.request.header("host") or "", suffixes)

    def _unknown(self, route: Route) -> ServiceError:
        self._metrics.requests.labels(route.service or "unknown", "unknown", "unknown").inc()
        what = route.unknown or "this request"
        if route.service is None or route.service not in self._services:
            served = ", ".join(sorted(self._services))
            return ServiceError(
                f"{what} is of no service that is served here ({served}).", code="UnknownOperationException"
            )
        return ServiceError(f"{what} is not an operation of {route.service}.", code="UnknownOperationException")

    def _decode(self, arrival: "Arrival", route: Route, caller: Authenticated) -> tuple[Call, ServiceError | None]:
        request = arrival.request
        assert route.service is not None
        assert route.operation is not None
        params: dict[str, Any] = {}
        failure: ServiceError | None = None
        try:
            params = route.codec.decode(request, route.operation)
        except ServiceError as error:
            failure = error
        call = Call(
            service=route.service,
            operation=route.operation,
            params=params,
            region=caller.region or DEFAULT_REGION,
            request_id=arrival.request_id,
            source_ip=request.peer,
            user_agent=request.header("user-agent") or request.header("x-amz-user-agent") or "",
            host=request.header("host") or "",
            tls=request.tls,
            staged=request.staged,
            invocation_id=request.header("amz-sdk-invocation-id") or "",
        )
        return call, failure

    async def _answer(
        self, route: Route, call: Call, caller: Authenticated, failure: ServiceError | None
    ) -> HttpResponse:
        try:
            outcome = await self._performer.perform(call, caller.principal, failure)
        except JournalUnavailable as error:
            self._metrics.requests.labels(call.service, call.operation.name, "unrecorded").inc()
            refusal = ServiceError(
                f"Nothing was done: the call cannot be recorded ({error.reason}).",
                code="ServiceUnavailable",
                status=503,
            )
            return _encode_error(route, refusal, call.request_id)
        except Exception as bug:  # in the recording itself, so there is no record
            return _encode_error(route, own_mistake(call, bug), call.request_id)
        if outcome.error is not None:
            return _encode_error(route, outcome.error, call.request_id)
        assert route.operation is not None
        return route.codec.encode(outcome.result, route.operation, call.request_id)


def _encode_error(route: Route, error: ServiceError, request_id: str) -> HttpResponse:
    return route.codec.encode_error(error, route.service, route.operation, request_id)


def _anonymous(route: Route) -> Authenticated:
    """Return the caller of an operation that is unsigned by design."""
    principal = Principal("AWSAccount", NOBODY, "", "")
    return Authenticated(
        principal=principal,
        region=DEFAULT_REGION,
        service=route.service or "",
        access_key="",
        credential=None,
        signing_key=b"",
        scope=None,
    )
