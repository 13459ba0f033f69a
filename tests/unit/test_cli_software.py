"""`mvpc software report`: what laptops said, on the screen."""

from __future__ import annotations

import shutil
from datetime import timedelta
from pathlib import Path

import pytest
from typer.testing import CliRunner

from mvpc.cli.app import app
from mvpc.inventory.difference import ImportDifference
from mvpc.model import InstalledPackage, Probe, SoftwareAnswer
from mvpc.store.write import Store
from mvpc.testing import NOON, a_device, a_probe
from tests.unit.test_render import ECDSA

REPOSITORY = Path(__file__).parents[2]
OLD, NEW = "3.04+git20250304-1", "3.04+git20250304-1+b1"


@pytest.fixture
def output(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The report about five laptops, on a terminal of 80 columns.

    Two shall have the new xpdf and one any; of these one has the new one, one the old one, one none. Of two that did
    not choose it, one has it.
    """
    for folder in ("profiles", "inventory"):
        shutil.copytree(REPOSITORY / folder, tmp_path / folder)
    (tmp_path / "mvpc.toml").touch()
    (tmp_path / "profiles/devices").mkdir()
    pinned = f'software: {{xpdf: {{state: present, version: {{debian-13: "{NEW}"}}}}}}\n'
    for number, text in {1: pinned, 2: pinned, 3: "software: {xpdf: present}\n"}.items():
        (tmp_path / f"profiles/devices/nb-{number}.yml").write_text(text)
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".mvpc").mkdir()
    store = Store(tmp_path / ".mvpc" / "mvpc.db")
    devices = tuple(a_device(f"nb-{number}", number=0, host_key=ECDSA) for number in range(1, 6))
    store.save(ImportDifference(new=devices), actor="ute", at=NOON, action="import")
    store.record_software([said(1, NEW), said(2, OLD), said(3), said(4, NEW), said(5)])
    monkeypatch.setenv("TTY_COMPATIBLE", "1")
    monkeypatch.setenv("COLUMNS", "80")
    done = CliRunner().invoke(app, ["software", "report"])
    assert done.exit_code == 0, done.output
    return done.output


def said(number: int, version: str = "") -> Probe:
    packages = (InstalledPackage("xpdf", version, "amd64"),) if version else ()
    answer = SoftwareAnswer(packages=packages, checks={"xpdf": ""})
    return a_probe(f"nb-{number}", at=NOON + timedelta(hours=1), software=answer)


def about_xpdf(output: str) -> list[list[str]]:
    """Words of each line about it in the second table."""
    lines = output[output.index("version, oldest first") :].splitlines()
    first = next(number for number, line in enumerate(lines) if line.startswith("xpdf"))
    last = next(number for number in range(first + 1, len(lines)) if not lines[number].startswith(" "))
    return [line.split() for line in lines[first:last]]


def test_each_version_has_a_line_the_oldest_first_and_is_never_broken_into_pieces(output: str):
    any_version, old, new, *_ = about_xpdf(output)
    assert any_version == ["xpdf", "pdf", "any", "1"]
    assert old == [OLD, "1"]
    assert new == [NEW, "2", "1"]


def test_laptops_with_another_version_and_those_that_did_not_choose_it_are_counted(output: str):
    assert [" ".join(words) for words in about_xpdf(output)[3:]] == ["(another than wanted) 1", "(not chosen) 1"]


def test_a_product_has_a_line_that_says_on_how_many_it_works_and_its_licence(output: str):
    above = output[: output.index("version, oldest first")].splitlines()
    [line] = [line for line in above if line.startswith("xpdf")]
    assert line.split()[1:-2] == ["66.6", "%", "of", "3", "0", "1", "0"]
    assert "GPL-2.0-only" in line
