"""Commands that people type all day must not wait for libraries that they do not use."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from mvpc.inventory.difference import difference
from mvpc.store.write import Store
from mvpc.testing import NOON, a_device

SLOW = {"sqlmodel", "sqlalchemy", "alembic", "paramiko", "jinja2", "pydantic", "yaml", "ansible", "cryptography"}
"""What `mvpc --help` and `mvpc status LAPTOP` may not import."""


FOR_WORK = {"sqlmodel", "sqlalchemy", "alembic", "ansible"}
"""What only a rollout that finds something to do may import."""

SOURCE = Path(__file__).parents[2]


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "mvpc.toml").touch()
    Store(tmp_path / ".mvpc/mvpc.db").save(difference([], [a_device("nb-000123")]), actor="t", at=NOON, action="add")
    return tmp_path


def run(*arguments: str, cwd: Path) -> tuple[str, set[str]]:
    """What a fresh mvpc prints, and the top-level names of all that it imported."""
    code = (
        "import sys; sys.argv = ['mvpc', *sys.argv[1:]]\n"
        "from mvpc.__main__ import main\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "print('\\nIMPORTED', *{name.split('.')[0] for name in sys.modules})"
    )
    argv = [sys.executable, "-c", code, *arguments]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=120, cwd=cwd, check=True)
    printed, _, imported = done.stdout.rpartition("IMPORTED")
    return printed, set(imported.split())


@pytest.mark.parametrize("arguments", [["--help"], ["--version"], ["status", "--help"]], ids=" ".join)
def test_help_imports_nothing_slow(arguments: list[str], tmp_path: Path):
    printed, imported = run(*arguments, cwd=tmp_path)
    assert "mvpc" in printed
    assert not imported & SLOW


def test_the_helpdesks_question_imports_nothing_slow(project: Path):
    printed, imported = run("status", "nb-0001", cwd=project)
    assert "nb-000123 · fa-schwerin" in printed
    assert not imported & (SLOW | {"rich"})


def test_a_rollout_that_finds_nothing_to_do_imports_nothing_for_work(tmp_path: Path):
    for name in ("profiles", "inventory"):
        shutil.copytree(SOURCE / name, tmp_path / name)
    (tmp_path / "mvpc.toml").write_text('[organisation]\noperator = "zdmv"\n')
    run("lab", "simulate", "3", cwd=tmp_path)
    fleet = tmp_path / ".mvpc-simulated"
    (fleet / "simulated.toml").write_text("away = 0\nhanging = 0\nfailing = 0\ncomponent_seconds = 0\n")

    first, imported = run("rollout", "--all", "--yes", cwd=fleet)
    assert "3 changed" in first
    assert imported & FOR_WORK

    second, imported = run("rollout", "--all", "--yes", cwd=fleet)
    assert "Nothing to do: 3 devices verified" in second
    assert not imported & FOR_WORK
