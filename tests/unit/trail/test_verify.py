"""Verification of archives: every kind of change is found, in the words of CloudTrail's validator, and what that one misses."""

import asyncio
import gzip
import hashlib
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest
from digest_scenes import ACCOUNT, OTHER_REGION, REGION, Keys
from verify_scenes import LOGS, ArchiveScene, rewrite

from apitrail.objects.folder import FolderBucket
from apitrail.objects.keys import facts_path
from apitrail.trail import verify_ahead
from apitrail.trail.digest import string_to_sign
from apitrail.trail.keys import make_key
from apitrail.trail.verify_archive import ARCHIVED, FolderArchive, find_top
from apitrail.trail.verify_ledger import Ledger, LedgerError

HOURS = 5


@pytest.fixture
def made(tmp_path: Path) -> Iterator[ArchiveScene]:
    scene = ArchiveScene(tmp_path)
    scene.scene.start()
    scene.scene.tick()
    scene.live(HOURS)
    scene.save()
    yield scene
    scene.scene.close()


def gone(path: Path) -> None:
    path.unlink()


def set_metadata(made: ArchiveScene, path: Path, **metadata: str) -> None:
    """Put a file again with other metadata."""
    key = path.relative_to(made.root).as_posix()
    body = path.read_bytes()
    asyncio.run(FolderBucket(made.root).put(key, body, content_type="", metadata=metadata))


def metadata_of(made: ArchiveScene, path: Path) -> dict[str, str]:
    key = path.relative_to(made.root).as_posix()
    info = asyncio.run(FolderBucket(made.root).head(key))
    assert info is not None
    return dict(info.facts.metadata)


def test_an_untouched_archive_is_proved(made: ArchiveScene) -> None:
    found, tally = made.verify()
    assert tally.is_proved
    assert tally.count("digest", "valid") == HOURS
    assert tally.count("log", "valid") == 2 * HOURS
    assert [item.kind for item in found[:3]] == ["digest", "log", "log"]
    assert found[0].place > found[3].place


LOG_CHANGES: dict[str, tuple[Callable[[Path], Any], str]] = {
    "edited": (lambda path: rewrite(path, ("CreateFleet", "DeleteFleet")), "hash value doesn't match"),
    "truncated": (lambda path: path.write_bytes(path.read_bytes()[:60]), "hash value doesn't match"),
    "replaced": (lambda path: path.write_bytes(gzip.compress(b'{"Records":[]}')), "hash value doesn't match"),
    "emptied": (lambda path: path.write_bytes(b""), "hash value doesn't match"),
    "no gzip": (lambda path: path.write_bytes(b"no gzip at all"), "invalid format"),
    "wrong crc": (
        lambda path: path.write_bytes(path.read_bytes()[:-8] + b"1234" + path.read_bytes()[-4:]),
        "invalid format",
    ),
    "something behind": (
        lambda path: path.write_bytes(path.read_bytes() + b"x"),
        "unexpected data after end of compressed stream",
    ),
    "a second member": (
        lambda path: path.write_bytes(path.read_bytes() + gzip.compress(b"x")),
        "unexpected data after end of compressed stream",
    ),
    "trailer cut": (
        lambda path: path.write_bytes(path.read_bytes()[:-4]),
        "the end of its compressed stream is cut off",
    ),
    "deleted": (gone, "not found"),
}


@pytest.mark.parametrize("change", LOG_CHANGES)
def test_a_changed_log_file_is_found(made: ArchiveScene, change: str) -> None:
    apply, message = LOG_CHANGES[change]
    path = made.logs(made.digests()[2])[1]
    apply(path)
    assert made.problems() == [("log", path.name, message)]


def test_a_renamed_log_file_is_missing_and_unlisted(made: ArchiveScene) -> None:
    path = made.logs(made.digests()[0])[0]
    other = path.with_name(path.name[:-12] + "Zz" + path.name[-10:])
    path.rename(other)
    assert made.problems() == [
        ("log", path.name, "not found"),
        ("log", other.name, "not listed in any digest file"),
    ]


