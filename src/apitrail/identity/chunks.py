"""Signatures of a body that is streamed in chunks, each signed with the signature before it.

Source: Amazon S3 API Reference, "Signature calculations for the authorization header: transferring payload in multiple chunks"
and its page on trailing headers.
"""

import hmac
from collections.abc import Mapping
from hashlib import sha256

from apitrail.identity.canonical import ALGORITHM, EMPTY_SHA256, scope_text
from apitrail.identity.refusals import refusal
from apitrail.identity.sigv4 import SIGNED_CHUNKS, SIGNED_CHUNKS_TRAILER, Authenticated
from apitrail.wire.http import HttpRequest


class ChunkVerifier:
    """Follows the chain of chunk signatures. A replayed, reordered, dropped or altered chunk breaks it.

    check_chunk for every chunk, the last and empty one too; then check_trailer if the request announced a signed trailer; then
    finish. All raise AuthenticationError (SignatureDoesNotMatch).
    """

    def __init__(self, key: bytes, at: str, scope: str, seed: str, *, trailer: bool, access_key: str = "") -> None:
        """key: signing key. at: x-amz-date. scope: credential scope without the key. seed: the request's signature."""
        self._key = key
        self._prefix = f"{at}\n{scope}"
        self._previous = seed
        self._waits_for_trailer = trailer
        self._waits_for_end = True
        self._access_key = access_key

    def check_chunk(self, signature: str, content_sha256: str) -> None:
        """Check the next chunk. content_sha256: of its content, lower-case hex."""
        if not self._waits_for_end:
            self._refuse()
        text = f"{ALGORITHM}-PAYLOAD\n{self._prefix}\n{self._previous}\n{EMPTY_SHA256}\n{content_sha256}"
        self._step(signature, text)
        self._waits_for_end = content_sha256 != EMPTY_SHA256

    def check_trailer(self, signature: str, trailers: Mapping[str, str]) -> None:
        """Check the trailer. trailers: the trailing headers without the signature itself, names in any case."""
        if self._waits_for_end or not self._waits_for_trailer:
            self._refuse()
        lines = "".join(f"{name}:{value.strip()}\n" for name, value in _lower(trailers))
        digest = sha256(lines.encode()).hexdigest()
        self._step(signature, f"{ALGORITHM}-TRAILER\n{self._prefix}\n{self._previous}\n{digest}")
        self._waits_for_trailer = False

    def finish(self) -> None:
        """Check that the end, and the trailer if one was announced, have been seen."""
        if self._waits_for_end or self._waits_for_trailer:
            self._refuse()

    def _step(self, signature: str, text: str) -> None:
        wanted = hmac.digest(self._key, text.encode(), "sha256").hex()
        if not hmac.compare_digest(wanted.encode(), signature.encode()):
            self._refuse()
        self._previous = wanted

    def _refuse(self) -> None:
        raise refusal("bad-signature", "s3", access_key=self._access_key)


def _lower(trailers: Mapping[str, str]) -> list[tuple[str, str]]:
    return sorted((name.lower(), value) for name, value in trailers.items())


def chunk_verifier(request: HttpRequest, caller: Authenticated) -> ChunkVerifier | None:
    """Return what checks the chunks of this request, or None if its chunks are not signed.

    None too for an unknown key in permissive mode, which has no secret to check with.
    """
    payload = request.header("x-amz-content-sha256")
    scope = caller.scope
    if payload not in (SIGNED_CHUNKS, SIGNED_CHUNKS_TRAILER) or scope is None or caller.credential is None:
        return None
    return ChunkVerifier(
        caller.signing_key,
        request.header("x-amz-date") or "",
        scope_text(scope.date, scope.region, scope.service),
        scope.signature,
        trailer=payload == SIGNED_CHUNKS_TRAILER,
        access_key=scope.access_key,
    )
