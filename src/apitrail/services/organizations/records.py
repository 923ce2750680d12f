"""How calls of Organizations are recorded: in us-east-1. E-mail addresses and names of accounts are hidden, as the model says.

Source: AWS Organizations User Guide, "Logging AWS Organizations API calls with AWS CloudTrail".
"""

from apitrail.events.rules import RecordRules, is_read_only
from apitrail.wire.models import service_model

RULES = RecordRules(event_source="organizations.amazonaws.com", global_service=True)
FREE = frozenset(name for name in service_model("organizations").operation_names if is_read_only(name))
"""Operations that change nothing and hand out no credentials; they may pass unrecorded in capture mode `blocking`."""
