"""Which service, operation and protocol a request asks for.

Source: spec wire.md sections 1 and 6; the API models' metadata for signing names, targets and versions.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from urllib.parse import unquote_to_bytes

from apitrail.wire.codec import CODECS, Codec
from apitrail.wire.form import parse_pairs
from apitrail.wire.hosts import VIRTUAL_HOST_SUFFIXES, bucket_of_host
from apitrail.wire.http import HttpRequest
from apitrail.wire.json11 import JsonCodec
from apitrail.wire.models import OperationModel, protocols_of, service_model, target_prefix
from apitrail.wire.resttable import rest_table
from apitrail.wire.restxml import RestXmlCodec, full_path
from apitrail.wire.scope import Scope
from apitrail.wire.values import Malformed

UNKNOWN_MAX = 200
REMEMBERED_CHARS_MAX = 300
"""Characters of a target and content type whose route is remembered."""

PREFERENCE = ("json", "rest-json", "rest-xml", "smithy-rpc-v2-cbor", "query", "ec2")
REST = ("rest-json", "rest-xml")
FORMS = ("query", "ec2")
S3_NAMES = frozenset({"s3", "s3express", "s3-object-lambda", "s3-outposts"})
JSON_CODECS = {version: JsonCodec(version) for version in ("1.0", "1.1")}
# What to answer in when only the content type of a request gives its protocol away.
MEDIA_TYPES = {
    "application/x-amz-json-1.0": "json",
    "application/x-amz-json-1.1": "json",
    "application/cbor": "smithy-rpc-v2-cbor",
    "application/x-www-form-urlencoded": "query",
    "application/json": "rest-json",
    "application/xml": "rest-xml",
}

_CBOR_PATH = re.compile(rb"(?:/[^?]*)?/service/([A-Za-z0-9_.]{1,200})/operation/([A-Za-z0-9_]{1,200})")
_ACTION = re.compile(rb"(?:^|&)Action=([A-Za-z0-9]{1,128})(?:&|$)")
_VERSION = re.compile(rb"(?:^|&)Version=([0-9-]{10})(?:&|$)")
_ANY_ACTION = re.compile(rb"(?:^|&)Action=([^&]*)")
_UNPRINTABLE = re.compile(r"[^ -~]")


@dataclass(frozen=True, slots=True)
class Route:
    """Where a request goes. service: botocore's name, None where it is not served. codec: for all answers to it.

    unknown: what was asked for when there is no operation (its name, or method and path), at most 200 characters.
    """

    service: str | None
    operation: OperationModel | None
    codec: Codec
    unknown: str = ""


class Router:
    """Finds routes among the given services (botocore's names).

    virtual_host_suffixes: hosts below which the first labels are a bucket (`bucket.localhost`).
    """

    def __init__(self, services: Sequence[str], virtual_host_suffixes: tuple[str, ...] = VIRTUAL_HOST_SUFFIXES) -> None:
        self._suffixes = virtual_host_suffixes
        self._json_routes = lru_cache(maxsize=1024)(self._find_json)
        self._by_target = {target_prefix(name): name for name in services if target_prefix(name)}
        self._by_signing: dict[str, list[str]] = {}
        self._operations: dict[str, frozenset[str]] = {}
        self._by_action: dict[tuple[str, str], str] = {}
        for name in services:
            model = service_model(name)
            self._by_signing.setdefault(signing_name(name), []).append(name)
            self._operations[name] = frozenset(model.operation_names)
            if protocol_of(name, FORMS):
                actions = {(model.metadata["apiVersion"], action): name for action in model.operation_names}
                self._by_action = actions | self._by_action
        self._speakers: dict[tuple[str, tuple[str, ...]], str | None] = {
            (signing, protocols): next((name for name in names if protocol_of(name, protocols)), None)
            for signing, names in self._by_signing.items()
            for protocols in (REST, FORMS, PREFERENCE)
        }

    def find_route(self, request: HttpRequest, scope: Scope | None) -> Route:
        """Return where a request goes; never raises. What is not known is a route without operation."""
        cbor = self._cbor(request, scope)
        if cbor is not None:
            return cbor
        target = request.header("x-amz-target")
        if target is not None:
            return self._json(request, target, scope)
        form = self._form(request, scope)
        return form if form is not None else self._rest(request, scope)

    def _signed_for(self, scope: Scope | None, protocols: tuple[str, ...]) -> str | None:
        """Return the service of a scope that speaks one of the protocols (REST, FORMS or PREFERENCE), or None."""
        if scope is None:
            return None
        signing = "s3" if scope.service in S3_NAMES else scope.service
        return self._speakers.get((signing, protocols))

    def _model(self, service: str | None, operation: str) -> OperationModel | None:
        if service is None or operation not in self._operations[service]:
            return None
        return service_model(service).operation_model(operation)

    def _of_target(self, prefix: str, signing: str | None) -> str | None:
        service = self._by_target.get(prefix.rsplit(".", 1)[-1])
        if service is None or (signing is not None and signing != signing_name(service)):
            return None
        return service

    def _cbor(self, request: HttpRequest, scope: Scope | None) -> Route | None:
        codec = CODECS["smithy-rpc-v2-cbor"]
        declared = request.header("smithy-protocol") == "rpc-v2-cbor"
        match = _CBOR_PATH.fullmatch(request.raw_path) if request.method == "POST" else None
        plain = request.raw_path.startswith(b"/service/") and self._signed_for(scope, REST) is None
        if match is None or not (declared or plain):
            return Route(None, None, codec, _asked(request)) if declared else None
        prefix, operation = match[1].decode(), match[2].decode()
        service = self._of_target(prefix, scope.service if scope else None)
        return _route(service, self._model(service, operation), codec, operation)

    def _json(self, request: HttpRequest, target: str, scope: Scope | None) -> Route:
        media, signing = request.header("content-type") or "", scope.service if scope else None
        is_short = len(target) + len(media) <= REMEMBERED_CHARS_MAX
        route = (self._json_routes if is_short else self._find_json)(target, media, signing)
        return route if route.operation or route.unknown else Route(route.service, None, route.codec, _asked(request))

    def _find_json(self, target: str, media: str, signing: str | None) -> Route:
        """Return the route of a target. signing: the service that the call is signed for, None without a signature."""
        prefix, _, operation = target.rpartition(".")
        service = self._of_target(prefix, signing)
        version = media.partition(";")[0].strip().lower().rpartition("-")[2]
        codec = JSON_CODECS.get(version, CODECS["json"])
        return _route(service, self._model(service, operation), codec, operation or target)

    def _form(self, request: HttpRequest, scope: Scope | None) -> Route | None:
        """Return the route of a query call, None for what is none. The form is not decoded here, only searched."""
        text = self._form_text(request, scope)
        if text is None:
            return None
        match, version = _ACTION.search(text), _VERSION.search(text)
        action = match[1].decode() if match else ""
        service = self._signed_for(scope, FORMS)
        if scope is None and version is not None:
            service = self._by_action.get((version[1].decode(), action))
        if scope is None and service is None and request.method != "POST":
            return None
        codec = CODECS[(service and protocol_of(service, FORMS)) or "query"]
        given = _ANY_ACTION.search(text)
        asked = (given[1].decode("latin-1") if given else "") or _asked(request)
        return _route(service, self._model(service, action), codec, asked)

    def _form_text(self, request: HttpRequest, scope: Scope | None) -> bytes | None:
        """Return the form that names the Action: the body, else the query string; None where neither does."""
        if self._signed_for(scope, REST) is not None or (scope is not None and scope.service in S3_NAMES):
            return None
        media = (request.header("content-type") or "").partition(";")[0].strip().lower()
        is_form = media == "application/x-www-form-urlencoded" or self._signed_for(scope, FORMS) is not None
        if request.method == "POST" and is_form and _ANY_ACTION.search(request.body):
            return request.body
        return request.raw_query if _ANY_ACTION.search(request.raw_query) else None

    def _rest(self, request: HttpRequest, scope: Scope | None) -> Route:
        is_s3 = scope is None or scope.service in S3_NAMES
        service = self._signed_for(scope, REST)
        if scope is None and "s3" in self._operations:
            service = "s3"
        if is_s3:
            # Object Lambda puts a route, not a bucket, in the host.
            suffixes = () if scope is not None and scope.service == "s3-object-lambda" else self._suffixes
            return self._s3(request, service, suffixes)
        operation = rest_table(service).find(request, request.raw_path) if service is not None else None
        codec = CODECS[protocol_of(service, REST)] if service is not None else self._guess(request, scope)
        if service is None:
            service = self._signed_for(scope, PREFERENCE)
        return _route(service, operation, codec, "" if operation is not None else _asked(request))

    def _s3(self, request: HttpRequest, service: str | None, suffixes: tuple[str, ...]) -> Route:
        bucket = bucket_of_host(request.header("host") or "", suffixes)
        path = full_path(bucket, request.raw_path)
        resource = unquote_to_bytes(path).decode("utf-8", "replace")[:1024]
        codec = RestXmlCodec(bucket, resource, request.method == "HEAD")
        operation = rest_table(service).find(request, path) if service is not None else None
        return _route(service, operation, codec, "" if operation is not None else _asked(request))

    def _guess(self, request: HttpRequest, scope: Scope | None) -> Codec:
        """Return the codec that a caller most likely reads: by content type, by service, else rest-json."""
        media = (request.header("content-type") or "").partition(";")[0].strip().lower()
        service = self._signed_for(scope, PREFERENCE)
        fallback = protocol_of(service, PREFERENCE) if service is not None else "rest-json"
        return CODECS[MEDIA_TYPES.get(media, fallback)]


@cache
def signing_name(service: str) -> str:
    """Return the service name in signatures: the model's signingName, else its endpointPrefix."""
    metadata = service_model(service).metadata
    return str(metadata.get("signingName") or metadata["endpointPrefix"])


@cache
def protocol_of(service: str, among: tuple[str, ...]) -> str:
    """Return the first of some protocols that a service's model lists, or an empty text."""
    listed = protocols_of(service)
    return next((protocol for protocol in among if protocol in listed), "")


def _route(service: str | None, operation: OperationModel | None, codec: Codec, asked: str) -> Route:
    if operation is not None:
        return Route(service, operation, codec)
    return Route(service, None, codec, _UNPRINTABLE.sub("?", asked)[:UNKNOWN_MAX])


def _asked(request: HttpRequest) -> str:
    """Return method and path of a request, with the names (not the values) of its query string."""
    path = f"{request.method} {request.raw_path.decode('latin-1')}"
    try:
        names = [name for name, _ in parse_pairs(request.raw_query) if name[:6].lower() != "x-amz-"]
    except Malformed:
        names = []
    return _UNPRINTABLE.sub("?", f"{path}?{'&'.join(names)}" if names else path)[:UNKNOWN_MAX]
