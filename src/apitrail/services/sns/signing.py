"""The key that signs messages, and its certificate, which subscribers fetch from this server to check the signature.

Both are made when they are first needed and kept in DATA/sns/, the key readable for its owner only. A certificate stays
when its key is replaced, since messages may still name it. Source: SNS Developer Guide, "Verifying the signatures".
"""

import asyncio
import base64
import os
import re
from datetime import datetime, timedelta
from pathlib import Path
from typing import NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.x509.oid import NameOID

from apitrail.clock import Clock
from apitrail.ids import Ids

KEY_BITS = 2048
VALID_DAYS, RENEW_DAYS = 3650, 365
KEY_FILE, SUFFIX = "signing.key", ".pem"
NAME = re.compile(r"SimpleNotificationService-[0-9a-f]{32}\.pem", re.ASCII)
HASHES: dict[str, hashes.HashAlgorithm] = {"1": hashes.SHA1(), "2": hashes.SHA256()}
"""What is signed, by SignatureVersion."""


class Signature(NamedTuple):
    """signature: base64. certificate: the name of the certificate's file."""

    signature: str
    certificate: str


class SigningKey(NamedTuple):
    """key: private. name: of the certificate's file. ends_at: of the certificate."""

    key: rsa.RSAPrivateKey
    name: str
    ends_at: datetime


class Signer:
    """Signs messages. folder: where key and certificates are."""

    def __init__(self, folder: Path, clock: Clock, ids: Ids) -> None:
        self._folder = folder
        self._clock = clock
        self._ids = ids
        self._loading = asyncio.Lock()
        self._key: SigningKey | None = None

    async def sign(self, text: bytes, version: str) -> Signature:
        """Return the signature of a text. version: `1` or `2`."""
        key = await self._present_key()
        signature = await asyncio.to_thread(key.key.sign, text, padding.PKCS1v15(), HASHES[version])
        return Signature(base64.b64encode(signature).decode(), key.name)

    async def _present_key(self) -> SigningKey:
        async with self._loading:
            now = self._clock.now()
            if self._key is None:
                self._key = await asyncio.to_thread(load_key, self._folder)
            if self._key is None or self._key.ends_at < now + timedelta(days=RENEW_DAYS):
                serial = int.from_bytes(self._ids.raw(16)) >> 1 or 1
                self._key = await asyncio.to_thread(make_key, self._folder, now, serial)
            return self._key


def load_key(folder: Path) -> SigningKey | None:
    """Return the signing key of a folder, or None when there is none yet."""
    try:
        content = (folder / KEY_FILE).read_bytes()
    except FileNotFoundError:
        return None
    pem, _, certificate = content.partition(b"-----BEGIN CERTIFICATE-----")
    key = serialization.load_pem_private_key(pem, None)
    assert isinstance(key, rsa.RSAPrivateKey)
    found = x509.load_pem_x509_certificate(b"-----BEGIN CERTIFICATE-----" + certificate)
    return SigningKey(key, _name_of(found), found.not_valid_after_utc)


def make_key(folder: Path, now: datetime, serial: int) -> SigningKey:
    """Make a key and its certificate, and keep both; the key's file comes last and is written whole."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    key = rsa.generate_private_key(public_exponent=65537, key_size=KEY_BITS)
    certificate = _certificate(key, now, serial)
    pem = certificate.public_bytes(serialization.Encoding.PEM)
    _write(folder / _name_of(certificate), pem)
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    _write(folder / KEY_FILE, private + pem)
    return SigningKey(key, _name_of(certificate), certificate.not_valid_after_utc)


def read_certificate(folder: Path, name: str) -> bytes | None:
    """Return a certificate (PEM) by the name of its file, or None."""
    if not NAME.fullmatch(name):
        return None
    try:
        return (folder / name).read_bytes()
    except FileNotFoundError:
        return None


def _certificate(key: rsa.RSAPrivateKey, now: datetime, serial: int) -> x509.Certificate:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "sns.apitrail")])
    return (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(serial)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=VALID_DAYS))
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("sns.apitrail")]), critical=False)
        .sign(key, hashes.SHA256())
    )


def _name_of(certificate: x509.Certificate) -> str:
    return f"SimpleNotificationService-{certificate.fingerprint(hashes.SHA256()).hex()[:32]}{SUFFIX}"


def _write(path: Path, content: bytes) -> None:
    beside = path.with_name(f".{path.name}.new")
    with os.fdopen(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    beside.replace(path)
