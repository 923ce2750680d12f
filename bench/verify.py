"""B2: `apitrail verify` on a month of a million events, beside the AWS CLI's validator and a bare loop over the same files."""

import asyncio
import hashlib
import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from tempfile import TemporaryFile
from typing import NamedTuple

from isal import isal_zlib

from apitrail.trail.digest import utc_text
from apitrail.trail.verify_archive import FolderArchive
from apitrail.trail.verify_files import judge
from apitrail.trail.verify_keys import KeySet, keys_of
from apitrail.trail.verify_read import Reader, read_digests
from bench.archive import END, HOURS, PLACES, START, Month, make_month, trail_arn
from bench.results import Row, Target
from bench.server import BUCKET, PRODUCT, Server

AWS = Path(sys.executable).parent / "aws"
TIMES_AWS = 20.0
LOOP_SHARE = 0.70
MB_MAX = 200.0
JOBS = 2
CHUNK = 100
GZIP_WINDOW = 31
DIGESTS = HOURS * len(PLACES)


class Run(NamedTuple):
    """What a command took. cpu_s: with its children."""

    seconds: float
    cpu_s: float
    said: str


def run(command: Sequence[object], env: dict[str, str]) -> Run:
    """Run a command that must succeed."""
    began = time.perf_counter()
    with TemporaryFile("w+") as out, TemporaryFile("w+") as err:
        process = subprocess.Popen([*map(str, command)], env={**os.environ, **env}, stdout=out, stderr=err)
        _, status, used = os.wait4(process.pid, 0)  # with what its own children used
        seconds = time.perf_counter() - began
        process.returncode = os.waitstatus_to_exitcode(status)
        for file in (out, err):
            file.seek(0)
        said = out.read()
        assert process.returncode == 0, said[-500:] + err.read()[-500:]
    return Run(seconds, used.ru_utime + used.ru_stime, said)


def memory(command: Sequence[object], env: dict[str, str]) -> float:
    """Run a command that must succeed; return the MB of its largest process.

    A small process starts it: one that is started begins with the peak of the one that starts it.
    """
    done = run([sys.executable, "-c", WITH_MEMORY, *command], env)
    return float(done.said.rpartition("KB ")[2]) * 1024 / 1e6


WITH_MEMORY = """
import resource, subprocess, sys
code = subprocess.run(sys.argv[1:]).returncode
print(f"KB {resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss}")
sys.exit(code)
"""


def hash_all(paths: Sequence[str]) -> None:
    """Read, inflate and hash files; nothing else."""
    for path in paths:
        hashlib.sha256(isal_zlib.decompress(Path(path).read_bytes(), GZIP_WINDOW)).hexdigest()


def bare_loop(folder: Path) -> float:
    """Read, inflate and hash every file of the archive in two processes; return the seconds."""
    began = time.perf_counter()
    paths = [str(path) for path in folder.rglob("*.json.gz")]
    with ProcessPoolExecutor(JOBS, get_context("fork")) as pool:
        list(pool.map(hash_all, [paths[at : at + CHUNK] for at in range(0, len(paths), CHUNK)]))
    return time.perf_counter() - began


def prove_all(root: Path, keys: Mapping[str, bytes], paths: Sequence[str]) -> None:
    """The same, and read metadata and check the signature of each digest file: everything but to judge what it means."""
    reader = Reader(FolderArchive(root), KeySet(keys))
    digests = [path for path in paths if "/CloudTrail-Digest/" in path]
    assert not any(digest.refusal for digest, _ in read_digests(reader, digests))
    for _, body in reader.archive.bodies(path for path in paths if "/CloudTrail-Digest/" not in path):
        assert isinstance(body, bytes)
        judge(body, "")


def bare_proof(folder: Path, keys: Mapping[str, bytes]) -> float:
    """Check every file of the archive for itself in two processes; return the seconds."""
    began = time.perf_counter()
    paths = [path.relative_to(folder).as_posix() for path in (folder / "AWSLogs").rglob("*.json.gz")]
    with ProcessPoolExecutor(JOBS, get_context("fork")) as pool:
        list(pool.map(partial(prove_all, folder, keys), [paths[at : at + CHUNK] for at in range(0, len(paths), CHUNK)]))
    return time.perf_counter() - began


