"""Programs for laptops are read as several modules and sent as one text; both must mean the same."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

from mvpc.device import converge, parse_answer, program, source, undo, undo_source

PROGRAMS = {converge: source, undo: undo_source}
PARTS = [(package, part) for package in PROGRAMS for part in package.PARTS]


def tree(package: ModuleType, part: str) -> ast.Module:
    return ast.parse(Path(str(package.__file__)).with_name(f"{part}.py").read_text(encoding="utf-8"))


def imports_of_parts(package: ModuleType, part: str) -> list[ast.ImportFrom]:
    nodes = [node for node in ast.walk(tree(package, part)) if isinstance(node, ast.ImportFrom)]
    return [node for node in nodes if str(node.module).startswith(package.__name__)]


def names(node: ast.stmt, package: ModuleType, part: str) -> Iterator[tuple[str, str]]:
    """The names that a statement gives, each with what it stands for."""
    if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
        yield node.name, f"{part}.{node.name}"
    elif isinstance(node, (ast.Import, ast.ImportFrom)):
        module = f"{node.module}." if isinstance(node, ast.ImportFrom) else ""
        own = module.removeprefix(f"{package.__name__}.") if module.startswith(package.__name__) else module
        yield from ((alias.asname or alias.name, own + alias.name) for alias in node.names)
    elif isinstance(node, (ast.Assign, ast.AnnAssign)):
        targets = node.targets if isinstance(node, ast.Assign) else [node.target]
        found = [each for target in targets for each in ast.walk(target) if isinstance(each, ast.Name)]
        yield from ((each.id, f"{part}.{each.id}") for each in found)
    else:
        assert isinstance(node, ast.Expr), f"{part}: only definitions, line {node.lineno}"


@pytest.mark.parametrize("package", PROGRAMS)
def test_every_module_is_a_part(package):
    folder = Path(package.__file__).parent
    assert {path.stem for path in folder.glob("*.py")} - {"__init__"} == set(package.PARTS)
    assert len(set(package.PARTS)) == len(package.PARTS)


@pytest.mark.parametrize(("package", "part"), PARTS)
def test_a_part_imports_only_from_parts_before_it(package, part):
    before = {f"{package.__name__}.{each}" for each in package.PARTS[: package.PARTS.index(part)]}
    assert {str(node.module) for node in imports_of_parts(package, part)} <= before


@pytest.mark.parametrize(("package", "part"), PARTS)
def test_a_part_needs_nothing_but_the_standard_library(package, part):
    nodes = [node for node in ast.walk(tree(package, part)) if isinstance(node, (ast.Import, ast.ImportFrom))]
    modules = {str(node.module) for node in nodes if isinstance(node, ast.ImportFrom)}
    modules |= {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    foreign = {name.split(".")[0] for name in modules if not name.startswith(f"{package.__name__}.")}
    assert foreign <= set(sys.stdlib_module_names)


@pytest.mark.parametrize(("package", "part"), PARTS)
def test_imports_of_parts_can_be_left_out(package, part):
    top = [node for node in tree(package, part).body if isinstance(node, ast.ImportFrom)]
    inside = imports_of_parts(package, part)
    assert len(inside) == sum(str(node.module).startswith(package.__name__) for node in top), "one is not at the top"
    assert not [alias.asname for node in inside for alias in node.names if alias.asname], "the name would be unknown"
    plain = [
        alias.name for node in ast.walk(tree(package, part)) if isinstance(node, ast.Import) for alias in node.names
    ]
    assert not [name for name in plain if name.startswith("mvpc")]


@pytest.mark.parametrize("package", PROGRAMS)
def test_a_name_stands_for_one_thing_in_all_parts(package):
    meanings: dict[str, set[str]] = {}
    for part in package.PARTS:
        for node in tree(package, part).body:
            for name, meaning in names(node, package, part):
                meanings.setdefault(name, set()).add(meaning)
    assert {name: several for name, several in meanings.items() if len(several) > 1} == {}


@pytest.mark.parametrize(("package", "text"), PROGRAMS.items())
def test_the_one_text_defines_what_the_parts_define_and_imports_none_of_them(package, text):
    joined = ast.parse(text(), feature_version=(3, 9))
    defined = [node.name for node in joined.body if isinstance(node, (ast.FunctionDef, ast.ClassDef))]
    in_parts = [node for part in package.PARTS for node in tree(package, part).body]

    assert defined == [node.name for node in in_parts if isinstance(node, (ast.FunctionDef, ast.ClassDef))]
    assert f"from {package.__name__}" not in text()
    assert text().count("from __future__ import annotations\n") == 1
    compile(text(), "device program", "exec", dont_inherit=True)


def test_a_text_is_joined_once_per_process():
    assert source() is source()


def test_the_one_text_answers_in_a_fresh_interpreter_that_knows_nothing_of_mvpc(tmp_path):
    wanted = {"kind": "file", "path": "/no/such/file", "content": "x"}
    request = {
        "format": 1,
        "action": "check",
        "device": "nb-1",
        "generation": 1,
        "diff": False,
        "updates": True,
        "undo": "",
    }
    components = [{"name": "base", "digest": "d1", "resources": [wanted]}]
    sent, start = program({**request, "components": components}).rsplit("\n", 2)[:2]

    ran = subprocess.run(
        [sys.executable, "-I", "-S", "-W", "error", "-"],
        input=f"{sent}\nsys.modules['mvpc'] = None\n{start}\n",
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
        cwd=tmp_path,
    )

    read = parse_answer(ran.stdout)
    assert (ran.stderr, read.error) == ("", "")
    assert read.components[0].changes == ("file /no/such/file created",)
