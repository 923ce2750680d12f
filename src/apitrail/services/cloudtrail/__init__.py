"""CloudTrail's own API: trails, their logging and status, tags, selectors, and look-up of events.

errors: the exceptions. names: rules for names and ARNs. access: finding a trail. trails: create, change, list. logging: start,
stop, status. selectors, tags, lookup: what they say. records: how calls are recorded.
"""

from apitrail.services.cloudtrail import logging, lookup, selectors, tags, trails
from apitrail.services.cloudtrail.records import RULES
from apitrail.services.operation import Service

__all__ = ["SERVICE", "logging", "lookup", "selectors", "tags", "trails"]

SERVICE = Service(
    "cloudtrail",
    rules=RULES,
    free=frozenset(
        (
            "GetTrail",
            "GetTrailStatus",
            "DescribeTrails",
            "ListTrails",
            "ListTags",
            "GetEventSelectors",
            "LookupEvents",
        )
    ),
    validation_code="InvalidParameterException",
    validation_codes={
        "LookupEvents.maxResults": "InvalidMaxResultsException",
        "LookupEvents.eventCategory": "InvalidEventCategoryException",
        "LookupEvents.lookupAttributes": "InvalidLookupAttributesException",
        "PutEventSelectors.eventSelectors": "InvalidEventSelectorsException",
        "PutEventSelectors.advancedEventSelectors": "InvalidEventSelectorsException",
        "AddTags.tagsList": "InvalidTagParameterException",
        "CreateTrail.tagsList": "InvalidTagParameterException",
    },
)
