"""The unchanged `aws cloudtrail validate-logs` and `apitrail verify` on what a real server wrote, before and after changes."""

import gzip
import json
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from conftest import ACCOUNT, BIN, REGION, Running

OTHER = "eu-west-1"
ARN = f"arn:aws:cloudtrail:{REGION}:{ACCOUNT}:trail/main"
PERIOD_S = 1
PARTS = 4
SETTINGS = {"APITRAIL_DIGEST_PERIOD_S": str(PERIOD_S), "APITRAIL_DELIVERY_PERIOD_S": "1"}


@dataclass
class Told:
    """How a validator ended and what it said."""

    code: int
    text: str


class Archive:
    """A server whose trail has stopped, its bucket as a folder, and the two validators."""

    def __init__(self, server: Running) -> None:
        self.server = server
        self.root = server.data / "buckets" / "audit" / "prod"
        self.locally = ("--trail-arn", ARN, "--data", str(server.data))

    def digests(self, region: str = REGION) -> list[Path]:
        """Return a region's digest files, oldest first."""
        return sorted((self.root / "AWSLogs" / ACCOUNT / "CloudTrail-Digest" / region).rglob("*.json.gz"))

    def key(self, path: Path) -> str:
        """Return a file's object key."""
        return path.relative_to(self.root.parent).as_posix()

    def listed(self, digest: Path) -> list[Path]:
        """Return the log files that a digest lists."""
        return [self.root.parent / file["s3Object"] for file in read(digest)["logFiles"]]

    def aws(self, region: str = REGION) -> Told:
        """Run the AWS CLI's validator on a region."""
        words = ["cloudtrail", "validate-logs", "--trail-arn", ARN, "--start-time", "2020-01-01T00:00:00Z", "--verbose"]
        return self._run([str(BIN / "aws"), *words, "--region", region])

    def verify(self, *words: str) -> Told:
        """Run our own."""
        return self._run([*self.server.command, "verify", "--verbose", *(words or ("--trail-arn", ARN))])

    def _run(self, command: list[str]) -> Told:
        done = subprocess.run(command, env=self.server.env, capture_output=True, text=True, timeout=120)
        return Told(done.returncode, done.stdout + done.stderr)


def read(path: Path) -> Any:
    return json.loads(gzip.decompress(path.read_bytes()))


def alter(path: Path, old: str, new: str) -> None:
    content = gzip.decompress(path.read_bytes()).decode()
    assert old in content
    path.write_bytes(gzip.compress(content.replace(old, new, 1).encode()))


def calls(server: Running, seconds: float) -> None:
    """Make calls in two regions for a while."""
    clients = [server.client("gamelift", region=region) for region in (REGION, OTHER)]
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        for client in clients:
            client.list_builds()
        time.sleep(0.25)


def wait_for_end(server: Running) -> None:
    """Wait until the final digests are delivered."""

    def ended() -> bool:
        digests = Archive(server).digests()
        return bool(digests) and any("StopLogging" in str(read(log)) for log in Archive(server).listed(digests[-1]))

    server._wait(ended)
    time.sleep(1.5)


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Archive]:
    """A trail over two regions that lived through a kill, an outage of its bucket, and a stop and start of logging."""
    server = Running(tmp_path_factory.mktemp("validate") / "data", settings=SETTINGS).start()
    server.make_trail(S3KeyPrefix="prod", IsMultiRegionTrail=True, EnableLogFileValidation=True)
    trails = server.client("cloudtrail")
    calls(server, 6 * PERIOD_S)
    server.kill()
    server.start()
    calls(server, 3 * PERIOD_S)
    folder = server.data / "buckets" / "audit"
    folder.rename(folder.with_name("hidden"))
    calls(server, 3 * PERIOD_S)
    folder.with_name("hidden").rename(folder)
    trails = server.client("cloudtrail")
    trails.stop_logging(Name="main")
    wait_for_end(server)
    trails.start_logging(Name="main")
    calls(server, 3 * PERIOD_S)
    trails.stop_logging(Name="main")
    wait_for_end(server)
    yield Archive(server)
    server.kill()


@pytest.fixture(autouse=True)
def untouched(archive: Archive, tmp_path: Path) -> Iterator[None]:
    """Put the bucket back as it was after each test."""
    folder = archive.root.parent
    kept = tmp_path / "kept"
    subprocess.run(["cp", "-a", str(folder), str(kept)], check=True)
    yield
    shutil.rmtree(folder)
    subprocess.run(["cp", "-a", str(kept), str(folder)], check=True)


def test_both_validators_prove_what_the_server_wrote(archive: Archive) -> None:
    for region in (REGION, OTHER):
        told = archive.aws(region)
        assert told.code == 0, told.text
        assert "INVALID" not in told.text
        count = len(archive.digests(region))
        assert count >= 6
        assert f"{count}/{count} digest files valid" in told.text
    assert archive.verify(*archive.locally).code == 0
    told = archive.verify()
    assert told.code == 0, told.text
    total = len(archive.digests()) + len(archive.digests(OTHER))
    assert f"{total}/{total} digest files valid" in told.text
    assert "UNPROVEN" not in told.text


