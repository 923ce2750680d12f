"""CloudTrail's own API: trails, their logging and status, tags, selectors, and look-up of events.

errors: the exceptions. names: rules for names and ARNs. access: finding a trail. trails: create, change, list. logging: start,
stop, status. selectors, insights, tags, lookup: what they say. keys: public keys of digest files.
notifications: a trail's topic. log_groups: its log group. organization: trails of all members. records: how calls are recorded.
"""

from apitrail.services.cloudtrail import insights, keys, logging, lookup, organization, selectors, tags, trails
from apitrail.services.cloudtrail.records import RULES
from apitrail.services.operation import Service

__all__ = ["SERVICE", "insights", "keys", "logging", "lookup", "organization", "selectors", "tags", "trails"]

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
            "GetInsightSelectors",
            "ListInsightsData",
            "ListInsightsMetricData",
            "LookupEvents",
            "ListPublicKeys",
        )
    ),
    validation_code="InvalidParameterException",
    validation_codes={
        "LookupEvents.maxResults": "InvalidMaxResultsException",
        "LookupEvents.eventCategory": "InvalidEventCategoryException",
        "LookupEvents.lookupAttributes": "InvalidLookupAttributesException",
        "PutEventSelectors.eventSelectors": "InvalidEventSelectorsException",
        "PutEventSelectors.advancedEventSelectors": "InvalidEventSelectorsException",
        "PutInsightSelectors.insightSelectors": "InvalidInsightSelectorsException",
        "AddTags.tagsList": "InvalidTagParameterException",
        "RemoveTags.tagsList": "InvalidTagParameterException",
        "CreateTrail.tagsList": "InvalidTagParameterException",
    },
)
