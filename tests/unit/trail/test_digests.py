"""The worker of digest files on a virtual clock: windows, chains, ends, outages, keys."""

import stat
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from digest_scenes import ACCOUNT, ARN, OTHER_REGION, REGION, Scene, check

from apitrail.errors import SettingsError
from apitrail.objects.fault import Fault
from apitrail.trail.chains import begin_validation, end_validation, move_validation
from apitrail.trail.keys import public_keys
from apitrail.trail.status import digest_status


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    made = Scene(tmp_path)
    yield made
    made.close()


def test_a_digest_has_the_name_and_members_of_cloudtrails(scene: Scene) -> None:
    scene.start()
    scene.event()
    scene.deliver()
    scene.advance(3606)
    ((key, digest),) = scene.digests().items()
    folder = f"AWSLogs/{ACCOUNT}/CloudTrail-Digest/{REGION}/2026/03/04/"
    assert key == f"{folder}{ACCOUNT}_CloudTrail-Digest_{REGION}_audit_{REGION}_20260304T101501Z.json.gz"
    assert (digest["digestStartTime"], digest["digestEndTime"]) == ("2026-03-04T09:15:01Z", "2026-03-04T10:15:01Z")
    assert digest["previousDigestS3Object"] is digest["previousDigestHashAlgorithm"] is None
    assert digest["oldestEventTime"] == digest["newestEventTime"] == "2026-03-04T09:15:01Z"
    assert [file["hashAlgorithm"] for file in digest["logFiles"]] == ["SHA-256"]
    assert list(digest)[:4] == ["awsAccountId", "digestStartTime", "digestEndTime", "digestS3Bucket"]
    assert check(scene) == 1


def test_a_quiet_hour_has_an_empty_digest(scene: Scene) -> None:
    scene.start()
    scene.tick()
    for _ in range(3):
        scene.advance(3600)
    scene.advance(6)
    digests = list(scene.digests().values())
    assert [digest["logFiles"] for digest in digests] == [[], [], []]
    assert digests[0]["newestEventTime"] is None
    assert digests[2]["digestStartTime"] == digests[1]["digestEndTime"]
    assert check(scene) == 3


def test_nothing_is_written_before_the_window_has_ended(scene: Scene) -> None:
    scene.start()
    scene.event()
    scene.deliver()
    scene.advance(3599)
    assert scene.digests() == {}


def test_each_region_has_its_own_chain_and_key(scene: Scene) -> None:
    scene.start()
    scene.event()
    scene.event(region=OTHER_REGION)
    scene.deliver()
    scene.advance(3606)
    scene.advance(3600)
    by_region = {key.split("/")[3]: digest for key, digest in scene.digests().items()}
    assert sorted(by_region) == [OTHER_REGION, REGION]
    fingerprints = {digest["digestPublicKeyFingerprint"] for digest in by_region.values()}
    assert len(fingerprints) == 2
    assert check(scene) == 4


def test_a_file_marked_after_the_end_of_a_window_is_in_the_next_one(scene: Scene) -> None:
    scene.start()
    scene.tick()
    scene.clock.advance(3601)
    scene.event()
    scene.deliver()
    scene.advance(5)
    scene.advance(3600)
    assert [len(digest["logFiles"]) for digest in scene.digests().values()] == [0, 1]
    check(scene)


def test_stopping_ends_the_chain_with_the_event_that_stopped_it(scene: Scene) -> None:
    scene.start()
    scene.tick()
    scene.event()
    scene.clock.advance(100)
    scene.stop()
    scene.tick()
    assert scene.digests() == {}
    scene.deliver()
    scene.tick()
    (digest,) = scene.digests().values()
    assert digest["digestEndTime"] == "2026-03-04T09:16:42Z"
    logs = scene.objects("/CloudTrail/")
    names = [record["eventName"] for file in digest["logFiles"] for record in logs[file["s3Object"]][0]["Records"]]
    assert names == ["CreateFleet", "StopLogging"]
    assert scene.read(lambda tx: tx.all("SELECT * FROM validations")) == []
    scene.advance(7200)
    assert check(scene) == 1


