"""What may be put as event selectors."""

import pytest

from apitrail.events.selector_rules import InvalidEventSelectorsException, validate_selectors

MANAGEMENT = {"Field": "eventCategory", "Equals": ["Management"]}
DATA = {"Field": "eventCategory", "Equals": ["Data"]}
OBJECTS = {"Field": "resources.type", "Equals": ["AWS::S3::Object"]}
NETWORK = {"Field": "eventCategory", "Equals": ["NetworkActivity"]}


def advanced(*conditions, name="n"):
    return [{"Name": name, "FieldSelectors": list(conditions)}]


def data_of(*values, kind="AWS::S3::Object"):
    return [{"DataResources": [{"Type": kind, "Values": list(values)}]}]


@pytest.mark.parametrize(
    "selectors",
    [
        [{}],
        [{"ReadWriteType": "WriteOnly", "ExcludeManagementEventSources": ["kms.amazonaws.com"]}] * 5,
        data_of("arn:aws:s3", "arn:aws:s3:::", "arn:aws:s3:::audit/", "arn:aws-cn:s3:::audit/a b/c"),
        data_of("arn:aws:lambda", "arn:aws:lambda:us-west-2:111122223333:function:f", kind="AWS::Lambda::Function"),
        data_of("arn:aws:dynamodb", kind="AWS::DynamoDB::Table"),
        data_of("arn:aws:s3", *(f"arn:aws:s3:::b{number}/" for number in range(250))),
    ],
)
def test_good_basic_selectors_are_accepted(selectors):
    validate_selectors(selectors, None)


@pytest.mark.parametrize(
    ("selectors", "message"),
    [
        ([], "1 to 5 EventSelectors; 0"),
        ([{}] * 6, "1 to 5 EventSelectors; 6"),
        ([{"ReadWriteType": "Some"}], "ReadWriteType must be one of All, ReadOnly, WriteOnly"),
        ([{"ExcludeManagementEventSources": ["s3.amazonaws.com"]}], "kms.amazonaws.com and rdsdata.amazonaws.com"),
        (data_of("arn:aws:sns", kind="AWS::SNS::Topic"), "Type 'AWS::SNS::Topic' is not one of AWS::S3::Object"),
        (data_of("arn:aws:s3:::audit"), "Value 'arn:aws:s3:::audit' for DataResources"),
        (data_of("*"), "not valid"),
        (data_of("arn:aws:lambda:*", kind="AWS::Lambda::Function"), "not valid"),
        (data_of(), "at least one value"),
        ([{"DataResources": [{"Values": ["arn:aws:s3"]}]}], "needs a Type"),
        (data_of(*(f"arn:aws:s3:::b{number}/" for number in range(251))), "at most 250 DataResources values; 251"),
    ],
)
def test_bad_basic_selectors_are_refused_with_the_reason(selectors, message):
    with pytest.raises(InvalidEventSelectorsException, match=message) as caught:
        validate_selectors(selectors, None)
    assert caught.value.error_code == "InvalidEventSelectorsException"
    assert caught.value.error_status == 400


@pytest.mark.parametrize(
    ("selectors", "holder"),
    [
        (advanced(MANAGEMENT), "trail"),
        (advanced(MANAGEMENT, {"Field": "readOnly", "Equals": ["true"]}), "trail"),
        (advanced(MANAGEMENT, {"Field": "eventSource", "NotEquals": ["rdsdata.amazonaws.com"]}), "trail"),
        (advanced(DATA, OBJECTS, {"Field": "resources.ARN", "StartsWith": ["x"], "NotEquals": ["y"]}), "trail"),
        (advanced(DATA, {"Field": "resources.type", "Equals": ["AWS::Brand::New"]}), "trail"),
        (
            advanced(
                NETWORK,
                {"Field": "eventSource", "Equals": ["ec2.amazonaws.com"]},
                {"Field": "errorCode", "Equals": ["VpceAccessDenied"]},
            ),
            "trail",
        ),
        (advanced(MANAGEMENT, {"Field": "eventName", "EndsWith": ["Fleet"]}), "store"),
        (advanced({"Field": "eventCategory", "Equals": ["ConfigurationItem"]}), "store"),
        (advanced(DATA, OBJECTS, {"Field": "eventName", "Equals": ["x"] * 498}), "trail"),
        (advanced(MANAGEMENT) * 5, "store"),
    ],
)
def test_good_advanced_selectors_are_accepted(selectors, holder):
    validate_selectors(None, selectors, holder)