def test_a_log_file_that_was_never_delivered_is_found(made: ArchiveScene) -> None:
    path = made.logs(made.digests()[1])[0]
    forged = path.with_name(f"{ACCOUNT}_CloudTrail_{REGION}_20260304T1030Z_AAAAAAAAAAAAAAAA.json.gz")
    shutil.copy(path, forged)
    assert made.problems() == [("log", forged.name, "not listed in any digest file")]


DIGEST_CHANGES: dict[str, tuple[Callable[[Path], Any], str]] = {
    "edited": (lambda path: rewrite(path, ("T10:15:01Z", "T10:15:02Z")), "signature verification failed"),
    "re-compressed with a space": (lambda path: rewrite(path, ("{", "{ ")), "signature verification failed"),
    "truncated": (lambda path: path.write_bytes(path.read_bytes()[:-4]), "invalid format"),
    "something behind": (lambda path: path.write_bytes(path.read_bytes() + b"x"), "invalid format"),
    "no gzip": (lambda path: path.write_bytes(b"x"), "invalid format"),
    "no object": (lambda path: path.write_bytes(gzip.compress(b"[1]")), "invalid format"),
    "a member missing": (lambda path: rewrite(path, ("digestEndTime", "end")), "invalid format"),
    "another name inside": (lambda path: rewrite(path, ("T111501Z", "T111502Z")), "moved"),
    "deleted": (gone, "not found"),
}


@pytest.mark.parametrize("change", DIGEST_CHANGES)
def test_a_changed_digest_is_found_and_its_hour_is_without_proof(made: ArchiveScene, change: str) -> None:
    apply, message = DIGEST_CHANGES[change]
    path = made.digests()[1]
    apply(path)
    problems = made.problems()
    assert (problems[0][0], problems[0][1]) == ("digest", path.name)
    assert message in problems[0][2]
    assert [kind for kind, _, _ in problems[1:]] == ["time", "time"]
    assert "log files" in problems[1][2]
    assert (
        problems[2][2] == "No valid digest file proves the time between 2026-03-04T10:15:01Z and 2026-03-04T11:15:01Z"
    )


def test_a_moved_digest_is_found(made: ArchiveScene) -> None:
    path = made.digests()[2]
    moved = path.with_name(path.name.replace("T121501Z", "T121502Z"))
    key = moved.relative_to(made.root).as_posix()
    facts = metadata_of(made, path)
    asyncio.run(FolderBucket(made.root).put(key, path.read_bytes(), content_type="", metadata=facts))
    path.unlink()
    texts = {(name, text) for _, name, text in made.problems()}
    assert (moved.name, "has been moved from its original location") in texts
    assert (path.name, "not found") in texts


def test_a_swapped_signature_is_found(made: ArchiveScene) -> None:
    first, second = made.digests()[:2]
    set_metadata(made, first, **metadata_of(made, second))
    assert ("digest", first.name, "signature verification failed") in made.problems()


@pytest.mark.parametrize("signature", ["", "00", "xyz", "é"])
def test_a_missing_or_broken_signature_is_found(made: ArchiveScene, signature: str) -> None:
    path = made.digests()[1]
    set_metadata(made, path, **{"signature": signature, "signature-algorithm": "SHA256withRSA"})
    assert ("digest", path.name, "signature verification failed") in made.problems()


def test_metadata_that_is_gone_is_found(made: ArchiveScene) -> None:
    path = made.digests()[1]
    key = path.relative_to(made.root).as_posix()
    made.root.joinpath(*(part.decode() for part in facts_path(key.encode()))).unlink()
    assert ("digest", path.name, "signature verification failed") in made.problems()


