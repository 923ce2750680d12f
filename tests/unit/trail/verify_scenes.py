"""Archives that the real workers wrote on a virtual clock, as folders to be tampered with, and a verifier over them."""

import asyncio
import gzip
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import orjson
from digest_scenes import ACCOUNT, REGION, Scene

from apitrail.objects.folder import FolderBucket
from apitrail.trail.verify import Verifier
from apitrail.trail.verify_archive import ARCHIVED, FolderArchive
from apitrail.trail.verify_keys import KeySet
from apitrail.trail.verify_ledger import Ledger
from apitrail.trail.verify_pool import Workers
from apitrail.trail.verify_read import Reader
from apitrail.trail.verify_types import Finding, Request, Tally

DIGESTS = f"AWSLogs/{ACCOUNT}/CloudTrail-Digest/{REGION}/"
LOGS = f"AWSLogs/{ACCOUNT}/CloudTrail/{REGION}/"


class Counting(FolderArchive):
    """Counts the files that are read. cold: log files that it refuses, as a store does with what was not restored."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self.read: list[str] = []
        self.cold: set[str] = set()

    def bodies(self, keys: Iterable[str]) -> Iterator[tuple[str, bytes | str]]:
        keys = list(keys)
        self.read += keys
        return ((key, ARCHIVED if key in self.cold else body) for key, body in super().bodies(keys))

    def objects(self, keys: Sequence[str]) -> Iterator[tuple[str, tuple[bytes | str, Mapping[str, str]]]]:
        self.read += keys
        return super().objects(keys)


class ArchiveScene:
    """An archive in a folder. hours of events are written by `live`; root may be changed by hand."""

    def __init__(self, path: Path) -> None:
        (path / "server").mkdir()
        self.scene = Scene(path / "server")
        self.root = path / "archive"
        self.now = 0
        self.archive = Counting(self.root)
        self.scene.trail["IsMultiRegionTrail"] = True
        self.ledger_path: Path | None = None
        self.jobs = 1

    def live(self, hours: int, *regions: str) -> None:
        """Let hours pass, with two log files in each."""
        for _ in range(hours):
            for _ in range(2):
                for region in regions or (REGION,):
                    self.scene.event(region=region)
                self.scene.deliver()
                self.scene.advance(1800)
        self.scene.advance(6)

    def save(self, metadata: bool = True) -> None:
        """Write the archive into its folder: as a bucket of ours, or as a plain copy."""
        self.root.mkdir(exist_ok=True)
        bucket = FolderBucket(self.root)

        async def copy() -> None:
            memory = self.scene.bucket.memory
            for info in (await memory.list(limit=100_000)).objects:
                body = await (await memory.get(info.key)).read()
                if (self.root / info.key).exists():
                    continue
                if metadata:
                    await bucket.put(info.key, body, content_type="", metadata=info.facts.metadata)
                else:
                    (self.root / info.key).parent.mkdir(parents=True, exist_ok=True)
                    (self.root / info.key).write_bytes(body)

        asyncio.run(copy())
        self.now = int(self.scene.clock.now().timestamp())
        self.archive = Counting(self.root)

    def digests(self) -> list[Path]:
        """Return the digest files of the home region, oldest first."""
        return sorted((self.root / DIGESTS).rglob("*.json.gz"))

    def logs(self, digest: Path) -> list[Path]:
        """Return the log files that a digest lists."""
        content = orjson.loads(gzip.decompress(digest.read_bytes()))
        return [self.root / file["s3Object"] for file in content["logFiles"]]

    def public_keys(self) -> dict[str, bytes]:
        """Return the server's public keys."""
        return dict(self.scene.read(lambda tx: tx.all("SELECT fingerprint, value FROM digest_keys")))

    def verify(self, keys: dict[str, bytes] | None = None, **request: Any) -> tuple[list[Finding], Tally]:
        """Return all findings, valid ones too, and the tally."""
        asked = Request(**{"start": None, "end": self.now, "now": self.now, **request})
        ledger = Ledger(self.ledger_path, "test")
        reader = Reader(self.archive, KeySet(self.public_keys() if keys is None else keys))
        workers = Workers(self.jobs, lambda: reader, reader, "fork")
        verifier = Verifier(*reader, asked, ledger, workers)
        try:
            found = list(verifier.run())
        finally:
            workers.close()
            ledger.close()
        return found, verifier.tally

    def problems(self, keys: dict[str, bytes] | None = None, **request: Any) -> list[tuple[str, str, str]]:
        """Return kind, name of the file, and text of everything that is not valid and not a remark."""
        found, tally = self.verify(keys, **request)
        bad = [item for item in found if item.verdict in ("invalid", "unproven")]
        assert tally.is_proved == (not bad and tally.found is not None)
        return [(item.kind, item.place.rpartition("/")[2], item.text) for item in bad]


def rewrite(path: Path, *changes: tuple[str, str]) -> None:
    """Change the content of a gzip file by replacing texts."""
    content = gzip.decompress(path.read_bytes()).decode()
    for old, new in changes:
        assert re.search(old, content), old
        content = re.sub(old, new, content, count=1)
    path.write_bytes(gzip.compress(content.encode()))