def test_status_tells_of_the_last_digest(archive: Archive) -> None:
    status = archive.server.client("cloudtrail").get_trail_status(Name="main")
    assert "LatestDigestDeliveryTime" in status
    assert "LatestDigestDeliveryError" not in status


def test_log_files_are_listed_once_each(archive: Archive) -> None:
    listed = [log for region in (REGION, OTHER) for digest in archive.digests(region) for log in archive.listed(digest)]
    found = list((archive.root / "AWSLogs" / ACCOUNT / "CloudTrail").rglob("*.json.gz"))
    assert sorted(listed) == sorted(found)


def logs_of(archive: Archive) -> list[Path]:
    """Return all listed log files, oldest first."""
    return [log for digest in archive.digests() for log in archive.listed(digest)]


LOGS: dict[str, tuple[Callable[[Path], Any], str]] = {
    "edited": (lambda path: alter(path, '"eventName":"', '"eventName":"X'), "INVALID: hash value doesn't match"),
    "truncated": (lambda path: path.write_bytes(path.read_bytes()[:100]), "INVALID: hash value doesn't match"),
    "replaced": (lambda path: path.write_bytes(gzip.compress(b'{"Records":[]}')), "INVALID: hash value doesn't match"),
    "renamed": (lambda path: path.rename(path.with_name("x" + path.name)), "INVALID: not found"),
    "moved": (lambda path: path.rename(path.parent.parent / path.name), "INVALID: not found"),
    "deleted": (lambda path: path.unlink(), "INVALID: not found"),
    "no gzip": (lambda path: path.write_bytes(b"something else"), "INVALID: invalid format"),
    "longer": (
        lambda path: path.write_bytes(path.read_bytes() + b"x"),
        "INVALID: unexpected data after end of compressed stream",
    ),
}


def test_changed_log_files_are_told_by_both(archive: Archive) -> None:
    paths = dict(zip(LOGS, logs_of(archive), strict=False))
    assert len(paths) == len(LOGS)
    for change, (apply, _) in LOGS.items():
        apply(paths[change])
    for told in (archive.aws(), archive.verify(), archive.verify(*archive.locally)):
        assert told.code == 1, told.text
        for change, (_, message) in LOGS.items():
            assert f"Log file\ts3://audit/{archive.key(paths[change])}\t{message}" in told.text, change


def swap_signatures(archive: Archive, path: Path) -> None:
    """Give a digest the signature of the one before."""
    client = archive.server.client("s3")
    before = archive.digests()[archive.digests().index(path) - 1]
    metadata = client.head_object(Bucket="audit", Key=archive.key(before))["Metadata"]
    client.put_object(Bucket="audit", Key=archive.key(path), Body=path.read_bytes(), Metadata=metadata)


def drop_signature(archive: Archive, path: Path) -> None:
    archive.server.client("s3").put_object(Bucket="audit", Key=archive.key(path), Body=path.read_bytes())


def rename_digest(archive: Archive, path: Path) -> None:
    """Store a digest under another name, as a copy inside the bucket does."""
    client = archive.server.client("s3")
    other = archive.key(path).replace(path.name[-16:-9], "T235959")
    client.copy_object(Bucket="audit", Key=other, CopySource={"Bucket": "audit", "Key": archive.key(path)})
    path.unlink()


def replace_digest(archive: Archive, path: Path) -> None:
    """Put the digest before, with its signature, in the place of this one."""
    client = archive.server.client("s3")
    before = archive.digests()[archive.digests().index(path) - 1]
    client.copy_object(
        Bucket="audit", Key=archive.key(path), CopySource={"Bucket": "audit", "Key": archive.key(before)}
    )


DIGESTS: dict[str, tuple[Callable[[Archive, Path], Any], str]] = {
    "edited": (
        lambda _, path: alter(path, '"awsAccountId":"1', '"awsAccountId":"2'),
        "INVALID: signature verification failed",
    ),
    "truncated": (lambda _, path: path.write_bytes(path.read_bytes()[:99]), "INVALID: invalid format"),
    "no gzip": (lambda _, path: path.write_bytes(b"something else"), "INVALID: invalid format"),
    "deleted": (lambda _, path: path.unlink(), "INVALID: not found"),
    "swapped signature": (swap_signatures, "INVALID: signature verification failed"),
    "no signature": (drop_signature, "INVALID: signature verification failed"),
    "renamed": (rename_digest, "INVALID: not found"),
    "moved": (lambda _, path: path.rename(path.parent.parent / path.name), "INVALID: not found"),
    "replaced": (replace_digest, "INVALID: has been moved from its original location"),
    "says another place": (
        lambda _, path: alter(path, '"digestS3Bucket":"audit"', '"digestS3Bucket":"elsewhere"'),
        "INVALID: has been moved from its original location",
    ),
    "unknown key": (
        lambda _, path: alter(path, read(path)["digestPublicKeyFingerprint"], "0" * 32),
        f"INVALID: public key not found in region {REGION} for fingerprint {'0' * 32}",
    ),
}


