"""The keys that sign digest files: RSA 2048, one pair at a time per region, renewed every 20 days.

Public keys stay in the store for ever. A private key lies in a file of its own (mode 0600, with a passphrase if one is
set) until the next one is made; then it is destroyed. Source: CloudTrail API Reference, ListPublicKeys.
"""

import asyncio
import logging
import os
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    KeySerializationEncryption,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)

from apitrail.clock import Clock
from apitrail.errors import SettingsError
from apitrail.store.database import Database, Tx
from apitrail.trail.digest import fingerprint_of

log = logging.getLogger("apitrail.digests")
KEY_BITS = 2048
EXPONENT = 65537
DAY_S = 86_400
USED_S = 20 * DAY_S
VALID_S = 30 * DAY_S
LISTED_MAX = 1000


class PublicKey(NamedTuple):
    """value: DER of PKCS #1 RSAPublicKey. fingerprint: hex MD5 of it. valid_from, valid_to: epoch seconds."""

    fingerprint: str
    value: bytes
    valid_from: int
    valid_to: int


class SigningKey:
    """A private key that is in use."""

    def __init__(self, private: RSAPrivateKey) -> None:
        self._private = private
        self.value = private.public_key().public_bytes(Encoding.DER, PublicFormat.PKCS1)
        self.fingerprint = fingerprint_of(self.value)

    def sign(self, content: bytes) -> str:
        """Return the signature (SHA-256 with RSA, PKCS #1 v1.5) in lower-case hex; takes about a millisecond."""
        return self._private.sign(content, PKCS1v15(), SHA256()).hex()

    def pem(self, encryption: KeySerializationEncryption) -> bytes:
        """Return the private key as PKCS #8 in PEM."""
        return self._private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption)


def make_key() -> SigningKey:
    """Return a new key pair; takes a tenth of a second or so."""
    return SigningKey(generate_private_key(EXPONENT, KEY_BITS))


def public_keys(tx: Tx, region: str, start: int, end: int) -> list[PublicKey]:
    """Return a region's keys whose validity overlaps a range (epoch seconds, both inclusive), oldest first."""
    rows = tx.all(
        "SELECT fingerprint, value, valid_from, valid_to FROM digest_keys WHERE region = ? AND valid_from <= ?"
        " AND valid_to >= ? ORDER BY valid_from, fingerprint LIMIT ?",
        (region, end, start, LISTED_MAX),
    )
    return [PublicKey(*row) for row in rows]


