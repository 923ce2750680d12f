"""Rules about the source itself."""

import ast
import re
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
SOURCE = ROOT / "src" / "apitrail"
FILES = sorted(SOURCE.rglob("*.py"))
TIME_AND_CHANCE = re.compile(
    r"datetime\.now|datetime\.utcnow|time\.time\(|time\.sleep|uuid4|uuid1|\brandom\.|urandom|secrets\.[a-z]|time\.monotonic"
)
ALLOWED_TIME_AND_CHANCE = ("clock.py", "ids.py")
PACKAGES = {"prometheus_client": "prometheus-client"}


def imports(tree: ast.AST) -> Iterator[ast.Import | ast.ImportFrom]:
    yield from (node for node in ast.walk(tree) if isinstance(node, ast.Import | ast.ImportFrom))


def modules(path: Path) -> set[str]:
    names: set[str] = set()
    for node in imports(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom):
            names.add((node.module or "").partition(".")[0])
        else:
            names |= {alias.name.partition(".")[0] for alias in node.names}
    return names


def test_every_package_that_is_imported_is_a_dependency() -> None:
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]
    wanted = {re.split(r"[<>=\[]", text)[0] for text in declared} | {"apitrail"}
    used = set().union(*(modules(path) for path in FILES)) - set(sys.stdlib_module_names)
    used = {PACKAGES.get(name, name) for name in used if not name.startswith("mypy_boto3_")}
    assert used <= wanted
    assert wanted - used <= {"uvloop", "httptools", "websockets", "rich", "cryptography", "apitrail"}


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(SOURCE)))
def test_only_clock_and_ids_ask_the_system_for_time_and_chance(path: Path) -> None:
    if path.name in ALLOWED_TIME_AND_CHANCE and path.parent == SOURCE:
        return
    found = [line.strip() for line in path.read_text().splitlines() if TIME_AND_CHANCE.search(line)]
    assert found == []


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(SOURCE)))
def test_no_file_has_grown_too_long(path: Path) -> None:
    assert len(path.read_text().splitlines()) <= 600


def test_no_error_is_swallowed() -> None:
    silent = [
        f"{path.relative_to(SOURCE)}:{node.lineno}"
        for path in FILES
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.ExceptHandler) and all(isinstance(item, ast.Pass) for item in node.body)
    ]
    assert silent == []
