"""The certificate for game servers: made once, private, renewed in time or when names change."""

from datetime import timedelta
from pathlib import Path

from cryptography import x509

from apitrail.clock import VirtualClock
from apitrail.gateway.certificate import RENEW_DAYS, VALID_DAYS, own_certificate
from apitrail.ids import seeded_ids


def made(folder: Path, clock: VirtualClock, *hosts: str) -> bytes:
    return own_certificate(folder, hosts, clock, seeded_ids(1)).read_bytes()


def test_a_certificate_is_made_once_and_is_for_its_owner_only(tmp_path: Path) -> None:
    clock = VirtualClock()
    first = made(tmp_path, clock, "games.example")
    assert made(tmp_path, clock, "games.example") == first
    path = own_certificate(tmp_path, ["games.example"], clock, seeded_ids(2))
    assert path.stat().st_mode & 0o777 == 0o600
    names = x509.load_pem_x509_certificate(first).extensions.get_extension_for_class(x509.SubjectAlternativeName)
    assert names.value.get_values_for_type(x509.DNSName) == ["localhost", "games.example"]
    assert [str(ip) for ip in names.value.get_values_for_type(x509.IPAddress)] == ["127.0.0.1", "::1"]


def test_a_certificate_is_renewed_in_time(tmp_path: Path) -> None:
    clock = VirtualClock()
    first = made(tmp_path, clock)
    clock.advance(timedelta(days=VALID_DAYS - RENEW_DAYS - 1).total_seconds())
    assert made(tmp_path, clock) == first
    clock.advance(timedelta(days=1).total_seconds())
    assert made(tmp_path, clock) != first


def test_other_names_or_a_damaged_file_make_a_new_one(tmp_path: Path) -> None:
    clock = VirtualClock()
    first = made(tmp_path, clock)
    second = made(tmp_path, clock, "192.0.2.1")
    assert second != first
    (tmp_path / "game-servers.pem").write_bytes(second[:200])
    assert made(tmp_path, clock, "192.0.2.1") not in (second, second[:200])
