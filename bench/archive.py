"""An archive as large as that of a busy month: log files of five accounts and four regions, and digest files for every hour."""

import asyncio
import hashlib
import json
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import product
from pathlib import Path

from apitrail.app import App
from apitrail.identity.principal import Principal
from apitrail.objects.bucket import Bucket
from apitrail.objects.folder import FolderBucket
from apitrail.settings import Settings
from apitrail.trail.digest import (
    Listed,
    Previous,
    Series,
    Window,
    digest_key,
    metadata,
    render_digest,
    string_to_sign,
    utc_text,
)
from apitrail.trail.keys import KeyRing, SigningKey
from apitrail.trail.logfile import CONTENT_ENCODING, CONTENT_TYPE, compress, logfile_name, render
from bench import ACCOUNT, REGION
from bench.events import event_of
from bench.server import BUCKET, make_bucket

ACCOUNTS = (ACCOUNT, "222233334444", "333344445555", "444455556666", "555566667777")
REGIONS = (REGION, "us-east-1", "eu-west-1", "ap-northeast-1")
PLACES = tuple(product(ACCOUNTS, REGIONS))
FILES, EVENTS_PER_FILE = 2_000, 500
HOURS = 30 * 24
HOUR_S = 3600
START = int(datetime(2026, 6, 1, tzinfo=UTC).timestamp())
END = START + HOURS * HOUR_S
TRAIL = "main"
SERVICE = "cloudtrail.amazonaws.com"
POLICY = {
    "Version": "2012-10-17",
    "Statement": [
        {
            "Effect": "Allow",
            "Principal": {"Service": SERVICE},
            "Action": ["s3:GetBucketAcl", "s3:PutObject"],
            "Resource": [f"arn:aws:s3:::{BUCKET}", f"arn:aws:s3:::{BUCKET}/*"],
        }
    ],
}


@dataclass
class Chain:
    """The digest files of an account and region, so far. following: where the next window begins, epoch seconds."""

    series: Series
    key: SigningKey
    previous: Previous | None = None
    following: int = START

    async def go_on(self, bucket: Bucket, files: Sequence[Listed]) -> None:
        """Put the digest of the next hour."""
        window = Window(self.following, self.following + HOUR_S)
        name = digest_key(self.series, window.end)
        content = render_digest(self.series.account, window, BUCKET, name, self.key.fingerprint, self.previous, files)
        sha256 = hashlib.sha256(content).hexdigest()
        before = self.previous.signature if self.previous else None
        signature = self.key.sign(string_to_sign(utc_text(window.end), BUCKET, name, sha256, before))
        await put(bucket, name, content, metadata(signature))
        self.previous = Previous(BUCKET, name, sha256, signature)
        self.following = window.end


@dataclass
class Month:
    """The archive. data: the data directory of a server that has it in a bucket. chains: by account and region."""

    data: Path
    chains: dict[tuple[str, str], Chain]
    made: int = 0

    @property
    def folder(self) -> Path:
        """The bucket's folder."""
        return self.data / "buckets" / BUCKET

    async def fill(self) -> None:
        """Put all log files and digest files; those of an hour beside each other."""
        per_place = FILES // len(PLACES)
        hours = {number * HOURS // per_place for number in range(per_place)}
        for hour in range(HOURS):
            await asyncio.gather(*(self._go_on(place, has_file=hour in hours) for place in self.chains))

    async def one_more_hour(self) -> None:
        """Put a log file and a digest of the next hour in every account and region."""
        await asyncio.gather(*(self._go_on(place, has_file=True) for place in self.chains))

    async def _go_on(self, place: tuple[str, str], *, has_file: bool) -> None:
        bucket, chain = FolderBucket(self.folder), self.chains[place]
        await chain.go_on(bucket, [await self.log_file(bucket, place, chain.following)] if has_file else [])

    async def log_file(self, bucket: Bucket, place: tuple[str, str], at: int) -> Listed:
        """Put the log file of an account and region that was delivered some minutes after an hour began."""
        number, self.made = self.made, self.made + 1
        key = logfile_name(*place, datetime.fromtimestamp(at + 600, UTC), f"{number:016d}")
        first, text = number * EVENTS_PER_FILE, utc_text(at)
        content = render(event_of(one, text) for one in range(first, first + EVENTS_PER_FILE))
        await put(bucket, key, content, {})
        return Listed(BUCKET, key, hashlib.sha256(content).hexdigest(), at, at)


async def put(bucket: Bucket, key: str, content: bytes | bytearray, facts: dict[str, str]) -> None:
    """Put a file as deliveries do."""
    body = compress(content, "libdeflate")
    await bucket.put(key, body, content_type=CONTENT_TYPE, content_encoding=CONTENT_ENCODING, metadata=facts)


def trail_arn(account: str) -> str:
    """Return the ARN of an account's trail."""
    return f"arn:aws:cloudtrail:{REGION}:{account}:trail/{TRAIL}"


def make_month(data: Path) -> Month:
    """Make the archive in a new data directory, with a trail of each account, none of which logs."""
    shutil.rmtree(data, ignore_errors=True)
    data.mkdir(parents=True)
    make_bucket(data)
    return asyncio.run(_make_month(data))


async def _make_month(data: Path) -> Month:
    app = App(Settings(data=str(data)))
    key = app.first_account()
    assert key is not None
    lines = ("[default]", f"aws_access_key_id = {key.access_key}", f"aws_secret_access_key = {key.secret_key}")
    (data / "credentials").write_text("\n".join(lines) + "\n")
    owner = root(ACCOUNT)
    await app.call(owner, REGION, "s3", "PutBucketPolicy", {"Bucket": BUCKET, "Policy": json.dumps(POLICY)})
    for account in ACCOUNTS:
        if account != ACCOUNT:
            app.make_account(account, "")
        wanted = {"Name": TRAIL, "S3BucketName": BUCKET, "IsMultiRegionTrail": True, "EnableLogFileValidation": True}
        await app.call(root(account), REGION, "cloudtrail", "CreateTrail", wanted)
    ring = KeyRing(app.database, app.data_dir / "keys", "", app.clock)
    keys = {region: await ring.signing_key(region, START) for region in REGIONS}
    chains = {place: Chain(Series(*place, TRAIL, REGION), keys[place[1]]) for place in PLACES}
    month = Month(data, chains)
    await app.close()
    await month.fill()
    return month


def root(account: str) -> Principal:
    """Return the root of an account."""
    return Principal("Root", account, f"arn:aws:iam::{account}:root", account)
