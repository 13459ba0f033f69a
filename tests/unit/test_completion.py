"""What Tab offers, asked as bash asks."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from mvpc.cli.app import app
from mvpc.inventory.difference import difference
from mvpc.store.write import Store
from mvpc.testing import NOON, a_device

ORGANISATION = Path(__file__).parents[2] / "inventory/organisation.yml"


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "mvpc.toml").touch()
    (tmp_path / "inventory").mkdir()
    shutil.copy(ORGANISATION, tmp_path / "inventory")
    devices = [a_device(name, number=0) for name in ("nb-000123", "nb-000124", "pc-7")]
    Store(tmp_path / ".mvpc/mvpc.db").save(difference([], devices), actor="t", at=NOON, action="add")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def tab(line: str) -> Result:
    words = line.split(" ")
    asked = {"_MVPC_COMPLETE": "complete_bash", "COMP_WORDS": line, "COMP_CWORD": str(len(words) - 1)}
    return CliRunner().invoke(app, [], prog_name="mvpc", env=asked)


@pytest.mark.parametrize(
    ("line", "offered"),
    [
        ("mvpc rollo", ["rollout"]),
        ("mvpc rollout sh", ["show"]),
        ("mvpc status nb", ["nb-000123", "nb-000124"]),
        ("mvpc profile explain nb-000124", ["nb-000124"]),
        ("mvpc plan --device p", ["pc-7"]),
        ("mvpc rollout --ressort f", ["fm"]),
        ("mvpc plan --authority fa-schw", ["fa-schwerin"]),
        ("mvpc status x", []),
    ],
)
@pytest.mark.usefixtures("project")
def test_tab_offers_what_fits(line: str, offered: list[str]):
    assert tab(line).stdout.split() == offered


def test_tab_looks_into_the_project_that_the_line_names(project: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir("/")
    assert tab(f"mvpc -C {project} status pc").stdout.split() == ["pc-7"]


@pytest.mark.parametrize("broken", ["mvpc.toml", ".mvpc/mvpc.db"])
def test_tab_says_nothing_where_something_is_wrong(project: Path, broken: str):
    (project / broken).write_bytes(b"\xff not what it should be")
    done = tab("mvpc status nb")
    assert (done.stdout.strip(), done.stderr) == ("", "")


def test_tab_says_nothing_outside_of_a_project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    done = tab("mvpc status nb")
    assert (done.stdout.strip(), done.stderr) == ("", "")
