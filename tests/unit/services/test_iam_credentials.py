"""The keys of all accounts: right after each change, bounded, and read from the store when first asked for."""

import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from identity_scenes import ACCOUNT, ALLOW_ALL, OTHER, Scene, code_of

from apitrail.services.iam import errors
from apitrail.services.iam.credentials import CACHED_KEYS, StoredCredentials, ensure_account
from apitrail.services.operation import OPERATIONS
from apitrail.wire.models import service_model


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    scene = Scene(tmp_path)
    yield scene
    scene.close()


def test_an_account_is_made_once(scene: Scene) -> None:
    def make(number: str, alias: str = "") -> object:
        return scene.database.write_now(lambda tx: ensure_account(tx, scene.ids, scene.clock.now(), number, alias))

    made = make("777788889999", "studio")
    assert made is not None
    assert make("777788889999") is None
    for number, alias in (("12345", ""), ("12345678901x", ""), ("777788880000", "studio"), ("777788880000", "A--")):
        with pytest.raises(ValueError):
            make(number, alias)


def test_a_new_root_key_works_and_shows_the_alias(scene: Scene) -> None:
    made = scene.account("777788889999")
    assert made.principal.kind == "Root"
    assert re.fullmatch("AKIA[A-Z2-7]{16}", made.access_key)
    assert scene.client("sts", made).get_caller_identity()["Account"] == "777788889999"


def test_a_key_switched_off_is_refused_from_the_next_request_on(scene: Scene) -> None:
    iam, key = scene.client("iam"), scene.user("dana", ALLOW_ALL)
    own = scene.client("sts", key)
    named = {"UserName": "dana", "AccessKeyId": key["AccessKeyId"]}
    assert code_of(own.get_caller_identity) == ""
    iam.update_access_key(**named, Status="Inactive")
    assert code_of(own.get_caller_identity) == "InvalidClientTokenId"
    iam.update_access_key(**named, Status="Active")
    assert code_of(own.get_caller_identity) == ""
    iam.delete_access_key(**named)
    assert code_of(own.get_caller_identity) == "InvalidClientTokenId"


def test_a_key_follows_its_users_new_name(scene: Scene) -> None:
    iam, key = scene.client("iam"), scene.user("dana", ALLOW_ALL)
    own = scene.client("sts", key)
    own.get_caller_identity()
    iam.update_user(UserName="dana", NewUserName="eve")
    assert own.get_caller_identity()["Arn"] == f"arn:aws:iam::{ACCOUNT}:user/eve"
    assert iam.list_access_keys(UserName="eve")["AccessKeyMetadata"][0]["UserName"] == "eve"


def test_a_failed_change_changes_nothing(scene: Scene) -> None:
    key = scene.user("dana", ALLOW_ALL)
    own = scene.client("iam", key)
    assert code_of(own.delete_user, UserName="dana") == "DeleteConflict"
    assert code_of(own.get_user) == ""


def test_a_change_leaves_the_keys_of_other_accounts_in_memory(scene: Scene) -> None:
    find = scene.credentials.find
    mine, other = find(scene.root.access_key), find(scene.other_root.access_key)
    scene.client("iam").create_user(UserName="dana")
    assert find(scene.other_root.access_key) is other
    assert find(scene.root.access_key) is not mine
    assert find(scene.root.access_key) == mine


def test_reading_leaves_memory_as_it_is(scene: Scene) -> None:
    scene.client("iam").list_users()
    known = scene.credentials.find(scene.root.access_key)
    scene.client("iam").list_users()
    assert scene.credentials.find(scene.root.access_key) is known


def test_a_fresh_start_knows_every_key(scene: Scene) -> None:
    key = scene.user("dana", ALLOW_ALL)
    session = scene.client("sts", key).get_session_token()["Credentials"]
    fresh = StoredCredentials(scene.database, scene.clock)
    for name in (scene.root.access_key, key["AccessKeyId"], session["AccessKeyId"]):
        assert fresh.find(name) == scene.credentials.find(name)
    assert fresh.find("AKIAUNKNOWN000000000") is None
    assert fresh.find("") is None


def test_sessions_that_are_over_leave_memory(scene: Scene) -> None:
    session = scene.client("sts").get_session_token(DurationSeconds=900)["Credentials"]
    scene.client("sts", session).get_caller_identity()
    known = scene.credentials.find(session["AccessKeyId"])
    scene.clock.ahead_s = 1000
    scene.runner.run(scene.credentials.tick())
    again = scene.credentials.find(session["AccessKeyId"])
    assert known is not None
    assert again is not known
    assert known.expires_at is not None
    assert scene.clock.now() - known.expires_at > timedelta()


def test_memory_is_bounded(scene: Scene) -> None:
    known = scene.credentials.find(scene.root.access_key)
    assert known is not None
    scene.credentials._known = {str(number): known for number in range(CACHED_KEYS)}
    assert scene.credentials.find(scene.other_root.access_key) is not None
    assert len(scene.credentials._known) == CACHED_KEYS


def test_no_secret_is_in_any_record(scene: Scene) -> None:
    key = scene.user("dana", ALLOW_ALL)
    session = scene.client("sts", key).get_session_token()["Credentials"]
    federated = scene.client("sts", key).get_federation_token(Name="xx")["Credentials"]
    scene.client("iam").list_access_keys(UserName="dana")
    records = str(scene.events())
    for secrets in (key, session, federated):
        assert secrets["SecretAccessKey"] not in records
        assert secrets.get("SessionToken", "-missing-") not in records
    assert OTHER not in records


def test_the_errors_are_those_of_the_model() -> None:
    shapes = {
        shape.name: shape.metadata["error"] for shape in service_model("iam").error_shapes if "error" in shape.metadata
    }
    raised = [
        found for found in vars(errors).values() if isinstance(found, type) and found.__module__ == errors.__name__
    ]
    assert len(raised) > 5
    for error in raised:
        if error is not errors.ValidationError:
            assert shapes[error.code]["httpStatusCode"] == error.status


def test_every_operation_that_identities_need_is_served() -> None:
    kinds = ("User", "Role", "Group")
    wanted = {f"{verb}{kind}" for kind in kinds for verb in ("Create", "Get", "Delete")}
    wanted |= {f"{verb}{kind}Policy" for kind in kinds for verb in ("Put", "Get", "Delete", "Attach", "Detach")}
    wanted |= {f"List{kind}s" for kind in kinds} | {"CreateAccessKey", "GetAccessKeyLastUsed", "GetAccountSummary"}
    assert wanted <= OPERATIONS["iam"].keys()
    assert {"AssumeRole", "GetCallerIdentity", "GetSessionToken", "GetFederationToken"} <= OPERATIONS["sts"].keys()
