"""Event selectors as predicates: the tables of the user guide, case by case."""

import pytest

from apitrail.events.selectors import DEFAULT_SELECTORS, category_of, compile_selectors, reads_only

OBJECT_ARN = "arn:aws:s3:::audit/logs/2026/a.gz"
FUNCTION_ARN = "arn:aws:lambda:us-west-2:111122223333:function:match"
TABLE_ARN = "arn:aws:dynamodb:us-west-2:111122223333:table/players"


def management(name="CreateFleet", source="gamelift.amazonaws.com", read_only=False, **fields):
    return {"eventName": name, "eventSource": source, "readOnly": read_only, "eventCategory": "Management"} | fields


def data(kind="AWS::S3::Object", arn=OBJECT_ARN, read_only=False, name="PutObject", **fields):
    return {
        "eventName": name,
        "eventSource": "s3.amazonaws.com",
        "readOnly": read_only,
        "managementEvent": False,
        "eventCategory": "Data",
        "resources": [{"type": kind, "ARN": arn}, {"type": "AWS::S3::Bucket", "ARN": "arn:aws:s3:::audit"}],
    } | fields


def wanted_by(event, *basic):
    return compile_selectors(list(basic), None)(event)


def chosen_by(event, *conditions):
    return compile_selectors(None, [{"FieldSelectors": list(conditions)}])(event)


def on(field, **operators):
    return {"Field": field, **operators}


MANAGEMENT = on("eventCategory", Equals=["Management"])
DATA = on("eventCategory", Equals=["Data"])
OBJECTS = on("resources.type", Equals=["AWS::S3::Object"])


def test_a_trail_without_selectors_wants_management_events_only():
    for wanted in (compile_selectors(None, None), compile_selectors(DEFAULT_SELECTORS, None)):
        assert wanted(management())
        assert wanted(management("ListFleets", read_only=True))
        assert not wanted(data())
        assert not wanted({"eventCategory": "Insight"})
        assert not wanted({"eventCategory": "NetworkActivity", "readOnly": False})


@pytest.mark.parametrize(
    ("read_write", "reads", "writes"), [("All", True, True), ("ReadOnly", True, False), ("WriteOnly", False, True)]
)
def test_read_write_type_holds_for_management_and_data_events(read_write, reads, writes):
    selector = {
        "ReadWriteType": read_write,
        "DataResources": [{"Type": "AWS::S3::Object", "Values": ["arn:aws:s3"]}],
    }
    assert wanted_by(management(read_only=True), selector) is reads
    assert wanted_by(management(read_only=False), selector) is writes
    assert wanted_by(data(read_only=True), selector) is reads
    assert wanted_by(data(read_only=False), selector) is writes


def test_management_events_can_be_excluded_as_a_whole_or_by_source():
    decrypt = management("Decrypt", "kms.amazonaws.com", read_only=True)
    assert not wanted_by(management(), {"IncludeManagementEvents": False})
    assert not wanted_by(decrypt, {"ExcludeManagementEventSources": ["kms.amazonaws.com"]})
    assert wanted_by(management(), {"ExcludeManagementEventSources": ["kms.amazonaws.com"]})


@pytest.mark.parametrize(
    ("kind", "arn", "values", "wanted"),
    [
        ("AWS::S3::Object", OBJECT_ARN, ["arn:aws:s3"], True),
        ("AWS::S3::Object", OBJECT_ARN, ["arn:aws:s3:::"], True),
        ("AWS::S3::Object", OBJECT_ARN, ["arn:aws:s3:::audit/"], True),
        ("AWS::S3::Object", OBJECT_ARN, ["arn:aws:s3:::audit/logs/2026"], True),
        ("AWS::S3::Object", OBJECT_ARN, ["arn:aws:s3:::audit/other/"], False),
        ("AWS::S3::Object", OBJECT_ARN, ["arn:aws:s3:::aud/", "arn:aws:s3:::audit/logs"], True),
        ("AWS::Lambda::Function", FUNCTION_ARN, ["arn:aws:lambda"], True),
        ("AWS::Lambda::Function", FUNCTION_ARN, [FUNCTION_ARN], True),
        ("AWS::Lambda::Function", FUNCTION_ARN + "2", [FUNCTION_ARN], False),
        ("AWS::DynamoDB::Table", TABLE_ARN, ["arn:aws:dynamodb"], True),
        ("AWS::DynamoDB::Table", TABLE_ARN, [TABLE_ARN], True),
        ("AWS::DynamoDB::Table", TABLE_ARN, [TABLE_ARN + "s"], False),
    ],
)
def test_a_data_event_is_wanted_by_the_arn_of_its_resource(kind, arn, values, wanted):
    selector = {"IncludeManagementEvents": False, "DataResources": [{"Type": kind, "Values": values}]}
    assert wanted_by(data(kind, arn), selector) is wanted
    assert not wanted_by(data("AWS::SNS::Topic", arn), selector)


