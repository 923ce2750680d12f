"""An operation raises only what the model lists for it.

Read from the source: every exception that is raised in the body, in its prepare step, or in a function of the package
that either of them reaches by name. InternalServiceException is listed everywhere.
"""

import ast
import inspect
import pkgutil
from functools import cache
from importlib import import_module
from types import ModuleType

import pytest

from apitrail.services import gamelift
from apitrail.services.gamelift import SERVICE, errors
from apitrail.wire.models import service_model

PACKAGE = gamelift.__name__
ERRORS = {name for name, item in vars(errors).items() if inspect.isclass(item)}
Name = tuple[str, str]


@cache
def modules() -> dict[str, ModuleType]:
    names = [info.name for info in pkgutil.iter_modules(gamelift.__path__)]
    return {f"{PACKAGE}.{name}": import_module(f"{PACKAGE}.{name}") for name in names}


@cache
def functions() -> dict[Name, ast.AST]:
    """Every function and class of the package, by module and name."""
    found: dict[Name, ast.AST] = {}
    for name, module in modules().items():
        for item in ast.parse(inspect.getsource(module)).body:
            if isinstance(item, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                found[name, item.name] = item
    return found


@cache
def mentioned(function: Name) -> tuple[frozenset[Name], frozenset[str]]:
    """Return the functions of the package that a function mentions, and the exceptions that it raises or hands on."""
    module = modules()[function[0]]
    reached, raised = set(), set()
    for node in ast.walk(functions()[function]):
        target = None
        if isinstance(node, ast.Name):
            target = getattr(module, node.id, None)
        elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            owner = getattr(module, node.value.id, None)
            target = getattr(owner, node.attr, None) if isinstance(owner, ModuleType) else None
        home = getattr(target, "__module__", None)
        if home == errors.__name__ and not _is_caught(functions()[function], node):
            raised.add(target.__name__)
        elif home in modules() and (home, getattr(target, "__name__", "")) in functions():
            reached.add((home, target.__name__))
    return frozenset(reached), frozenset(raised & ERRORS)


def _is_caught(function: ast.AST, name: ast.AST) -> bool:
    """Return whether a name stands in an except clause."""
    clauses = [node.type for node in ast.walk(function) if isinstance(node, ast.ExceptHandler) and node.type]
    return any(name in ast.walk(clause) for clause in clauses)


def raised_by(start: Name) -> dict[str, Name]:
    """Return the exceptions that may come out of a function, and where each is raised."""
    seen, waiting, found = {start}, [start], {}
    while waiting:
        function = waiting.pop()
        reached, raised = mentioned(function)
        found |= dict.fromkeys(raised, function)
        waiting += reached - seen
        seen |= reached
    return found


@pytest.mark.parametrize("name", sorted(SERVICE.operations))
def test_an_operation_raises_only_what_the_model_lists(name: str) -> None:
    operation = SERVICE.operations[name]
    listed = {shape.name for shape in service_model("gamelift").operation_model(name).error_shapes}
    found: dict[str, Name] = {}
    for function in (operation.body, operation.prepare):
        if function is not None:
            found |= raised_by((function.__module__, function.__name__))
    foreign = {error: where for error, where in found.items() if error not in listed}
    assert not foreign


def test_this_reading_of_the_source_sees_through_calls() -> None:
    create = raised_by((f"{PACKAGE}.builds", "create_build")).keys() | raised_by((f"{PACKAGE}.builds", "prepare_build"))
    assert {"InvalidRequestException", "TaggingFailedException"} <= set(create)
    assert "NotFoundException" in raised_by((f"{PACKAGE}.builds", "delete_build"))