def test_an_unknown_key_and_one_that_is_none_are_told(made: ArchiveScene) -> None:
    ((fingerprint, _),) = made.public_keys().items()
    message = f"public key not found in region {REGION} for fingerprint {fingerprint}"
    assert made.problems({})[0] == ("digest", made.digests()[-1].name, message)
    message = f"Unable to load PKCS #1 key with fingerprint {fingerprint}"
    assert made.problems({fingerprint: b"junk"})[0][2] == message


def test_a_key_that_is_not_the_signer_proves_nothing(made: ArchiveScene) -> None:
    ((fingerprint, _),) = made.public_keys().items()
    assert made.problems({fingerprint: make_key().value})[0][2] == "signature verification failed"


def test_the_newest_digest_gone_is_found_with_the_help_of_the_server(made: ArchiveScene) -> None:
    last = made.digests()[-1]
    delivered = last.stat().st_mtime
    last.unlink()
    later = int(delivered) + 90_000
    found = made.problems(latest={REGION: delivered + 86_400}, end=later, now=later)
    assert any("the server delivered one at" in text for _, _, text in found)
    assert not any(
        "the server" in text for _, _, text in made.problems(latest={REGION: delivered}, end=later, now=later)
    )


def test_the_newest_digest_gone_is_found_by_the_silence_after_it(made: ArchiveScene) -> None:
    for path in made.digests()[-2:]:
        for log in made.logs(path):
            log.unlink()
        path.unlink()
    assert made.problems(now=made.now + 7200, end=made.now + 7200) == [
        (
            "time",
            f"{ACCOUNT} {REGION}",
            "No valid digest file proves the time between 2026-03-04T12:15:01Z and 2026-03-04T16:15:07Z",
        )
    ]


def test_all_digests_gone_is_found_by_their_log_files(made: ArchiveScene) -> None:
    for path in made.digests():
        path.unlink()
    ((kind, _, text),) = made.problems()
    assert kind == "time"
    assert text == "10 log files of 2026-03-04T09:15 to 2026-03-04T13:45Z are in no valid digest file"


def test_an_empty_archive_proves_nothing(made: ArchiveScene) -> None:
    shutil.rmtree(made.root / "AWSLogs")
    found, tally = made.verify()
    assert (found, tally.is_proved) == ([], False)


def test_a_digest_that_is_not_the_one_referred_to_is_found(made: ArchiveScene) -> None:
    """Somebody who holds the key can sign; the digest after it still knows better."""
    path = made.digests()[2]
    content = orjson.loads(gzip.decompress(path.read_bytes()))
    content["logFiles"].pop()
    body = orjson.dumps(content)
    key = Keys()()
    assert key.fingerprint in made.public_keys()
    signed = string_to_sign(
        content["digestEndTime"],
        content["digestS3Bucket"],
        content["digestS3Object"],
        hashlib.sha256(body).hexdigest(),
        content["previousDigestSignature"],
    )
    path.write_bytes(gzip.compress(body))
    set_metadata(made, path, **{"signature": key.sign(signed), "signature-algorithm": "SHA256withRSA"})
    assert ("digest", path.name, "is not the file that the next digest file refers to") in made.problems()


def test_a_stop_of_logging_explains_the_silence_after_it(tmp_path: Path) -> None:
    made = ArchiveScene(tmp_path)
    made.scene.start()
    made.scene.tick()
    made.live(2, REGION, OTHER_REGION)
    stop(made)
    made.scene.clock.advance(5 * 3600)
    made.scene.start()
    made.live(2, REGION, OTHER_REGION)
    stop(made)
    made.scene.clock.advance(9 * 3600)
    made.save()
    found, tally = made.verify()
    assert tally.is_proved
    texts = [item.text for item in found if item.kind == "time"]
    assert len(texts) == 4
    assert all(text.startswith("No log files were delivered by CloudTrail between") for text in texts)
    assert {item.scope for item in found} == {f"{ACCOUNT} {REGION}", f"{ACCOUNT} {OTHER_REGION}"}
    made.digests()[-1].unlink()
    assert [kind for kind, _, _ in made.problems()] == ["time", "time", "time"]
    made.scene.close()


