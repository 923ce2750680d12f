"""AWS Organizations, as far as trails need it: accounts, who manages them, and which services may see all of them.

organization: the organization itself and its root. accounts: make, list, remove. handshakes: invite accounts that exist.
delegation: access of services, and members that administer them. access: who may ask. errors, records: tables.

Not served: organizational units, policies, tags, closing of accounts, responsibility transfers.
"""

from apitrail.services.operation import Service
from apitrail.services.organizations import accounts, delegation, handshakes, organization
from apitrail.services.organizations.records import FREE, RULES

FAMILIES = (organization, accounts, handshakes, delegation)

SERVICE = Service("organizations", rules=RULES, free=FREE, validation_code="InvalidInputException")
