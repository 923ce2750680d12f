"""Compiled selectors against a plain reading of the rules."""

from hypothesis import given, settings
from hypothesis import strategies as st

from apitrail.events.selector_rules import validate_selectors
from apitrail.events.selectors import compile_selectors

WORDS = st.sampled_from(["Create", "CreateFleet", "DeleteFleet", "Fleet", "x", "arn:a", "arn:a/b", "AWS::S3::Object"])
POSITIVE = {"Equals": str.__eq__, "StartsWith": str.startswith, "EndsWith": str.endswith}
NEGATIVE = {"NotEquals": str.__eq__, "NotStartsWith": str.startswith, "NotEndsWith": str.endswith}
FREE_FIELDS = ("eventSource", "eventName", "eventType", "userIdentity.arn", "resources.ARN")


def conditions(field):
    operator = st.sampled_from([*POSITIVE, *NEGATIVE])
    return st.dictionaries(operator, st.lists(WORDS, min_size=1, max_size=3), min_size=1, max_size=3).map(
        lambda operators: {"Field": field, **operators}
    )


FREE = st.lists(st.sampled_from(FREE_FIELDS).flatmap(conditions), max_size=3)
DATA = [{"Field": "eventCategory", "Equals": ["Data"]}, {"Field": "resources.type", "Equals": ["AWS::S3::Object"]}]
SELECTORS = st.lists(FREE.map(lambda free: {"FieldSelectors": DATA + free}), min_size=1, max_size=3)

ITEMS = st.lists(
    st.fixed_dictionaries({}, optional={"type": st.just("AWS::S3::Object") | WORDS, "ARN": WORDS}), max_size=3
)
EVENTS = st.fixed_dictionaries(
    {"eventCategory": st.sampled_from(["Data", "Data", "Management"])},
    optional={
        "eventSource": WORDS,
        "eventName": WORDS,
        "eventType": WORDS,
        "userIdentity": st.fixed_dictionaries({}, optional={"arn": WORDS}),
        "resources": ITEMS,
    },
)


def holds(condition, value):
    if value is None:
        return not any(name in condition for name in POSITIVE)
    hit = {
        name: any(test(value, word) for word in condition[name])
        for name, test in (POSITIVE | NEGATIVE).items()
        if name in condition
    }
    positives = [hit[name] for name in POSITIVE if name in hit]
    return not any(hit[name] for name in NEGATIVE if name in hit) and (not positives or any(positives))


def value_of(event, item, field):
    if field.startswith("resources."):
        return item.get(field.removeprefix("resources."))
    return event.get("userIdentity", {}).get("arn") if field == "userIdentity.arn" else event.get(field)


def wanted(event, selectors):
    """Some selector, some resource item (or none at all): every condition holds."""
    return any(
        all(holds(condition, value_of(event, item, condition["Field"])) for condition in selector["FieldSelectors"])
        for selector in selectors
        for item in event.get("resources") or [{}]
    )


@settings(max_examples=400, deadline=None)
@given(selectors=SELECTORS, event=EVENTS)
def test_compiled_selectors_agree_with_a_plain_reading(selectors, event):
    validate_selectors(None, selectors)
    assert compile_selectors(None, selectors)(event) is wanted(event, selectors)