def test_several_entries_of_one_type_all_count():
    entries = [{"Type": "AWS::S3::Object", "Values": [value]} for value in ("arn:aws:s3:::a/", "arn:aws:s3:::audit/")]
    assert wanted_by(data(), {"DataResources": entries})


def test_an_arn_prefix_stands_for_the_arn():
    listing = data(resources=[{"type": "AWS::S3::Object", "ARNPrefix": "arn:aws:s3:::audit/"}])
    entry = {"Type": "AWS::S3::Object", "Values": ["arn:aws:s3:::audit/"]}
    assert wanted_by(listing, {"DataResources": [entry]})
    assert chosen_by(listing, DATA, OBJECTS, on("resources.ARN", StartsWith=["arn:aws:s3:::audit"]))


def test_any_selector_suffices():
    reads = {"ReadWriteType": "ReadOnly"}
    objects = {
        "ReadWriteType": "WriteOnly",
        "IncludeManagementEvents": False,
        "DataResources": [{"Type": "AWS::S3::Object", "Values": ["arn:aws:s3"]}],
    }
    assert wanted_by(management(read_only=True), reads, objects)
    assert wanted_by(data(), reads, objects)
    assert not wanted_by(management(), reads, objects)


@pytest.mark.parametrize(
    ("event", "conditions", "chosen"),
    [
        (management(), [MANAGEMENT], True),
        (data(), [MANAGEMENT], False),
        (management(), [MANAGEMENT, on("readOnly", Equals=["true"])], False),
        (management(), [MANAGEMENT, on("readOnly", Equals=["false"])], True),
        (management(), [MANAGEMENT, on("eventSource", NotEquals=["kms.amazonaws.com"])], True),
        (
            management(source="kms.amazonaws.com"),
            [MANAGEMENT, on("eventSource", NotEquals=["kms.amazonaws.com"])],
            False,
        ),
        (management(), [MANAGEMENT, on("eventName", StartsWith=["Create", "Delete"])], True),
        (management(), [MANAGEMENT, on("eventName", StartsWith=["Create"], NotEndsWith=["Fleet"])], False),
        (management(), [MANAGEMENT, on("eventName", Equals=["DeleteFleet"], EndsWith=["Fleet"])], True),
        (management(), [MANAGEMENT, on("eventName", Equals=["createfleet"])], False),
        (management(), [MANAGEMENT, on("eventName", NotStartsWith=["Create"])], False),
        (management(), [MANAGEMENT, on("userIdentity.arn", Equals=["arn:x"])], False),
        (management(), [MANAGEMENT, on("userIdentity.arn", NotEquals=["arn:x"])], True),
        (
            management(userIdentity={"arn": "arn:x"}),
            [MANAGEMENT, on("userIdentity.arn", NotStartsWith=["arn:"])],
            False,
        ),
        (management(), [MANAGEMENT, on("sessionCredentialFromConsole", NotEquals=["true"])], True),
        (
            management(sessionCredentialFromConsole="true"),
            [MANAGEMENT, on("sessionCredentialFromConsole", NotEquals=["true"])],
            False,
        ),
        (data(), [DATA, OBJECTS], True),
        (data(), [DATA, OBJECTS, on("resources.ARN", StartsWith=["arn:aws:s3:::audit/"])], True),
        (data(), [DATA, OBJECTS, on("resources.ARN", Equals=["arn:aws:s3:::audit"])], False),
        (data(), [DATA, OBJECTS, on("resources.ARN", NotStartsWith=["arn:aws:s3:::audit/"])], False),
        (data(), [DATA, on("resources.type", Equals=["AWS::SNS::Topic"])], False),
        (data(resources=None), [DATA, OBJECTS], False),
        (data(resources=[]), [DATA, on("resources.ARN", NotEquals=["arn:x"])], True),
        ({"eventCategory": "Insight"}, [on("eventCategory", Equals=["Insight"])], True),
        (
            {"eventCategory": "NetworkActivity", "errorCode": "VpceAccessDenied"},
            [on("eventCategory", Equals=["NetworkActivity"]), on("errorCode", Equals=["VpceAccessDenied"])],
            True,
        ),
    ],
)
def test_advanced_conditions_are_all_to_hold(event, conditions, chosen):
    assert chosen_by(event, *conditions) is chosen


def test_advanced_selectors_are_alternatives():
    wanted = compile_selectors(None, [{"FieldSelectors": [MANAGEMENT]}, {"FieldSelectors": [DATA, OBJECTS]}])
    assert wanted(management())
    assert wanted(data())
    assert not wanted(data("AWS::SNS::Topic"))


def test_records_of_old_versions_are_classified_by_what_they_have():
    old = {"eventVersion": "1.04", "eventSource": "gamelift.amazonaws.com", "eventName": "RequestUploadCredentials"}
    assert category_of(old) == "Management"
    assert category_of(old | {"managementEvent": False}) == "Data"
    assert reads_only(old)
    assert not reads_only(old | {"eventName": "CreateFleet"})
    assert compile_selectors([{"ReadWriteType": "ReadOnly"}], None)(old)
