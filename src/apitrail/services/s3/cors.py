"""CORS: which browsers' pages may read a bucket's answers. Source: Amazon S3 User Guide, "Using cross-origin resource sharing".

Rules are asked in their order; the first that has origin, method and headers decides. An asterisk in an origin or header
stands for any text and may be there once.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

from apitrail.services.s3.errors import refuse

CORS = "_Cors"
RULES_MAX = 100
METHODS = ("GET", "PUT", "HEAD", "POST", "DELETE")
VARY = b"Origin, Access-Control-Request-Headers, Access-Control-Request-Method"
Header = tuple[bytes, bytes]


@dataclass(frozen=True, slots=True)
class Crossing:
    """What a page asks for. headers: in lower case. preflight: asked before the request itself."""

    origin: str
    method: str
    headers: tuple[str, ...] = ()
    preflight: bool = False


def check_rules(rules: Sequence[dict[str, Any]]) -> None:
    """Refuse rules that cannot be. Raises: MalformedXML, InvalidRequest."""
    if not 0 < len(rules) <= RULES_MAX:
        raise refuse("MalformedXML")
    for rule in rules:
        for method in rule["AllowedMethods"]:
            if method not in METHODS:
                message = f"Found unsupported HTTP method in CORS config. Unsupported method is {method}"
                raise refuse("InvalidRequest", message)
        for member, what in (("AllowedOrigins", "AllowedOrigin"), ("AllowedHeaders", "AllowedHeader")):
            for text in rule.get(member, ()):
                if text.count("*") > 1:
                    raise refuse("InvalidRequest", f'{what} "{text}" can not have more than one wildcard.')


def answer_headers(rules: Sequence[dict[str, Any]], asked: Crossing) -> list[Header] | None:
    """Return what an answer says to the browser, None where no rule lets the page in."""
    for rule in rules:
        if asked.method in rule["AllowedMethods"] and _has(rule["AllowedOrigins"], asked.origin):
            allowed = [name.lower() for name in rule.get("AllowedHeaders", ())]
            if all(_has(allowed, name) for name in asked.headers):
                return _headers(rule, asked)
    return None


def _has(patterns: Sequence[str], text: str) -> bool:
    return any(
        pattern == text or fnmatchcase(text, pattern.replace("[", "[[]").replace("?", "[?]")) for pattern in patterns
    )


def _headers(rule: dict[str, Any], asked: Crossing) -> list[Header]:
    everybody = "*" in rule["AllowedOrigins"]
    found = {
        "Access-Control-Allow-Origin": "*" if everybody else asked.origin,
        "Access-Control-Allow-Methods": ", ".join(rule["AllowedMethods"]) if asked.preflight else "",
        "Access-Control-Allow-Headers": ", ".join(asked.headers) if asked.preflight else "",
        "Access-Control-Expose-Headers": ", ".join(rule.get("ExposeHeaders", ())),
        "Access-Control-Max-Age": str(rule["MaxAgeSeconds"]) if asked.preflight and "MaxAgeSeconds" in rule else "",
        "Access-Control-Allow-Credentials": "" if everybody else "true",
    }
    return [
        *((name.lower().encode(), text.encode("latin-1", "replace")) for name, text in found.items() if text),
        (b"vary", VARY),
    ]
