"""Unpacking builds that somebody has made to do harm."""

import io
import os
import stat
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from apitrail.host.unpack import UnpackError, parts_of, unpack

LINK = (stat.S_IFLNK | 0o777) << 16
PIPE = (stat.S_IFIFO | 0o666) << 16


def entry(name: str, mode: int = (stat.S_IFREG | 0o644) << 16, system: int = 3) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo("x")
    info.filename = name
    info.external_attr = mode
    info.create_system = system
    return info


def zipped(path: Path, *entries: tuple[zipfile.ZipInfo, bytes]) -> Path:
    with zipfile.ZipFile(path / "build.zip", "w") as archive:
        for info, content in entries:
            archive.writestr(info, content)
    return path / "build.zip"


def unpacked(path: Path, archive: Path, bytes_max: int = 1_000_000, files_max: int = 100) -> Path:
    unpack(archive, path / "out", bytes_max=bytes_max, files_max=files_max)
    return path / "out"


def files_in(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_files_are_where_the_zip_says(tmp_path: Path) -> None:
    archive = zipped(tmp_path, (entry("bin/server"), b"game"), (entry("./data//a.txt"), b"a"))
    assert files_in(unpacked(tmp_path, archive)) == {"bin/server": b"game", "data/a.txt": b"a"}


def test_windows_zips_have_their_folders_and_all_their_files_are_programs(tmp_path: Path) -> None:
    folder = unpacked(tmp_path, zipped(tmp_path, (entry("bin\\server.exe", 0, 0), b"game")))
    assert (folder / "bin" / "server.exe").stat().st_mode & 0o777 == 0o755


@pytest.mark.parametrize(("mode", "expected"), [(0o755, 0o755), (0o700, 0o755), (0o640, 0o644), (0o4755, 0o755)])
def test_of_a_files_mode_only_whether_it_is_a_program_counts(tmp_path: Path, mode: int, expected: int) -> None:
    folder = unpacked(tmp_path, zipped(tmp_path, (entry("server", (stat.S_IFREG | mode) << 16), b"game")))
    assert stat.S_IMODE((folder / "server").stat().st_mode) == expected


HOSTILE: dict[str, tuple[list[tuple[zipfile.ZipInfo, bytes]], str]] = {
    "out": ([(entry("../evil"), b"")], "leads out"),
    "out later": ([(entry("a/../../evil"), b"")], "leads out"),
    "out with backslashes": ([(entry("..\\evil"), b"")], "leads out"),
    "absolute": ([(entry("/etc/evil"), b"")], "absolute"),
    "absolute on Windows": ([(entry("C:\\evil"), b"")], "absolute"),
    "share": ([(entry("\\\\host\\evil"), b"")], "absolute"),
    "link": ([(entry("evil", LINK), b"/etc/passwd")], "link"),
    "pipe": ([(entry("evil", PIPE), b"")], "special"),
    "twice": ([(entry("a/b"), b"1"), (entry("a//b"), b"2")], "twice"),
    "file and folder": ([(entry("a"), b"1"), (entry("a/b"), b"2")], "a file and a folder"),
    "control characters": ([(entry("a\x1b[2Jb"), b"")], "cannot be printed"),
    "too deep": ([(entry("a/" * 100 + "b"), b"")], "too long"),
    "long name": ([(entry("a" * 300), b"")], "too long"),
    "nothing": ([], "without any file"),
    "only folders": ([(entry("a/"), b"")], "without any file"),
    "too large": ([(entry("a"), bytes(1_000_001))], "1000000 are allowed"),
    "too many": ([(entry(f"f{number}"), b"") for number in range(101)], "100 are allowed"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_zip_is_refused_and_leaves_nothing(tmp_path: Path, name: str) -> None:
    entries, reason = HOSTILE[name]
    with pytest.raises(UnpackError, match=reason):
        unpacked(tmp_path, zipped(tmp_path, *entries))
    assert [path.name for path in tmp_path.iterdir()] == ["build.zip"]


def break_encrypted(body: bytes) -> bytes:
    place = body.index(b"PK\x01\x02") + 8
    return body[:place] + struct.pack("<H", 1) + body[place + 2 :]


def break_size(body: bytes) -> bytes:
    """Let the directory promise fewer bytes than there are."""
    place = body.index(b"PK\x01\x02") + 24
    return body[:place] + struct.pack("<I", 3) + body[place + 4 :]


@pytest.mark.parametrize(
    "damage", [break_encrypted, break_size, lambda body: body[:-30], lambda body: b"no zip", lambda body: b""]
)
def test_a_damaged_zip_is_refused(tmp_path: Path, damage: Callable[[bytes], bytes]) -> None:
    archive = zipped(tmp_path, (entry("server"), b"a game that is played"))
    archive.write_bytes(damage(archive.read_bytes()))
    with pytest.raises(UnpackError):
        unpacked(tmp_path, archive)


@settings(max_examples=200, deadline=None)
@given(st.text(st.sampled_from("ab./\\:C~ \u00e9"), min_size=1, max_size=30))
def test_no_name_leads_out_of_its_folder(name: str) -> None:
    try:
        parts = parts_of(name)
    except UnpackError:
        return
    folder = Path("/games/build")
    assert Path(os.path.normpath(folder.joinpath(*parts))).is_relative_to(folder)


@settings(max_examples=100, deadline=None)
@given(data=st.data())
def test_flipped_bytes_end_in_files_of_the_folder_or_a_refusal(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    path = tmp_path_factory.mktemp("flip")
    body = bytearray(zipped(path, (entry("bin/server"), b"game"), (entry("a.txt"), b"text")).read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        body[data.draw(st.integers(0, len(body) - 1))] = data.draw(st.integers(0, 255))
    (path / "build.zip").write_bytes(io.BytesIO(body).getvalue())
    try:
        folder = unpacked(path, path / "build.zip")
    except (UnpackError, OSError):
        return
    assert all(found.resolve().is_relative_to(folder) and not found.is_symlink() for found in folder.rglob("*"))