def stop(made: ArchiveScene) -> None:
    """Stop logging with an event as CloudTrail writes it, and let everything be delivered."""
    scene = made.scene
    event = {
        "eventTime": scene.clock.now().strftime("%Y-%m-%dT%H:%M:%SZ"),
        "eventSource": "cloudtrail.amazonaws.com",
        "eventName": "StopLogging",
        "requestParameters": {"name": "audit"},
        "eventID": "stop",
    }
    scene.stop_with(event)
    scene.deliver()
    scene.tick()


@pytest.mark.parametrize("most", [4000, 2])
def test_worker_processes_that_read_ahead_find_the_same(tmp_path: Path, most: int, monkeypatch: Any) -> None:
    monkeypatch.setattr(verify_ahead, "CHUNK", 3)
    monkeypatch.setattr(verify_ahead, "DIGESTS_MAX", most)
    made = ArchiveScene(tmp_path)
    made.scene.start()
    made.scene.tick()
    made.live(HOURS, REGION, OTHER_REGION, "ap-south-1")
    made.save()
    rewrite(made.logs(made.digests()[1])[0], ("CreateFleet", "DeleteFleet"))
    gone(sorted((made.root / f"AWSLogs/{ACCOUNT}/CloudTrail-Digest/{OTHER_REGION}").rglob("*.gz"))[2])
    alone, _ = made.verify()
    made.jobs = 2
    together, tally = made.verify()
    assert together == alone
    assert tally.count("digest", "valid") > 2 * HOURS and tally.count("log", "invalid") == 1
    made.scene.close()


def test_a_range_reads_only_its_own_digests(made: ArchiveScene) -> None:
    start = made.now - 2 * 3600
    _, tally = made.verify(start=start)
    assert tally.is_proved
    assert tally.count("digest", "valid") == 2
    assert tally.found is not None
    assert tally.found.start == start
    assert not any("T101501Z" in key for key in made.archive.read)


def test_a_range_in_the_past_is_proved_by_what_came_after_it(made: ArchiveScene) -> None:
    end = made.now - 3 * 3600
    _, tally = made.verify(end=end)
    assert tally.is_proved
    assert tally.count("digest", "valid") == 3


def test_a_log_file_that_came_late_is_found_in_a_later_digest(tmp_path: Path) -> None:
    made = ArchiveScene(tmp_path)
    made.scene.start()
    made.live(1)
    made.scene.event()
    made.scene.deliver()
    row = "UPDATE log_files SET delivered_at = delivered_at + 10800 WHERE id = (SELECT max(id) FROM log_files)"
    made.scene.write(lambda tx: tx.run(row))
    made.scene.clock.advance(3 * 3600)
    made.live(5)
    made.save()
    end = made.now - 6 * 3600
    assert made.problems(end=end) == []
    assert made.problems() == []
    made.scene.close()


def test_a_plain_copy_is_proved_up_to_its_newest_digest(made: ArchiveScene) -> None:
    shutil.rmtree(made.root)
    made.save(metadata=False)
    _, tally = made.verify()
    assert tally.is_proved
    assert tally.count("digest", "valid") == HOURS - 1
    assert tally.count("digest", "note") == 1
    assert made.problems(now=made.now + 86_400, end=made.now - 3700) == []
    assert made.problems(now=made.now + 86_400)[0][2].startswith("its signature is not in this copy")
    path = made.digests()[1]
    rewrite(path, ("T10:15:01Z", "T10:15:02Z"))
    problems = made.problems()
    assert ("digest", path.name, "signature verification failed") in problems
    assert [kind for kind, _, _ in problems if kind == "digest"] == ["digest"]


def test_a_copy_below_another_prefix_is_proved_and_in_place_it_would_not_be(made: ArchiveScene) -> None:
    inner = made.root / "kept" / "elsewhere"
    inner.mkdir(parents=True)
    (made.root / "AWSLogs").rename(inner / "AWSLogs")
    (made.root / ".apitrail").rename(inner / ".apitrail")
    made.root = inner
    made.archive = type(made.archive)(inner)
    assert made.problems() == []
    assert {text for kind, _, text in made.problems(exact=True) if kind == "digest"} == {
        "has been moved from its original location"
    }


