"""Which services have access to the whole organization, and which members administer them.

Source: Organizations API Reference; User Guide, "Using AWS Organizations with other AWS services". Inferred: a service loses its
delegated administrators with its access.
"""

from apitrail.services.context import Context
from apitrail.services.memberships import (
    ALL_FEATURES,
    ORGANIZATIONS,
    delegate,
    delegates_of,
    is_management,
    members_changed,
    members_of,
)
from apitrail.services.operation import operation
from apitrail.services.organizations.access import Params, Result, managed_organization, member_in, page_of
from apitrail.services.organizations.errors import (
    AccountAlreadyRegisteredException,
    AccountNotRegisteredException,
    ConstraintViolationException,
    InvalidInputException,
)
from apitrail.store.resources import Doc

SERVICE_DOMAIN = ".amazonaws.com"
DELEGATES_MAX = 3


@operation
def enable_aws_service_access(ctx: Context, params: Params) -> None:
    """Let a service see all members; one that does already goes on.

    Raises: InvalidInputException (no service), ConstraintViolationException (not all features), and as managed_organization.
    """
    organization = managed_organization(ctx)
    service = _service(params)
    if organization["FeatureSet"] != ALL_FEATURES:
        message = "This operation needs an organization with all features enabled."
        raise ConstraintViolationException("ORGANIZATION_NOT_IN_ALL_FEATURES_MODE", message)
    if service not in organization["_Services"]:
        _put_services(ctx, organization, {**organization["_Services"], service: ctx.now})


@operation
def disable_aws_service_access(ctx: Context, params: Params) -> None:
    """Take a service's access away, and its delegated administrators; organization trails then see one account.

    Raises: InvalidInputException, and as managed_organization.
    """
    organization = managed_organization(ctx)
    service = _service(params)
    for member in delegates_of(ctx.tx, organization, service):
        delegate(ctx.tx, member["Id"], service, None)
    left = {name: at for name, at in organization["_Services"].items() if name != service}
    _put_services(ctx, organization, left)


@operation
def list_aws_service_access_for_organization(ctx: Context, params: Params) -> Result:
    """Return the services with access. Raises: InvalidInputException, and as managed_organization."""
    organization = managed_organization(ctx, or_delegated=True)
    rows = [{"ServicePrincipal": name, "DateEnabled": at} for name, at in sorted(organization["_Services"].items())]
    return page_of(ctx, params, rows, "EnabledServicePrincipals")


@operation
def register_delegated_administrator(ctx: Context, params: Params) -> None:
    """Let a member administer a service for the organization.

    Raises: AccountNotFoundException, AccountAlreadyRegisteredException, InvalidInputException; ConstraintViolationException
    (the management account, a service without access, too many); and as managed_organization.
    """
    organization = managed_organization(ctx)
    service, member = _service(params), member_in(ctx, organization, params["AccountId"])
    if is_management(organization, member["Id"]):
        message = "You can't register the management account as a delegated administrator."
        raise ConstraintViolationException("CANNOT_REGISTER_MASTER_AS_DELEGATED_ADMINISTRATOR", message)
    if service not in organization["_Services"]:
        message = f"{service} has no access to the organization; enable it with EnableAWSServiceAccess."
        raise ConstraintViolationException("SERVICE_ACCESS_NOT_ENABLED", message)
    if service in member["_Delegated"]:
        raise AccountAlreadyRegisteredException("The account is already a delegated administrator of the service.")
    if len(delegates_of(ctx.tx, organization, service)) >= DELEGATES_MAX:
        message = f"{service} has {DELEGATES_MAX} delegated administrators, which is as many as it may."
        raise ConstraintViolationException("MAX_DELEGATED_ADMINISTRATORS_FOR_SERVICE_LIMIT_EXCEEDED", message)
    delegate(ctx.tx, member["Id"], service, ctx.now)


@operation
def deregister_delegated_administrator(ctx: Context, params: Params) -> None:
    """Let a member administer a service no more.

    Raises: AccountNotFoundException, AccountNotRegisteredException, InvalidInputException, and as managed_organization.
    """
    organization = managed_organization(ctx)
    service, member = _service(params), member_in(ctx, organization, params["AccountId"])
    if service not in member["_Delegated"]:
        raise AccountNotRegisteredException("The account is not a delegated administrator of the service.")
    delegate(ctx.tx, member["Id"], service, None)


@operation
def list_delegated_administrators(ctx: Context, params: Params) -> Result:
    """Return the members that administer a service, or any. Raises: InvalidInputException, and as managed_organization."""
    organization = managed_organization(ctx, or_delegated=True)
    wanted = params.get("ServicePrincipal")
    rows = []
    for member in members_of(ctx.tx, organization):
        dates = [at for service, at in member["_Delegated"].items() if wanted in (None, service)]
        if dates:
            rows.append({**member, "DelegationEnabledDate": min(dates)})
    return page_of(ctx, params, rows, "DelegatedAdministrators")


@operation
def list_delegated_services_for_account(ctx: Context, params: Params) -> Result:
    """Return the services that a member administers.

    Raises: AccountNotFoundException, AccountNotRegisteredException, InvalidInputException, and as managed_organization.
    """
    member = member_in(ctx, managed_organization(ctx, or_delegated=True), params["AccountId"])
    if not member["_Delegated"]:
        raise AccountNotRegisteredException("The account is not a delegated administrator of any service.")
    found = sorted(member["_Delegated"].items())
    rows = [{"ServicePrincipal": service, "DelegationEnabledDate": at} for service, at in found]
    return page_of(ctx, params, rows, "DelegatedServices")


def _service(params: Params) -> str:
    service = str(params["ServicePrincipal"])
    if not service.endswith(SERVICE_DOMAIN):
        message = f"You specified an unrecognized service principal; expected <service>{SERVICE_DOMAIN}."
        raise InvalidInputException("UNRECOGNIZED_SERVICE_PRINCIPAL", message)
    return service


def _put_services(ctx: Context, organization: Doc, services: Doc) -> None:
    changed = {**organization, "_Services": services}
    ORGANIZATIONS(ctx).put(organization["Id"], changed)
    members_changed(ctx, changed, ctx.next_seq())
