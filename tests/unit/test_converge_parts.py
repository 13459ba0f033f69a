"""The device program is read as several modules and sent as one text; both must mean the same."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from mvpc.device import converge, parse_answer, program, source
from mvpc.device.converge import PARTS

FOLDER = Path(converge.__file__).parent
PACKAGE = "mvpc.device.converge"


def tree(part: str) -> ast.Module:
    return ast.parse((FOLDER / f"{part}.py").read_text(encoding="utf-8"))


def imports_of_parts(part: str) -> list[ast.ImportFrom]:
    nodes = [node for node in ast.walk(tree(part)) if isinstance(node, ast.ImportFrom)]
    return [node for node in nodes if str(node.module).startswith(PACKAGE)]


def names(node: ast.stmt, part: str) -> Iterator[tuple[str, str]]:
    """The names that a statement gives, each with what it stands for."""
    if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
        yield node.name, f"{part}.{node.name}"
    elif isinstance(node, (ast.Import, ast.ImportFrom)):
        module = f"{node.module}." if isinstance(node, ast.ImportFrom) else ""
        own = module.removeprefix(f"{PACKAGE}.") if module.startswith(PACKAGE) else module
        yield from ((alias.asname or alias.name, own + alias.name) for alias in node.names)
    elif isinstance(node, (ast.Assign, ast.AnnAssign)):
        targets = node.targets if isinstance(node, ast.Assign) else [node.target]
        found = [each for target in targets for each in ast.walk(target) if isinstance(each, ast.Name)]
        yield from ((each.id, f"{part}.{each.id}") for each in found)
    else:
        assert isinstance(node, ast.Expr), f"{part}: only definitions, line {node.lineno}"


def test_every_module_is_a_part():
    assert {path.stem for path in FOLDER.glob("*.py")} - {"__init__"} == set(PARTS)
    assert len(set(PARTS)) == len(PARTS)


@pytest.mark.parametrize("part", PARTS)
def test_a_part_imports_only_from_parts_before_it(part):
    before = {f"{PACKAGE}.{each}" for each in PARTS[: PARTS.index(part)]}
    assert {str(node.module) for node in imports_of_parts(part)} <= before


@pytest.mark.parametrize("part", PARTS)
def test_imports_of_parts_can_be_left_out(part):
    top = [node for node in tree(part).body if isinstance(node, ast.ImportFrom)]
    inside = imports_of_parts(part)
    assert len(inside) == sum(str(node.module).startswith(PACKAGE) for node in top), "one is not at the top"
    assert not [alias.asname for node in inside for alias in node.names if alias.asname], "the name would be unknown"
    plain = [alias.name for node in ast.walk(tree(part)) if isinstance(node, ast.Import) for alias in node.names]
    assert not [name for name in plain if name.startswith("mvpc")]


def test_a_name_stands_for_one_thing_in_all_parts():
    meanings: dict[str, set[str]] = {}
    for part in PARTS:
        for node in tree(part).body:
            for name, meaning in names(node, part):
                meanings.setdefault(name, set()).add(meaning)
    assert {name: several for name, several in meanings.items() if len(several) > 1} == {}


def test_the_one_text_defines_what_the_parts_define_and_imports_none_of_them():
    joined = ast.parse(source(), feature_version=(3, 9))
    defined = [node.name for node in joined.body if isinstance(node, (ast.FunctionDef, ast.ClassDef))]
    in_parts = [node for part in PARTS for node in tree(part).body]

    assert defined == [node.name for node in in_parts if isinstance(node, (ast.FunctionDef, ast.ClassDef))]
    assert f"from {PACKAGE}" not in source()
    assert source().count("from __future__ import annotations\n") == 1
    compile(source(), "device program", "exec", dont_inherit=True)


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
