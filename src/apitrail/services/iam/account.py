"""The account itself: its alias and what is in it. Source: IAM API Reference."""

from apitrail.services.context import Context
from apitrail.services.iam.access_keys import KEYS_MAX
from apitrail.services.iam.attachments import ATTACHED_MAX
from apitrail.services.iam.errors import EntityAlreadyExistsException, NoSuchEntityException
from apitrail.services.iam.groups import GROUPS_PER_USER
from apitrail.services.iam.policies import POLICIES_MAX, POLICY_MAX, VERSIONS_MAX
from apitrail.services.iam.roles import TRUST_MAX
from apitrail.services.iam.store import GROUP, ROLE, USER, Params, Result, page_of, whole
from apitrail.services.identities import ACCESS_KEYS, ACCOUNTS, POLICIES, key_owner
from apitrail.services.operation import operation


@operation
def create_account_alias(ctx: Context, params: Params) -> None:
    """Give the account an alias, in place of an older one. Raises: EntityAlreadyExists (taken by any account)."""
    alias, accounts = params["AccountAlias"], ACCOUNTS(ctx)
    taken = accounts.find("Alias", alias, limit=1)
    if taken and taken[0].id != ctx.account:
        raise EntityAlreadyExistsException(f"The account alias {alias} already exists.")
    account = accounts.get(ctx.account) or {"Account": ctx.account, "CreateDate": whole(ctx.now)}
    accounts.put(ctx.account, {**account, "Alias": alias})


@operation
def list_account_aliases(ctx: Context, params: Params) -> Result:
    """Return the alias of the account, if it has one."""
    account = ACCOUNTS(ctx).get(ctx.account) or {}
    return page_of(ctx, params, [account["Alias"]] if "Alias" in account else [], "AccountAliases")


@operation
def delete_account_alias(ctx: Context, params: Params) -> None:
    """Take the alias away. Raises: NoSuchEntityException."""
    accounts = ACCOUNTS(ctx)
    account = accounts.get(ctx.account) or {}
    if account.get("Alias") != params["AccountAlias"]:
        raise NoSuchEntityException(f"The account alias {params['AccountAlias']} cannot be found.")
    del account["Alias"]
    accounts.put(ctx.account, account)


@operation
def get_account_summary(ctx: Context, params: Params) -> Result:
    """Return how many identities there are, and the quotas."""
    policies = [entry.doc for entry in POLICIES(ctx).all()]
    return {
        "SummaryMap": {
            "Users": USER.collection(ctx).count(),
            "UsersQuota": USER.count_max,
            "Groups": GROUP.collection(ctx).count(),
            "GroupsQuota": GROUP.count_max,
            "Roles": ROLE.collection(ctx).count(),
            "RolesQuota": ROLE.count_max,
            "Policies": len(policies),
            "PoliciesQuota": POLICIES_MAX,
            "PolicyVersionsInUse": sum(len(policy["_versions"]) for policy in policies),
            "VersionsPerPolicyQuota": VERSIONS_MAX,
            "PolicySizeQuota": POLICY_MAX,
            "AssumeRolePolicySizeQuota": TRUST_MAX,
            "UserPolicySizeQuota": USER.inline_max,
            "RolePolicySizeQuota": ROLE.inline_max,
            "GroupPolicySizeQuota": GROUP.inline_max,
            "AttachedPoliciesPerUserQuota": ATTACHED_MAX,
            "AttachedPoliciesPerRoleQuota": ATTACHED_MAX,
            "AttachedPoliciesPerGroupQuota": ATTACHED_MAX,
            "GroupsPerUserQuota": GROUPS_PER_USER,
            "AccessKeysPerUserQuota": KEYS_MAX,
            "AccountAccessKeysPresent": min(1, ACCESS_KEYS(ctx).count("_owner", key_owner(ctx.account))),
            "AccountMFAEnabled": 0,
            "MFADevices": 0,
            "MFADevicesInUse": 0,
            "Providers": 0,
        }
    }
