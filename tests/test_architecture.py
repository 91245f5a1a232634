"""Rules of the house that no other tool checks."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest
from importlinter.application.use_cases import lint_imports
from importlinter.configuration import configure

ROOT = Path(__file__).resolve().parent.parent
APPS = ("rush_monitor", "issues", "releases", "tenants")
BANNED_NAMES = {"utils", "helpers", "services", "common", "misc"}


def modules() -> Iterator[Path]:
    for app in APPS:
        for path in sorted((ROOT / app).rglob("*.py")):
            if "migrations" not in path.parts:
                yield path


MODULES = [str(path.relative_to(ROOT)) for path in modules()]


def test_the_apps_import_one_way() -> None:
    configure()
    assert lint_imports(config_filename=str(ROOT / "pyproject.toml"))


@pytest.mark.parametrize("name", MODULES)
def test_nothing_is_imported_inside_a_function(name: str) -> None:
    tree = ast.parse((ROOT / name).read_text(encoding="utf-8"))
    functions = [
        node
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    ]
    lazy = [
        f"line {inner.lineno} in {function.name}"
        for function in functions
        for inner in ast.walk(function)
        if isinstance(inner, ast.Import | ast.ImportFrom)
    ]
    assert lazy == []


@pytest.mark.parametrize("name", MODULES)
def test_no_signal_glues_the_apps_together(name: str) -> None:
    assert "@receiver" not in (ROOT / name).read_text(encoding="utf-8")


def test_a_module_is_named_after_what_happens_in_it() -> None:
    named = {path.stem for path in modules()}
    assert named & BANNED_NAMES == set()


@pytest.mark.parametrize("name", MODULES)
def test_no_exception_is_swallowed(name: str) -> None:
    tree = ast.parse((ROOT / name).read_text(encoding="utf-8"))
    silent = [
        node.lineno
        for node in ast.walk(tree)
        if isinstance(node, ast.ExceptHandler)
        and all(isinstance(statement, ast.Pass) for statement in node.body)
    ]
    assert silent == []
