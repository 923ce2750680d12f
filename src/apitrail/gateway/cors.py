"""Requests of browsers' pages to buckets: preflights are answered, and other answers get the headers that CORS rules give.

A preflight has no signature and so no caller; it tells nothing but what the bucket's rules say, and is not recorded.
Source: Amazon S3 User Guide, "Using cross-origin resource sharing"; Fetch Standard, CORS protocol.
"""

from urllib.parse import unquote

from msgspec.structs import replace

from apitrail.services.buckets import buckets
from apitrail.services.runtime import Runtime
from apitrail.services.s3.cors import CORS, Crossing, answer_headers
from apitrail.store.resources import Doc
from apitrail.wire.hosts import bucket_of_host
from apitrail.wire.http import HttpRequest, HttpResponse
from apitrail.wire.xml import DECLARATION

TEXTS = {
    (400, "BadRequest"): "Insufficient information. Origin and Access-Control-Request-Method headers are needed.",
    (
        403,
        "AccessForbidden",
    ): "CORSResponse: This CORS request is not allowed. This is usually because the evaluation of "
    "Origin, request method / Access-Control-Request-Method or Access-Control-Request-Headers are not whitelisted by the "
    "resource's CORS spec.",
}
HEADERS_MAX = 100


async def preflight(runtime: Runtime, request: HttpRequest) -> HttpResponse:
    """Answer an OPTIONS request: may this page make that request."""
    origin, method = request.header("origin"), request.header("access-control-request-method")
    if not origin or not method:
        return _refused(400, "BadRequest")
    names = (request.header("access-control-request-headers") or "").lower().split(",")
    headers = tuple(name.strip() for name in names[:HEADERS_MAX] if name.strip())
    rules = await _rules(runtime, request)
    found = (
        answer_headers(rules, Crossing(origin, method, headers, preflight=True)) if len(names) <= HEADERS_MAX else None
    )
    return HttpResponse(200, tuple(found)) if found is not None else _refused(403, "AccessForbidden")


async def with_cors(runtime: Runtime, request: HttpRequest, response: HttpResponse) -> HttpResponse:
    """Return the answer to a page's request with the headers that its bucket's rules give, if any."""
    crossing = Crossing(request.header("origin") or "", request.method)
    found = answer_headers(await _rules(runtime, request), crossing)
    return replace(response, headers=(*response.headers, *found)) if found else response


async def _rules(runtime: Runtime, request: HttpRequest) -> list[Doc]:
    suffixes = runtime.settings.server.virtual_host_suffixes
    name = bucket_of_host(request.header("host") or "", suffixes)
    name = name or unquote(request.raw_path.decode("latin-1")).lstrip("/").partition("/")[0]
    row = await runtime.database.read(lambda tx: buckets(tx).get(name)) if name else None
    rules: list[Doc] = (row or {}).get(CORS, [])
    return rules


def _refused(status: int, code: str) -> HttpResponse:
    body = f"{DECLARATION}<Error><Code>{code}</Code><Message>{TEXTS[status, code]}</Message></Error>"
    return HttpResponse(status, ((b"content-type", b"application/xml"),), body.encode())