def test_a_restart_of_logging_begins_a_new_chain(scene: Scene) -> None:
    scene.start()
    scene.stop()
    scene.clock.advance(60)
    scene.start()
    scene.event()
    scene.deliver()
    scene.advance(3606)
    digests = list(scene.digests().values())
    assert [digest["previousDigestS3Object"] for digest in digests] == [None, None]
    assert digests[0]["digestEndTime"] == digests[1]["digestStartTime"] == "2026-03-04T09:16:01Z"
    assert check(scene) == 2


def test_files_delivered_while_validation_is_off_are_never_listed(scene: Scene) -> None:
    scene.start()
    scene.event()
    scene.deliver()
    last = scene.count
    scene.write(lambda tx: end_validation(tx, ARN, last))
    scene.tick()
    scene.event()
    scene.deliver()
    unlisted = set(scene.objects("/CloudTrail/"))
    scene.write(lambda tx: begin_validation(tx, scene.trail, ACCOUNT, scene.clock.now()))
    scene.event()
    scene.deliver()
    scene.advance(3606)
    listed = [file["s3Object"] for digest in scene.digests().values() for file in digest["logFiles"]]
    assert len(listed) == len(set(listed)) == 2
    assert len(unlisted - set(listed)) == 1


def test_another_bucket_gets_the_next_digest_and_the_chain_goes_on(scene: Scene) -> None:
    scene.start()
    scene.tick()
    scene.advance(3606)
    moved = {**scene.trail, "S3BucketName": "elsewhere", "S3KeyPrefix": "prod"}
    scene.write(lambda tx: move_validation(tx, moved))
    scene.advance(3600)
    key, digest = list(scene.digests().items())[1]
    assert key.startswith("prod/AWSLogs/")
    assert (digest["digestS3Bucket"], digest["previousDigestS3Bucket"]) == ("elsewhere", "logs")


def test_a_bucket_that_is_away_gets_its_digests_in_order_with_the_same_bytes(scene: Scene) -> None:
    scene.start()
    scene.tick()
    scene.bucket.script = [Fault("before", code="NoSuchBucket")] * 40
    for _ in range(20):
        scene.advance(600)
    assert scene.digests() == {}
    status = scene.read(lambda tx: digest_status(tx, ARN, REGION))
    assert (status.error, status.success_at) == ("NoSuchBucket", None)
    scene.bucket.script = []
    scene.advance(60)
    assert check(scene) == 3
    status = scene.read(lambda tx: digest_status(tx, ARN, REGION))
    assert status.error == ""
    assert status.success_at == scene.clock.now().timestamp()


def test_a_put_whose_answer_is_lost_leaves_one_digest(scene: Scene) -> None:
    scene.start()
    scene.tick()
    scene.bucket.script = [Fault("after")]
    scene.advance(3606)
    scene.advance(60)
    assert check(scene) == 1
    assert [key for _, key in scene.bucket.calls] == [*scene.digests()] * 2


def test_a_late_mark_goes_into_a_backfill_digest(scene: Scene) -> None:
    scene.start()
    scene.tick()
    scene.advance(3606)
    scene.event()
    scene.deliver()
    before = (scene.clock.now() - timedelta(seconds=60)).timestamp()
    scene.write(lambda tx: tx.run("UPDATE log_files SET delivered_at = ?", (before,)))
    scene.advance(3600)
    backfill = [key for key in scene.digests() if key.endswith("_backfill.json.gz")]
    assert len(backfill) == 1
    assert backfill[0].endswith("_20260304T101501Z_backfill.json.gz")
    facts = scene.objects("_backfill")[backfill[0]][2]
    assert facts["backfill-generation-timestamp"] == "2026-03-04T11:15:07.000Z"
    assert check(scene) == 3