@pytest.mark.parametrize("part", range(PARTS))
def test_changed_digest_files_are_told_by_both(archive: Archive, part: int) -> None:
    """Three at a time with untouched ones between, since nothing is said of what an invalid digest refers to."""
    changes = list(DIGESTS)[part::PARTS]
    digests = archive.digests()
    paths = {change: digests[1 + 3 * place] for place, change in enumerate(changes)}
    keys = {change: archive.key(path) for change, path in paths.items()}
    for change in changes:
        DIGESTS[change][0](archive, paths[change])
    for told in (archive.aws(), archive.verify(), archive.verify(*archive.locally)):
        assert told.code == 1, told.text
        for change in changes:
            assert f"Digest file\ts3://audit/{keys[change]}\t{DIGESTS[change][1]}" in told.text, change


def test_what_the_other_validator_does_not_see_is_told(archive: Archive) -> None:
    path = logs_of(archive)[1]
    path.write_bytes(path.read_bytes()[:-3])
    forged = path.with_name(path.name[:-24] + "Z_AAAAAAAAAAAAAAAA.json.gz")
    shutil.copy(path, forged)
    archive.digests()[-1].unlink()
    assert archive.aws().code == 0
    told = archive.verify()
    assert told.code == 1
    assert f"{path.name}\tINVALID: the end of its compressed stream is cut off" in told.text
    assert "in no valid digest file" in told.text
    assert "INVALID: The newest digest file is missing" in told.text


def test_an_archive_without_digests_proves_nothing(archive: Archive) -> None:
    shutil.rmtree(archive.root / "AWSLogs" / ACCOUNT / "CloudTrail-Digest")
    assert archive.aws().code == 0
    told = archive.verify()
    assert told.code == 1
    assert "No digests found" in told.text
    assert told.text.count("The newest digest file is missing") == 2
    assert told.text.count("in no valid digest file") == 2


def test_copies_are_proved_with_saved_keys_and_no_server(archive: Archive, tmp_path: Path) -> None:
    answers = [
        archive.server.aws("cloudtrail", "list-public-keys", "--start-time", "0", "--region", name)
        for name in (REGION, OTHER)
    ]
    keys = tmp_path / "keys.json"
    keys.write_text(json.dumps(answers))
    whole = tmp_path / "whole"
    shutil.copytree(archive.root.parent, whole, copy_function=shutil.copy2)
    plain = tmp_path / "plain"
    shutil.copytree(archive.root / "AWSLogs", plain / "AWSLogs")
    words = ("--public-keys", str(keys), "--data", str(tmp_path), "--jobs", "2")
    told = archive.verify("--archive", str(whole), *words)
    assert told.code == 0, told.text
    told = archive.verify("--archive", str(plain / "AWSLogs"), *words)
    assert told.text.count("its signature is not in this copy") == 4
    told = archive.verify("--archive", "s3://audit/prod", "--state", str(tmp_path / "state"))
    assert told.code == 0, told.text
    told = archive.verify("--archive", "s3://audit/prod/AWSLogs", "--state", str(tmp_path / "other"), "--jobs", "2")
    assert told.code == 0, told.text


def test_reports_are_json_lines_and_junit(archive: Archive, tmp_path: Path) -> None:
    path = logs_of(archive)[1]
    path.unlink()
    junit = tmp_path / "report.xml"
    told = archive.verify("--archive", str(archive.root), "--output", "json", "--junit", str(junit), "--quiet")
    assert told.code == 1
    report = json.loads(told.text)
    assert report["Proved"] is False
    assert report["LogFiles"]["Invalid"] == 1
    assert [item["Text"] for item in report["Findings"] if item["Verdict"] == "invalid"] == ["not found"]
    assert f"{path.name}\tINVALID: not found</failure>" in junit.read_text()
    told = archive.verify("--archive", str(archive.root), "--output", "jsonl")
    lines = [json.loads(line) for line in told.text.splitlines()]
    assert lines[-1]["LogFiles"]["Invalid"] == 1
    assert len(lines) == 1 + sum(item["Verdict"] is not None for item in lines[:-1])


@pytest.mark.parametrize(
    ("words", "code"),
    [
        ((), 2),
        (("--trail-arn", "main"), 2),
        (("--trail-arn", ARN, "--start", "now"), 2),
        (("--trail-arn", ARN.replace("main", "other")), 4),
        (("--archive", "/nowhere"), 3),
        (("--archive", "s3://nowhere/x"), 4),
        (("--trail-arn", ARN, "--endpoint-url", "http://127.0.0.1:9"), 4),
        (("--trail-arn", ARN, "--public-keys", "/etc/hostname"), 3),
    ],
)
def test_what_cannot_be_done_ends_with_its_exit_code(archive: Archive, words: tuple[str, ...], code: int) -> None:
    done = subprocess.run(
        [*archive.server.command, "verify", *words], env=archive.server.env, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == code, done.stderr
    assert done.stderr.startswith("error: ")
    assert "Traceback" not in done.stderr