class KeyRing:
    """Hands out the signing key of a region, and makes a new one when its time has come.

    directory: for private keys, made when it is missing. passphrase_file: its content protects the files; empty: none.
    Raises: SettingsError when the passphrase cannot be read.
    """

    def __init__(
        self,
        database: Database,
        directory: Path,
        passphrase_file: str,
        clock: Clock,
        make: Callable[[], SigningKey] = make_key,
    ) -> None:
        self._database = database
        self._directory = directory
        self._passphrase = _read_passphrase(passphrase_file)
        self._clock = clock
        self._make = make
        self._loaded: dict[str, SigningKey] = {}

    async def signing_key(self, region: str, covers: int) -> SigningKey:
        """Return the key that signs now, valid from `covers` (epoch seconds) at the latest.

        Raises: SettingsError when the private key cannot be opened with the passphrase.
        """
        now = self._clock.now()
        row = await self._database.read(lambda tx: _current(tx, region, now.timestamp()))
        key = await self._opened(region, row[0]) if row else None
        if row is None or key is None:
            return await self._renew(region, min(covers, int(now.timestamp())), now)
        if covers < row[1]:
            await self._database.write(lambda tx: _extend(tx, region, row[0], covers))
        return key

    async def _opened(self, region: str, fingerprint: str) -> SigningKey | None:
        """Return a private key, None when its file is gone."""
        if fingerprint not in self._loaded:
            key = await asyncio.to_thread(self._load, region, fingerprint)
            if key is None:
                log.error("the private key %s of %s is gone; a new one is made", fingerprint, region)
                return None
            self._loaded[fingerprint] = key
        return self._loaded[fingerprint]

    async def _renew(self, region: str, valid_from: int, now: datetime) -> SigningKey:
        """Make a key: its file first, then its row, then destroy the files of others."""
        key = await asyncio.to_thread(self._make)
        await asyncio.to_thread(self._save, region, key)
        made_at = now.timestamp()
        valid_to = max(valid_from + VALID_S, int(made_at) + USED_S)

        def work(tx: Tx) -> None:
            tx.run("UPDATE digest_keys SET retired = 1 WHERE region = ?", (region,))
            tx.run(
                "INSERT INTO digest_keys (region, fingerprint, value, made_at, valid_from, valid_to)"
                " VALUES (?, ?, ?, ?, ?, ?)",
                (region, key.fingerprint, key.value, made_at, valid_from, valid_to),
            )

        await self._database.write(work)
        self._loaded = {**self._loaded, key.fingerprint: key}
        await asyncio.to_thread(self._destroy_others, region, key.fingerprint)
        log.info("digest files of %s are signed with key %s from now on", region, key.fingerprint)
        return key

    def _path(self, region: str, fingerprint: str) -> Path:
        return self._directory / f"{region}.{fingerprint}.pem"

    def _load(self, region: str, fingerprint: str) -> SigningKey | None:
        path = self._path(region, fingerprint)
        try:
            private = load_pem_private_key(path.read_bytes(), self._passphrase)
        except FileNotFoundError:
            return None
        except (ValueError, TypeError) as error:
            hint = "set digest.passphrase_file to the passphrase that the key was written with"
            raise SettingsError(f"cannot open the signing key: {error}", where=str(path), hint=hint) from error
        assert isinstance(private, RSAPrivateKey), f"{path} holds no RSA key"
        return SigningKey(private)

    def _save(self, region: str, key: SigningKey) -> None:
        """Write a private key beside and rename it, so that there is a whole file or none; durable on return."""
        self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        path = self._path(region, key.fingerprint)
        beside = path.with_suffix(".new")
        how = BestAvailableEncryption(self._passphrase) if self._passphrase else NoEncryption()
        with os.fdopen(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            file.write(key.pem(how))
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
        _sync(self._directory)

    def _destroy_others(self, region: str, fingerprint: str) -> None:
        """Remove the private keys that a region no longer signs with, those of a crash between file and row included."""
        for path in self._directory.glob(f"{region}.*"):
            if path.name != f"{region}.{fingerprint}.pem":
                self._loaded.pop(path.name.split(".")[1], None)
                with suppress(FileNotFoundError):
                    path.unlink()
        _sync(self._directory)


def _read_passphrase(file: str) -> bytes | None:
    try:
        passphrase = Path(file).read_bytes().rstrip(b"\r\n") if file else None
    except OSError as error:
        raise SettingsError(str(error), where="digest.passphrase_file") from error
    if passphrase == b"":
        raise SettingsError(f"{file} is empty", where="digest.passphrase_file", hint="write the passphrase into it")
    return passphrase


def _current(tx: Tx, region: str, now: float) -> tuple[str, int] | None:
    """Return fingerprint and beginning of the key to sign with at a moment, None when a new one is due."""
    row = tx.one(
        "SELECT fingerprint, valid_from FROM digest_keys WHERE region = ? AND retired = 0 AND made_at <= ? AND made_at > ?",
        (region, now, now - USED_S),
    )
    return (row[0], row[1]) if row else None


def _extend(tx: Tx, region: str, fingerprint: str, valid_from: int) -> None:
    tx.run(
        "UPDATE digest_keys SET valid_from = min(valid_from, ?) WHERE region = ? AND fingerprint = ?",
        (valid_from, region, fingerprint),
    )


def _sync(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
