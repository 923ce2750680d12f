"""A TLS certificate of the server's own, for game servers that connect by wss: made on the first start, renewed in time.

Key and certificate are one file in the data directory, readable for its owner only. SDKs that check certificates
(Go, C#) need it among those that they trust; the C++ SDK does not check.
"""

import ipaddress
from collections.abc import Iterable
from datetime import datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from apitrail.clock import Clock
from apitrail.gateway.serving import write_private
from apitrail.ids import Ids

FILE = "game-servers.pem"
COMMON_NAME = "apitrail"
VALID_DAYS, RENEW_DAYS = 825, 90
LOCAL_NAMES = ("localhost", "127.0.0.1", "::1")


def own_certificate(folder: Path, hosts: Iterable[str], clock: Clock, ids: Ids) -> Path:
    """Return the file with key and certificate (PEM), made anew when there is none or it ends within 90 days.

    hosts: names and addresses that clients use, besides the local ones; others than before make a new one, too.
    """
    path, now = folder / FILE, clock.now()
    names = tuple(dict.fromkeys((*LOCAL_NAMES, *hosts)))
    if not _is_good(path, names, now):
        serial = int.from_bytes(ids.raw(16)) >> 1 or 1
        write_private(path, _make(names, now, serial))
    return path


def _is_good(path: Path, names: tuple[str, ...], now: datetime) -> bool:
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return False
    try:
        found = x509.load_pem_x509_certificate(content)
        serialization.load_pem_private_key(content, None)
    except ValueError:
        return False
    named = found.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    lasts = found.not_valid_after_utc > now + timedelta(days=RENEW_DAYS)
    return lasts and set(named) == set(map(_general_name, names))


def _make(names: tuple[str, ...], now: datetime, serial: int) -> bytes:
    """Return a new key with its certificate (PEM)."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, COMMON_NAME)])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(serial)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=VALID_DAYS))
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(x509.SubjectAlternativeName([_general_name(text) for text in names]), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return private + certificate.public_bytes(serialization.Encoding.PEM)


def _general_name(text: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(text))
    except ValueError:
        return x509.DNSName(text)
