"""Public keys for verification: where they are read from, and what they say about a signature."""

import base64
import binascii
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_der_public_key,
    load_pem_public_key,
)

from apitrail.trail.digest import fingerprint_of, parse_digest_key, string_to_sign
from apitrail.trail.verify_files import WRONG_SIGNATURE, Digest

FILE_BYTES_MAX = 16 * 1024 * 1024
PEM_HEAD = b"-----BEGIN"


class KeySet:
    """Keys by fingerprint; loaded when they are first used."""

    def __init__(self, values: Mapping[str, bytes]) -> None:
        self._values = dict(values)
        self._loaded: dict[str, RSAPublicKey | None] = {}

    def __len__(self) -> int:
        return len(self._values)

    @property
    def values(self) -> Mapping[str, bytes]:
        """The keys (DER) by fingerprint."""
        return self._values

    def problem(self, digest: Digest, signature: str) -> str:
        """Return why a signature (hex) is not a digest's, empty when it is."""
        if digest.fingerprint not in self._values:
            name = parse_digest_key(digest.key)
            home = name.series.home if name else ""
            return f"public key not found in region {home} for fingerprint {digest.fingerprint}"
        key = self._key(digest.fingerprint)
        if key is None:
            return f"Unable to load PKCS #1 key with fingerprint {digest.fingerprint}"
        signed = string_to_sign(
            digest.end_text, digest.bucket, digest.object, digest.sha256, digest.previous_signature or None
        )
        try:
            key.verify(binascii.unhexlify(signature), signed, PKCS1v15(), SHA256())
        except (InvalidSignature, ValueError):
            return WRONG_SIGNATURE
        return ""

    def _key(self, fingerprint: str) -> RSAPublicKey | None:
        if fingerprint not in self._loaded:
            try:
                key = load_der_public_key(self._values[fingerprint])
            except (ValueError, UnsupportedAlgorithm):
                key = None
            self._loaded[fingerprint] = key if isinstance(key, RSAPublicKey) else None
        return self._loaded[fingerprint]


def keys_of(answer: Any) -> dict[str, bytes]:
    """Return the keys in an answer of ListPublicKeys. Raises: ValueError."""
    try:
        entries = answer["PublicKeyList"]
        return {str(entry["Fingerprint"]): base64.b64decode(entry["Value"], validate=True) for entry in entries}
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError("not an answer of ListPublicKeys") from error


def read_keys(path: Path) -> dict[str, bytes]:
    """Return the keys in a file: an answer of ListPublicKeys, a list of such answers, or PEM. Raises: OSError, ValueError."""
    with path.open("rb") as file:
        content = file.read(FILE_BYTES_MAX)
    if PEM_HEAD in content[:1000]:
        return _read_pem(content)
    try:
        said = json.loads(content)
    except ValueError as error:
        raise ValueError("neither JSON nor PEM") from error
    found: dict[str, bytes] = {}
    for answer in said if isinstance(said, list) else [said]:
        found |= keys_of(answer)
    return found


def _read_pem(content: bytes) -> dict[str, bytes]:
    found: dict[str, bytes] = {}
    for part in content.split(PEM_HEAD)[1:]:
        key = load_pem_public_key(PEM_HEAD + part)
        if not isinstance(key, RSAPublicKey):
            raise ValueError("a key that is not RSA")
        value = key.public_bytes(Encoding.DER, PublicFormat.PKCS1)
        found[fingerprint_of(value)] = value
    return found
