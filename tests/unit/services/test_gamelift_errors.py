"""The exceptions are those of the model, no more and no fewer."""

import inspect

from apitrail.errors import ServiceError
from apitrail.services.gamelift import errors
from apitrail.wire.models import service_model

CLASSES = {
    name: item
    for name, item in vars(errors).items()
    if inspect.isclass(item) and issubclass(item, ServiceError) and item is not ServiceError
}


def test_there_is_one_class_for_each_exception_of_the_model() -> None:
    assert set(CLASSES) == {shape.name for shape in service_model("gamelift").error_shapes}


def test_a_class_has_the_code_of_its_name() -> None:
    assert {name: item.code for name, item in CLASSES.items()} == {name: name for name in CLASSES}


def test_only_the_internal_exception_is_a_fault_of_the_server() -> None:
    assert {name for name, item in CLASSES.items() if item("x").error_status >= 500} == {"InternalServiceException"}


def test_an_exception_has_no_member_but_its_message() -> None:
    assert all(set(shape.members) == {"Message"} for shape in service_model("gamelift").error_shapes)