def test_a_backfill_digest_is_proved_and_its_log_file_counts(tmp_path: Path) -> None:
    made = ArchiveScene(tmp_path)
    made.scene.start()
    made.scene.tick()
    made.live(1)
    made.scene.event()
    made.scene.deliver()
    before = made.scene.clock.now().timestamp() - 60
    made.scene.write(lambda tx: tx.run("UPDATE log_files SET delivered_at = ? WHERE digest IS NULL", (before,)))
    made.live(4)
    made.save()
    _, tally = made.verify()
    assert tally.is_proved
    assert tally.count("backfill", "valid") == 1
    path = next(path for path in made.digests() if "_backfill" in path.name)
    rewrite(path, ("logFiles", "logfiles"))
    problems = made.problems()
    assert ("backfill", path.name, "invalid format") in problems
    assert [text for kind, _, text in problems if kind == "log"] == ["not listed in any digest file"]
    made.scene.close()


def test_a_second_run_reads_only_what_is_new(made: ArchiveScene, tmp_path: Path) -> None:
    made.ledger_path = tmp_path / "proved.db"
    _, first = made.verify()
    assert (first.is_proved, first.kept) == (True, 0)
    made.live(1)
    made.save()
    _, second = made.verify()
    assert second.is_proved
    assert second.count("log", "valid") == 2 * HOURS + 2
    assert second.kept == 2 * HOURS
    assert len([key for key in made.archive.read if key.startswith(LOGS)]) == 2
    assert len([key for key in made.archive.read if "Digest" in key]) == 1


def test_a_file_that_was_changed_after_it_was_proved_is_found(made: ArchiveScene, tmp_path: Path) -> None:
    made.ledger_path = tmp_path / "proved.db"
    assert made.problems() == []
    log, digest = made.logs(made.digests()[1])[0], made.digests()[0]
    rewrite(log, ("CreateFleet", "DeleteFleet"))
    lost = made.logs(digest)[0]
    lost.unlink()
    rewrite(digest, ("T09:15:01Z", "T09:15:02Z"))
    texts = {(name, text) for _, name, text in made.problems()}
    assert (log.name, "hash value doesn't match") in texts
    assert (digest.name, "signature verification failed") in texts


def test_a_state_file_of_another_archive_or_of_something_else_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "state"
    Ledger(path, "here").close()
    with pytest.raises(LedgerError, match="for archive here, not there"):
        Ledger(path, "there")
    path.write_text("something else, much longer than a header " * 100)
    with pytest.raises(LedgerError, match="cannot use"):
        Ledger(path, "here")


def test_an_organization_folder_and_other_trails_are_seen(made: ArchiveScene) -> None:
    _, tally = made.verify(trail=("audit", REGION, ACCOUNT))
    assert tally.count("digest", "valid") == HOURS
    _, nothing = made.verify(trail=("other", REGION, ACCOUNT))
    assert nothing.count("digest", "valid") == 0
    assert not nothing.is_proved
    _, nowhere = made.verify(regions=frozenset(("eu-north-1",)))
    assert nowhere.counts == {}


def test_log_files_from_before_the_first_digest_are_a_remark_unless_asked_for(made: ArchiveScene) -> None:
    path = made.logs(made.digests()[0])[0]
    old = (
        made.root
        / LOGS
        / "2026"
        / "03"
        / "01"
        / f"{ACCOUNT}_CloudTrail_{REGION}_20260301T1030Z_AAAAAAAAAAAAAAAA.json.gz"
    )
    old.parent.mkdir()
    shutil.copy(path, old)
    assert made.problems() == []
    ((kind, _, text),) = made.problems(start=made.now - 10 * 86_400)
    assert (kind, text) == ("time", "1 log file of 2026-03-01T10:30Z is in no valid digest file")