def b2(rounds: int) -> list[Row]:
    """Measure verification. The AWS CLI takes minutes, so it runs once, on every account and region."""
    made: list[Month] = []
    with Server("b2", prepare=lambda data: made.append(make_month(data))) as server:
        month, env = made[0], client_env(server)
        aws = [run_aws(account, region, env) for account, region in PLACES]
        words = (*PRODUCT, "verify", "--start", utc_text(START), "--end", utc_text(END), "--jobs", JOBS)
        here = (*words, "--data", server.data, "--archive", month.folder)
        ours, loop, proof = [], [], []
        keys = public_keys(env)
        mb = memory(here, env)  # and a warm-up: what the AWS CLI read came through the server
        for _ in range(rounds):
            ours.append(run(here, env))
            loop.append(bare_loop(month.folder / "AWSLogs"))
            proof.append(bare_proof(month.folder, keys))
        remote = run((*words, "--archive", f"s3://{BUCKET}"), env)
        for one in (*ours, remote):
            assert f"{DIGESTS}/{DIGESTS} digest files valid" in one.said
        again = _again(month, env)
    return [*_rows(ours, loop, proof, aws, remote, mb), *again]


def client_env(server: Server) -> dict[str, str]:
    """Return the environment of clients."""
    key, secret = server.root
    return {
        "AWS_ENDPOINT_URL": server.endpoint,
        "AWS_ACCESS_KEY_ID": key,
        "AWS_SECRET_ACCESS_KEY": secret,
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_REGION": "us-east-1",
        "AWS_DEFAULT_REGION": "us-east-1",
    }


def public_keys(env: dict[str, str]) -> dict[str, bytes]:
    """Return the keys of the month by fingerprint, as the server lists them."""
    words = ["cloudtrail", "list-public-keys", "--start-time", utc_text(START), "--end-time", utc_text(END)]
    found: dict[str, bytes] = {}
    for region in sorted({region for _, region in PLACES}):
        found |= keys_of(json.loads(run([AWS, *words, "--region", region, "--output", "json"], env).said))
    return found


def run_aws(account: str, region: str, env: dict[str, str]) -> Run:
    """Let the AWS CLI validate an account and region."""
    words = ["cloudtrail", "validate-logs", "--trail-arn", trail_arn(account), "--s3-bucket", BUCKET]
    words += ["--start-time", utc_text(START), "--end-time", utc_text(END), "--region", region]
    done = run([AWS, *words], env)
    assert f"{HOURS}/{HOURS} digest files valid" in done.said, done.said
    return done


def _again(month: Month, env: dict[str, str]) -> list[Row]:
    """Verify with a state file, let one more hour come, and verify again: only what is new is read."""
    state = month.data / "state"
    words: tuple[object, ...] = (*PRODUCT, "verify", "--start", utc_text(START), "--jobs", JOBS, "--data", month.data)
    words = (*words, "--archive", month.folder, "--state", state, "--end")
    run((*words, utc_text(END)), env)
    asyncio.run(month.one_more_hour())
    done = run((*words, utc_text(END + 3600)), env)
    (kept,) = re.findall(r"(\d+) of the log files were proved before", done.said) or ["?"]
    beside = f"of {HOURS * len(PLACES) + 2000:,} files {kept} log files were not read again"
    return [Row("B2", "again after one more hour, with --state", "s", [done.seconds], beside=beside)]


def _rows(
    ours: Sequence[Run], loop: Sequence[float], proof: Sequence[float], aws: Sequence[Run], remote: Run, mb: float
) -> list[Row]:
    seconds, their_s = [one.seconds for one in ours], sum(one.seconds for one in aws)
    beside = f"{DIGESTS:,} digest files, 2,000 log files; CPU {ours[0].cpu_s:.1f} s, theirs {sum(one.cpu_s for one in aws):.0f} s"
    peer = "aws cloudtrail validate-logs, 20 runs"
    return [
        Row("B2", "files/s, from the server's folder", "files/s", [16_400 / s for s in seconds], peer,
            [16_400 / their_s] * len(seconds), Target(TIMES_AWS, "ratio", at_least=True), beside),
        Row("B2", "files/s, through the server's S3", "files/s", [16_400 / remote.seconds], peer,
            [16_400 / their_s], beside=f"CPU {remote.cpu_s:.1f} s; the server's own part is most of it"),
        Row("B2", "files/s, from the server's folder", "files/s", [16_400 / s for s in seconds],
            "bare read, gunzip and SHA-256, 2 processes", [16_400 / s for s in loop],
            Target(LOOP_SHARE, "ratio", at_least=True)),
        Row("B2", "files/s, from the server's folder", "files/s", [16_400 / s for s in seconds],
            "that loop with signatures and metadata", [16_400 / s for s in proof]),
        Row("B2", "memory of the largest process", "MB", [mb], target=Target(MB_MAX)),
    ]  # fmt: skip
