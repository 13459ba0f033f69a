"""Imports point one way: vocabulary <- intent <- decision <- process <- adapters <- edge."""

from __future__ import annotations

import ast
import re
import sys
from pathlib import Path

import pytest

import mvpc

PACKAGE = Path(mvpc.__file__).parent
PAGE = PACKAGE.parent / "docs" / "explanation" / "architecture.md"

TIERS: tuple[tuple[str, ...], ...] = (
    ("errors", "text"),
    ("model", "secret", "programs"),
    (
        "yamlfile",
        "keyfile",
        "rings",
        "ringconfig",
        "chances",
        "gates",
        "planfile",
        "room",
        "editions",
        "sample",
        "schedule",
        "outcomes",
    ),
    ("project", "deferred"),
    ("profiles", "organisation"),
    ("strict",),
    ("catalogue", "inventory", "localroles"),
    ("settings", "edits", "applications", "releases"),
    ("software",),
    ("render", "plan", "status", "device", "report", "progress", "identity"),
    ("compile", "job", "enrolment", "tunnels"),
    ("renewal", "arrival"),
    ("rollout",),
    ("playbook", "store", "ssh", "authorities", "images", "lab", "nmcli", "testing"),
    ("simulated",),
    ("fleet",),
    ("cli",),
    ("__main__",),
)
"""A module imports only from tiers above its own, or from inside itself."""

ONLY_IN: dict[str, set[str]] = {
    "typer": {"cli"},
    "rich": {"cli"},
    "sqlmodel": {"store"},
    "sqlalchemy": {"store"},
    "alembic": {"store"},
    "sqlite3": {"store", "simulated"},
    "paramiko": {"ssh"},
    "cryptography": {"identity", "authorities"},
    "segno": {"identity"},
    "ansible": set(),
    "jinja2": {"render", "report"},
    "subprocess": {"device", "programs", "playbook", "authorities", "images", "lab", "nmcli", "profiles"},
}
"""A foreign package is known to these modules alone."""


def modules() -> list[Path]:
    return sorted(path for path in PACKAGE.rglob("*.py"))


def unit_of(path: Path) -> str:
    """The module or package directly below `mvpc` that a file belongs to."""
    first = path.relative_to(PACKAGE).parts[0]
    return first.removesuffix(".py")


def imports(path: Path) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module)
            names.update(f"{node.module}.{alias.name}" for alias in node.names if node.module == "mvpc")
    return names


def tier(unit: str) -> int:
    return next(number for number, units in enumerate(TIERS) if unit in units)


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_point_one_way(path: Path):
    own = unit_of(path)
    if own == "__init__":
        return
    used = {name.split(".")[1] for name in imports(path) if name.startswith("mvpc.")}
    backwards = {unit for unit in used - {own, "__version__"} if tier(unit) >= tier(own)}
    assert not backwards, f"{own} must not import {backwards}"


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_foreign_packages_stay_behind_their_adapter(path: Path):
    foreign = {name.split(".")[0] for name in imports(path)}
    strangers = {name for name in foreign & ONLY_IN.keys() if unit_of(path) not in ONLY_IN[name]}
    assert not strangers


@pytest.mark.parametrize("path", sorted((PACKAGE / "programs").glob("*.py")), ids=lambda path: path.stem)
def test_programs_that_laptops_keep_need_nothing_but_the_standard_library(path: Path):
    foreign = {name for name in imports(path) if name.split(".")[0] not in sys.stdlib_module_names}
    assert all(name.startswith("mvpc.programs.") for name in foreign), "parts stand in one file on the laptop"


def test_only_one_module_of_the_command_line_knows_how_real_laptops_are_reached():
    knowing = {
        path.relative_to(PACKAGE).as_posix()
        for path in (PACKAGE / "cli").rglob("*.py")
        if {"SshProber", "AnsibleRunner"} & set(re.findall(r"\w+", path.read_text(encoding="utf-8")))
    }
    assert knowing == {"cli/laptops.py"}


def test_nothing_simulated_knows_how_real_laptops_are_reached():
    used = {
        name.split(".")[1] for path in (PACKAGE / "simulated").glob("*.py") for name in imports(path) if "." in name
    }
    assert not used & {"ssh", "playbook", "lab"}


def test_every_module_has_a_place_in_the_architecture():
    known = {unit for units in TIERS for unit in units} | {"__init__"}
    assert {unit_of(path) for path in modules()} <= known


def told(heading: str) -> list[str]:
    """The second column of the table below a heading of the page about the architecture, row by row."""
    _, _, rest = PAGE.read_text(encoding="utf-8").partition(f"\n## {heading}\n")
    rows = [line.split("|")[2] for line in rest.partition("\n## ")[0].splitlines() if line.startswith("| ")]
    return rows[1:]


def test_the_page_about_the_architecture_has_the_same_tiers():
    tiers = [tuple(re.findall(r"`(\w+)`", tier)) for row in told("Who may import whom") for tier in row.split("·")]
    assert tuple(tiers) == TIERS[:-1]


def test_the_page_about_the_architecture_says_what_every_single_module_is_for():
    named = [re.findall(r"`(\w+)`", each)[0] for row in told("What stands alone") for each in row.split("·")]
    assert sorted(named) == sorted(path.stem for path in PACKAGE.glob("[!_]*.py"))


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_a_module_can_be_read_in_one_sitting(path: Path):
    lines = len(path.read_text(encoding="utf-8").splitlines())
    assert lines <= 320, f"{lines} lines; split it by meaning"