def test_a_trail_that_became_an_organizations_goes_on_in_another_folder(tmp_path: Path) -> None:
    made = ArchiveScene(tmp_path)
    made.scene.start()
    made.scene.tick()
    made.live(2)
    made.scene.update(_Organization="o-abcdefghij")
    made.live(2)
    made.save()
    found, tally = made.verify(now=made.now + 1000, end=made.now + 1000)
    assert [item for item in found if item.verdict != "valid"] == []
    assert tally.count("digest", "valid") == 4
    assert tally.count("log", "valid") == 8
    assert tally.is_proved
    assert sum("/o-abcdefghij/" in item.place for item in found) == 6
    next((made.root / "AWSLogs" / ACCOUNT / "CloudTrail-Digest").rglob("*T111501Z*")).unlink()
    assert any("lies in another place" in text for _, _, text in made.problems())
    made.scene.close()


def test_a_changed_prefix_is_told_with_the_place_of_what_was_before(tmp_path: Path) -> None:
    made = ArchiveScene(tmp_path)
    made.scene.start()
    made.scene.tick()
    made.live(2)
    made.scene.event()
    made.scene.deliver()
    made.scene.update(S3KeyPrefix="prod")
    made.live(2)
    made.save()
    made.archive = type(made.archive)(made.root / "prod")
    problems = made.problems()
    assert [(kind, text) for kind, _, text in problems] == [
        ("log", "it lies outside this archive"),
        ("time", "What was before 2026-03-04T11:15:01Z lies in another place: s3://logs/"),
    ]
    assert made.problems(start=made.now - 3600) == []
    made.scene.close()


def archive(made: ArchiveScene, path: Path) -> None:
    """Let a file become archived, as by a lifecycle rule."""
    bucket, key = FolderBucket(made.root), path.relative_to(made.root).as_posix()

    async def main() -> None:
        info = await bucket.head(key)
        assert info is not None and await bucket.archive(info, "GLACIER")

    asyncio.run(main())
    assert not path.exists()


def test_archived_files_of_a_servers_bucket_are_proved_where_they_lie(made: ArchiveScene) -> None:
    digest = made.digests()[1]
    logs = made.logs(digest)
    for path in (digest, *logs):
        archive(made, path)
    assert made.problems() == []
    _, tally = made.verify()
    assert (tally.count("digest", "valid"), tally.count("log", "valid")) == (HOURS, 2 * HOURS)


def test_a_bucket_all_of_which_is_archived_is_proved(made: ArchiveScene) -> None:
    for path in list((made.root / "AWSLogs").rglob("*.gz")):
        archive(made, path)
    assert find_top(FolderArchive(made.root)) == ""
    assert made.problems() == []
    assert made.verify()[1].count("digest", "valid") == HOURS


def test_a_changed_archived_file_is_found(made: ArchiveScene) -> None:
    path = made.logs(made.digests()[1])[0]
    rewrite(path, ("CreateFleet", "DeleteFleet"))
    archive(made, path)
    assert made.problems() == [("log", path.name, "hash value doesn't match")]
    (packed,) = (made.root / ".apitrail" / "archive").rglob("*.xz")
    packed.write_bytes(b"no xz at all")
    assert made.problems() == [("log", path.name, "hash value doesn't match")]
    packed.unlink()
    assert made.problems() == [("log", path.name, "not found")]


def test_a_store_that_wants_archived_files_restored_leaves_them_unproven(made: ArchiveScene) -> None:
    path = made.logs(made.digests()[1])[0]
    made.archive.cold = {path.relative_to(made.root).as_posix()}
    found, tally = made.verify()
    (left,) = [item for item in found if item.verdict == "unproven"]
    assert (left.place.rpartition("/")[2], left.text) == (path.name, ARCHIVED)
    assert not tally.is_proved and not tally.count("log", "invalid")
