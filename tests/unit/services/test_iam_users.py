"""Users, groups, keys, tags and the account, asked through the SDK."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from identity_scenes import ACCOUNT, ALLOW_ALL, OTHER, Scene, code_of, message_of, policy


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    scene = Scene(tmp_path)
    yield scene
    scene.close()


def test_a_user_is_created_shown_renamed_and_deleted(scene: Scene) -> None:
    iam = scene.client("iam")
    made = iam.create_user(UserName="Dana", Path="/ops/", Tags=[{"Key": "team", "Value": "blue"}])["User"]
    assert made["Arn"] == f"arn:aws:iam::{ACCOUNT}:user/ops/Dana"
    assert (made["UserId"][:4], len(made["UserId"])) == ("AIDA", 21)
    assert iam.get_user(UserName="Dana")["User"] == made
    iam.update_user(UserName="Dana", NewUserName="Eve", NewPath="/")
    renamed = iam.get_user(UserName="Eve")["User"]
    assert (renamed["UserId"], renamed["Arn"]) == (made["UserId"], f"arn:aws:iam::{ACCOUNT}:user/Eve")
    assert code_of(iam.get_user, UserName="Dana") == "NoSuchEntity"
    iam.delete_user(UserName="Eve")
    assert code_of(iam.delete_user, UserName="Eve") == "NoSuchEntity"


def test_names_are_unique_without_regard_to_case(scene: Scene) -> None:
    iam = scene.client("iam")
    iam.create_user(UserName="dana")
    assert code_of(iam.create_user, UserName="DANA") == "EntityAlreadyExists"
    iam.create_user(UserName="eve")
    assert code_of(iam.update_user, UserName="eve", NewUserName="Dana") == "EntityAlreadyExists"


def test_a_path_must_begin_and_end_with_a_slash(scene: Scene) -> None:
    assert code_of(scene.client("iam").create_user, UserName="dana", Path="//") == "ValidationError"


def test_lists_come_in_pages_in_order_and_below_a_path(scene: Scene) -> None:
    iam = scene.client("iam")
    for name in ("d", "b", "a", "c"):
        iam.create_user(UserName=name, Path="/x/" if name > "b" else "/")
    first = iam.list_users(MaxItems=3)
    assert ([user["UserName"] for user in first["Users"]], first["IsTruncated"]) == (["a", "b", "c"], True)
    rest = iam.list_users(MaxItems=3, Marker=first["Marker"])
    assert ([user["UserName"] for user in rest["Users"]], rest["IsTruncated"]) == (["d"], False)
    assert "Marker" not in rest
    assert [user["UserName"] for user in iam.list_users(PathPrefix="/x/")["Users"]] == ["c", "d"]
    pages = iam.get_paginator("list_users").paginate(PaginationConfig={"PageSize": 1})
    assert [user["UserName"] for page in pages for user in page["Users"]] == ["a", "b", "c", "d"]


def test_a_marker_belongs_to_its_list(scene: Scene) -> None:
    iam = scene.client("iam")
    for name in "ab":
        iam.create_user(UserName=name)
    marker = iam.list_users(MaxItems=1)["Marker"]
    assert code_of(iam.list_groups, Marker=marker) == "ValidationError"
    assert code_of(iam.list_users, Marker=marker, PathPrefix="/a/") == "ValidationError"
    assert code_of(iam.list_users, Marker="nonsense") == "ValidationError"
    assert code_of(scene.client("iam", scene.other_root).list_users, Marker=marker) == "ValidationError"


def test_accounts_do_not_see_each_others_users(scene: Scene) -> None:
    scene.client("iam").create_user(UserName="dana")
    other = scene.client("iam", scene.other_root)
    assert other.list_users()["Users"] == []
    assert other.create_user(UserName="dana")["User"]["Arn"] == f"arn:aws:iam::{OTHER}:user/dana"


def test_a_user_with_anything_left_is_not_deleted(scene: Scene) -> None:
    iam = scene.client("iam")
    key = scene.user("dana", ALLOW_ALL)
    iam.create_group(GroupName="g")
    iam.add_user_to_group(GroupName="g", UserName="dana")
    iam.attach_user_policy(UserName="dana", PolicyArn="arn:aws:iam::aws:policy/ReadOnlyAccess")
    steps = [
        lambda: iam.delete_access_key(UserName="dana", AccessKeyId=key["AccessKeyId"]),
        lambda: iam.detach_user_policy(UserName="dana", PolicyArn="arn:aws:iam::aws:policy/ReadOnlyAccess"),
        lambda: iam.delete_user_policy(UserName="dana", PolicyName="p"),
        lambda: iam.remove_user_from_group(GroupName="g", UserName="dana"),
    ]
    for step in steps:
        assert code_of(iam.delete_user, UserName="dana") == "DeleteConflict"
        step()
    iam.delete_user(UserName="dana")


def test_a_user_has_two_keys_at_most(scene: Scene) -> None:
    iam = scene.client("iam")
    iam.create_user(UserName="dana")
    keys = [iam.create_access_key(UserName="dana")["AccessKey"] for _ in range(2)]
    assert all(key["AccessKeyId"].startswith("AKIA") and len(key["SecretAccessKey"]) == 40 for key in keys)
    assert code_of(iam.create_access_key, UserName="dana") == "LimitExceeded"
    listed = iam.list_access_keys(UserName="dana")["AccessKeyMetadata"]
    assert [key["AccessKeyId"] for key in listed] == [key["AccessKeyId"] for key in keys]
    assert all("SecretAccessKey" not in key and key["Status"] == "Active" for key in listed)


def test_a_user_who_names_nobody_means_himself(scene: Scene) -> None:
    key = scene.user("dana", ALLOW_ALL)
    own = scene.client("iam", key)
    assert own.get_user()["User"]["UserName"] == "dana"
    assert [item["AccessKeyId"] for item in own.list_access_keys()["AccessKeyMetadata"]] == [key["AccessKeyId"]]
    second = own.create_access_key()["AccessKey"]
    assert second["UserName"] == "dana"
    own.update_access_key(AccessKeyId=second["AccessKeyId"], Status="Inactive")
    own.delete_access_key(AccessKeyId=second["AccessKeyId"])


def test_root_who_names_nobody_means_the_account(scene: Scene) -> None:
    iam = scene.client("iam")
    assert iam.get_user()["User"]["Arn"] == f"arn:aws:iam::{ACCOUNT}:root"
    second = iam.create_access_key()["AccessKey"]
    assert scene.client("sts", second).get_caller_identity()["UserId"] == ACCOUNT
    assert len(iam.list_access_keys()["AccessKeyMetadata"]) == 2
    assert code_of(iam.delete_access_key, UserName="dana", AccessKeyId=second["AccessKeyId"]) == "NoSuchEntity"
    iam.delete_access_key(AccessKeyId=second["AccessKeyId"])


def test_keys_of_another_user_or_account_are_not_found(scene: Scene) -> None:
    iam = scene.client("iam")
    key, _ = scene.user("dana"), scene.user("eve")
    arguments = {"AccessKeyId": key["AccessKeyId"]}
    assert code_of(iam.delete_access_key, UserName="eve", **arguments) == "NoSuchEntity"
    other = scene.client("iam", scene.other_root)
    assert code_of(other.delete_access_key, **arguments) == "NoSuchEntity"
    assert code_of(other.get_access_key_last_used, **arguments) == "NoSuchEntity"


def test_when_a_key_was_last_used_is_known_after_the_next_tick(scene: Scene) -> None:
    iam, key = scene.client("iam"), scene.user("dana", ALLOW_ALL)
    unused = iam.get_access_key_last_used(AccessKeyId=key["AccessKeyId"])["AccessKeyLastUsed"]
    assert unused == {"ServiceName": "N/A", "Region": "N/A"}
    scene.client("sts", key).get_caller_identity()
    assert scene.runner.run(scene.credentials.tick()) == 30.0
    answer = iam.get_access_key_last_used(AccessKeyId=key["AccessKeyId"])
    assert answer["UserName"] == "dana"
    assert answer["AccessKeyLastUsed"].pop("LastUsedDate") <= scene.clock.now()
    assert answer["AccessKeyLastUsed"] == {"ServiceName": "sts", "Region": "us-west-2"}


def test_groups_hold_users(scene: Scene) -> None:
    iam = scene.client("iam")
    iam.create_group(GroupName="devs", Path="/x/")
    for name in ("dana", "eve"):
        iam.create_user(UserName=name)
        iam.add_user_to_group(GroupName="devs", UserName=name)
        iam.add_user_to_group(GroupName="devs", UserName=name)
    got = iam.get_group(GroupName="devs")
    assert got["Group"]["GroupId"].startswith("AGPA")
    assert [user["UserName"] for user in got["Users"]] == ["dana", "eve"]
    assert code_of(iam.delete_group, GroupName="devs") == "DeleteConflict"
    iam.update_group(GroupName="devs", NewGroupName="makers")
    assert [group["GroupName"] for group in iam.list_groups_for_user(UserName="dana")["Groups"]] == ["makers"]
    assert [group["GroupName"] for group in iam.list_groups()["Groups"]] == ["makers"]
    for name in ("dana", "eve"):
        iam.remove_user_from_group(GroupName="makers", UserName=name)
    iam.delete_group(GroupName="makers")
    assert code_of(iam.get_group, GroupName="makers") == "NoSuchEntity"


def test_a_user_is_in_ten_groups_at_most(scene: Scene) -> None:
    iam = scene.client("iam")
    iam.create_user(UserName="dana")
    for number in range(11):
        iam.create_group(GroupName=f"g{number}")
    for number in range(10):
        iam.add_user_to_group(GroupName=f"g{number}", UserName="dana")
    assert code_of(iam.add_user_to_group, GroupName="g10", UserName="dana") == "LimitExceeded"


@pytest.mark.parametrize("kind", ["user", "role"])
def test_tags_are_added_replaced_and_removed(scene: Scene, kind: str) -> None:
    iam = scene.client("iam")
    if kind == "user":
        iam.create_user(UserName="x")
    else:
        scene.role("x", {"AWS": ACCOUNT})
    name = {f"{kind.capitalize()}Name": "x"}
    tag, untag = getattr(iam, f"tag_{kind}"), getattr(iam, f"untag_{kind}")
    tag(**name, Tags=[{"Key": "a", "Value": "1"}, {"Key": "b", "Value": ""}])
    tag(**name, Tags=[{"Key": "A", "Value": "2"}])
    assert getattr(iam, f"list_{kind}_tags")(**name)["Tags"] == [{"Key": "b", "Value": ""}, {"Key": "A", "Value": "2"}]
    untag(**name, TagKeys=["a", "missing"])
    assert getattr(iam, f"get_{kind}")(**name)[kind.capitalize()]["Tags"] == [{"Key": "b", "Value": ""}]
    twice = [{"Key": "x", "Value": ""}, {"Key": "X", "Value": ""}]
    assert code_of(tag, **name, Tags=twice) == "InvalidInput"
    many = [{"Key": str(number), "Value": ""} for number in range(50)]
    assert code_of(tag, **name, Tags=many) == "LimitExceeded"


def test_the_alias_of_an_account_is_roots_name(scene: Scene) -> None:
    iam = scene.client("iam")
    iam.create_account_alias(AccountAlias="studio-prod")
    iam.create_account_alias(AccountAlias="studio-live")
    assert iam.list_account_aliases()["AccountAliases"] == ["studio-live"]
    other = scene.client("iam", scene.other_root)
    assert code_of(other.create_account_alias, AccountAlias="studio-live") == "EntityAlreadyExists"
    assert scene.principal_of({"AccessKeyId": scene.root.access_key}).user_name == "studio-live"
    assert scene.events()[-2]["userIdentity"]["userName"] == "studio-live"
    assert code_of(iam.delete_account_alias, AccountAlias="studio-prod") == "NoSuchEntity"
    iam.delete_account_alias(AccountAlias="studio-live")
    assert iam.list_account_aliases()["AccountAliases"] == []


def test_the_summary_counts_what_is_there(scene: Scene) -> None:
    scene.user("dana")
    scene.role("r", {"AWS": ACCOUNT})
    scene.client("iam").create_policy(PolicyName="p", PolicyDocument=policy(ALLOW_ALL))
    summary = scene.client("iam").get_account_summary()["SummaryMap"]
    counted = ("Users", "Roles", "Groups", "Policies", "PolicyVersionsInUse", "AccountAccessKeysPresent")
    assert [summary[name] for name in counted] == [1, 1, 0, 1, 1, 1]


def test_parameters_that_break_the_model_are_refused_in_its_words(scene: Scene) -> None:
    iam = scene.client("iam")
    assert code_of(iam.create_user, UserName="with space") == "ValidationError"
    assert "failed to satisfy constraint" in message_of(iam.create_user, UserName="with space")