def test_a_clock_set_back_by_an_hour_keeps_the_chain_whole(scene: Scene) -> None:
    scene.start()
    scene.tick()
    scene.advance(3606)
    scene.clock.jump(scene.clock.now() - timedelta(hours=1))
    scene.event()
    scene.deliver()
    for _ in range(3):
        scene.advance(3600)
    assert check(scene) >= 3


def test_a_clock_set_back_by_years_does_not_stop_the_digests(scene: Scene) -> None:
    scene.start()
    scene.tick()
    scene.clock.jump(scene.clock.now() + timedelta(days=3650))
    scene.event()
    scene.deliver()
    scene.tick()
    scene.clock.jump(scene.clock.now() - timedelta(days=3650))
    scene.event()
    scene.deliver()
    made = len(scene.digests())
    for _ in range(3):
        scene.advance(3600)
    scene.advance(6)
    assert check(scene) >= made + 2
    assert made < 200


def test_hours_that_the_server_was_down_are_made_up(scene: Scene) -> None:
    scene.start()
    scene.tick()
    scene.clock.advance(5 * 3600)
    scene.restart()
    scene.event()
    scene.deliver()
    scene.advance(6)
    digests = list(scene.digests().values())
    assert [len(digest["logFiles"]) for digest in digests] == [0] * 5
    scene.advance(3600)
    assert check(scene) == 6


def test_keys_are_renewed_and_old_private_keys_destroyed(scene: Scene) -> None:
    scene.start()
    scene.tick()
    folder = scene.path / "keys"
    (first,) = folder.iterdir()
    assert stat.S_IMODE(first.stat().st_mode) == 0o600
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    scene.advance(20 * 86400 + 10)
    (second,) = folder.iterdir()
    assert second != first
    now = int(scene.clock.now().timestamp())
    listed = scene.read(lambda tx: public_keys(tx, REGION, now - 100, now))
    used = next(key for key in listed if key.fingerprint == first.name.split(".")[1])
    assert used.valid_to - used.valid_from == 30 * 86400
    assert all(key.valid_to >= now + 10 * 86400 - 20 for key in listed)
    assert len(listed) == 2
    check(scene)


def test_keys_cover_the_windows_that_they_sign_afterwards(scene: Scene) -> None:
    scene.start()
    scene.tick()
    scene.clock.advance(60 * 86400)
    scene.tick()
    check(scene)
    first = int(scene.clock.now().timestamp()) - 60 * 86400
    assert len(scene.read(lambda tx: public_keys(tx, REGION, first + 40 * 86400, first + 41 * 86400))) == 1


def test_a_passphrase_protects_private_keys_and_a_wrong_one_is_told(tmp_path: Path) -> None:
    secret = tmp_path / "passphrase"
    secret.write_text("correct horse\n")
    scene = Scene(tmp_path, passphrase_file=str(secret))
    scene.start()
    scene.tick()
    (key,) = (tmp_path / "keys").iterdir()
    assert b"ENCRYPTED PRIVATE KEY" in key.read_bytes()
    secret.write_text("wrong")
    scene.restart()
    scene.advance(3606)
    assert scene.digests() == {}
    assert scene.read(lambda tx: digest_status(tx, ARN, REGION)).error == "SigningKeyUnavailable"
    secret.write_text("correct horse")
    scene.restart()
    scene.advance(60)
    assert check(scene) == 1
    secret.write_text("")
    with pytest.raises(SettingsError, match="empty"):
        scene.restart()
    scene.close()


def test_a_lost_private_key_is_replaced_and_old_digests_stay_provable(scene: Scene) -> None:
    scene.start()
    scene.tick()
    scene.advance(3606)
    next((scene.path / "keys").iterdir()).unlink()
    scene.restart()
    scene.advance(3600)
    assert check(scene) == 2
    assert len({digest["digestPublicKeyFingerprint"] for digest in scene.digests().values()}) == 2