@pytest.mark.parametrize(
    ("selectors", "holder", "message"),
    [
        ([], "trail", "must not be empty"),
        (advanced(), "trail", "at least one entry in FieldSelectors"),
        (advanced({"Field": "readOnly", "Equals": ["true"]}), "trail", "needs the field eventCategory"),
        (advanced({"Field": "eventCategory", "NotEquals": ["Data"]}), "trail", "eventCategory with Equals one of"),
        (advanced({"Field": "eventCategory", "Equals": ["Management", "Data"]}), "trail", "eventCategory with Equals"),
        (advanced({"Field": "eventCategory", "Equals": ["Evidence"]}), "trail", "Management, Data, NetworkActivity"),
        (advanced(MANAGEMENT, DATA), "trail", "eventCategory with Equals"),
        (advanced(MANAGEMENT, {"Field": "eventName", "Equals": ["x"]}), "trail", "'eventName' cannot be selected"),
        (advanced(MANAGEMENT, {"Field": "eventSource", "Equals": ["x"]}), "trail", "cannot be used with Equals"),
        (advanced(MANAGEMENT, {"Field": "eventSource", "NotEquals": ["x"]}), "trail", "takes only kms.amazonaws.com"),
        (advanced(MANAGEMENT, {"Field": "readOnly", "Equals": ["yes"]}), "trail", "takes only true, false"),
        (advanced(MANAGEMENT, {"Field": "readOnly"}), "trail", "needs an operator"),
        (advanced(MANAGEMENT, {"Field": "readOnly", "Equals": []}), "trail", "needs at least one value"),
        (advanced(MANAGEMENT, {}), "trail", "Field '' cannot be selected"),
        (advanced(DATA), "trail", "needs the field resources.type"),
        (advanced(DATA, {"Field": "resources.type", "Equals": ["a", "b"]}), "trail", "exactly one value; 2"),
        (advanced(DATA, {"Field": "resources.type", "StartsWith": ["a"]}), "trail", "cannot be used with StartsWith"),
        (advanced(DATA, OBJECTS, {"Field": "eventName", "Equals": [""]}), "trail", "1 to 2048 characters"),
        (advanced(DATA, OBJECTS, {"Field": "eventName", "Equals": ["x" * 2049]}), "trail", "1 to 2048 characters"),
        (advanced(NETWORK), "trail", "needs the field eventSource"),
        (advanced(MANAGEMENT, name="n" * 1001), "trail", "at most 1000 characters"),
        (advanced(DATA, OBJECTS, {"Field": "eventName", "Equals": ["x"] * 499}), "trail", "at most 500 values"),
        (advanced(MANAGEMENT) * 6, "store", "at most 5 AdvancedEventSelectors; 6"),
    ],
)
def test_bad_advanced_selectors_are_refused_with_the_reason(selectors, holder, message):
    with pytest.raises(InvalidEventSelectorsException, match=message):
        validate_selectors(None, selectors, holder)


def test_one_kind_of_selectors_is_needed_and_only_one():
    with pytest.raises(InvalidEventSelectorsException, match="not both"):
        validate_selectors([{}], advanced(MANAGEMENT))
    with pytest.raises(InvalidEventSelectorsException, match="Give EventSelectors or"):
        validate_selectors(None, None)


def test_an_event_data_store_takes_no_basic_selectors():
    with pytest.raises(InvalidEventSelectorsException, match="AdvancedEventSelectors only"):
        validate_selectors([{}], None, "store")
