"""`mvpc software release` before it has asked anybody, and release files in `mvpc profile check`."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import pytest
from typer.testing import CliRunner

from mvpc.cli.app import app
from mvpc.inventory.difference import ImportDifference
from mvpc.model import Device, Probe
from mvpc.project import Project
from mvpc.software import Questions
from mvpc.store.write import Store
from mvpc.testing import NOON, a_device, a_probe
from tests.unit.test_render import ECDSA

REPOSITORY = Path(__file__).parents[2]
NAMES = tuple(f"nb-{number}" for number in range(1, 6))
PILOT = '[[rollout.ring]]\nname = "pilot"\npercent = 1\n%s\n[[rollout.ring]]\nname = "broad"\npercent = 100\n'


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project with five laptops, and a pilot ring that names nobody."""
    for folder in ("profiles", "inventory"):
        shutil.copytree(REPOSITORY / folder, tmp_path / folder)
    rings(tmp_path, "")
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".mvpc").mkdir()
    store = Store(tmp_path / ".mvpc" / "mvpc.db")
    devices = tuple(a_device(name, number=0, host_key=ECDSA) for name in NAMES)
    store.save(ImportDifference(new=devices), actor="ute", at=NOON, action="import")
    return tmp_path


def rings(project: Path, pilots: str) -> None:
    (project / "mvpc.toml").write_text(PILOT % pilots)


def write_release(project: Path, day: str = "2026-11-25") -> None:
    """A release of one package for ring broad, and the secret that the profiles need."""
    (project / "profiles/releases").mkdir()
    (project / "profiles/releases/broad.yml").write_text(
        f'name: "Spring"\ndate: "{day}"\nversions:\n  debian-13:\n    qpdf:\n      qpdf: "12.2.0-1"\n'
    )
    CliRunner().invoke(app, ["secret", "set", "wifi/guest-psk"], input="correct horse battery staple\n")


def refused(*arguments: str, code: int = 2) -> str:
    done = CliRunner().invoke(app, list(arguments))
    assert done.exit_code == code, done.output
    return " ".join(f"{done.output} {done.exception or ''}".split())


@pytest.mark.parametrize("ring", ["pilot", "broad"])
def test_a_ring_is_proved_only_by_one_before_it_that_names_its_laptops(project: Path, ring: str):
    assert f"no ring before {ring} names its laptops" in refused("software", "release", ring)


def test_a_ring_that_does_not_exist_is_named_with_what_may_be_meant(project: Path):
    assert "there is no ring braod" in refused("software", "release", "braod")


def test_a_ring_before_without_laptops_proves_nothing(project: Path):
    rings(project, 'devices = ["nb-9"]')
    assert "no laptop of ring pilot can be asked" in refused("software", "release", "broad")
    assert not (project / "profiles/releases").exists()


def test_a_release_that_cannot_be_is_found_by_the_check_of_profiles(project: Path):
    (project / "profiles/releases").mkdir()
    (project / "profiles/releases/braod.yml").write_text("")
    said = refused("profile", "check", "--without-secrets")
    assert "profiles/releases/braod.yml:1" in said
    assert "Perhaps broad is meant" in said


@pytest.mark.parametrize(("day", "reminded"), [("2020-01-01", True), ("2999-01-01", False)])
def test_a_plan_reminds_of_a_release_that_is_old(project: Path, day: str, reminded: bool):
    write_release(project, day)
    done = CliRunner().invoke(app, ["plan", "--no-ask"])
    assert done.exit_code == 0, done.output
    assert ("release Spring of ring broad is " in done.output) == reminded
    assert ("mvpc software release broad" in done.output) == reminded


def test_a_plan_without_asking_says_why_a_laptop_has_its_version(project: Path):
    write_release(project)
    said = CliRunner().invoke(app, ["plan", "--no-ask", "--why", "nb-1"]).output
    assert "for versions it counts as ring broad: release Spring of 2026-11-25, written by hand" in said
    assert "qpdf 12.2.0-1  profiles/releases/broad.yml:6" in said


@pytest.mark.parametrize("path", ["software", "software.qpdf", "software.qpdf.version", "release", "release.qpdf"])
def test_explain_shows_the_line_of_the_release_that_holds_a_version(project: Path, path: str):
    write_release(project)
    said = CliRunner().invoke(app, ["profile", "explain", "nb-1", path]).output
    assert re.search(r"^release\.qpdf\.qpdf = +12\.2\.0-1 +profiles/releases/broad\.yml:6$", said, re.MULTILINE), said


def test_explain_leaves_releases_out_where_other_settings_are_meant(project: Path):
    write_release(project)
    assert "release." not in CliRunner().invoke(app, ["profile", "explain", "nb-1", "vpn"]).output


def test_a_version_that_the_profile_pins_is_explained_by_its_own_line_alone(project: Path):
    write_release(project)
    (project / "profiles/devices").mkdir()
    (project / "profiles/devices/nb-1.yml").write_text("software: {qpdf: {version: {debian-13: 11.9.0-1}}}\n")
    said = CliRunner().invoke(app, ["profile", "explain", "nb-1", "software.qpdf"]).output
    assert re.search(r"version\.debian-13 = +11\.9\.0-1 +profiles/devices/nb-1\.yml:1$", said, re.MULTILINE), said
    assert "release." not in said


def test_show_lists_versions_of_the_release_with_their_lines(project: Path):
    write_release(project)
    settings = json.loads(CliRunner().invoke(app, ["profile", "show", "nb-1", "--json"]).stdout)["settings"]
    assert settings["release.qpdf.qpdf"] == {"value": "12.2.0-1", "source": "profiles/releases/broad.yml:6"}


def test_a_version_that_nobody_has_is_said_at_its_line_by_three_laptops_of_a_kind(
    project: Path, monkeypatch: pytest.MonkeyPatch
):
    write_release(project)
    asked: dict[str, Mapping[str, str]] = {}

    class Asking:
        """Laptops that never had any component, and whose sources have nothing."""

        def __init__(self, _: Project, *, questions: Mapping[str, Questions] | None = None) -> None:
            self.questions = questions or {}

        def probe(self, devices: Sequence[Device]) -> Iterator[Probe]:
            asked.update({name: each.versions for name, each in self.questions.items()})
            for device in devices:
                versions = self.questions[device.hostname].versions if self.questions else {}
                yield a_probe(device.hostname, at=NOON, digests={}, on_offer=dict.fromkeys(versions, False))

    monkeypatch.setattr("mvpc.cli.planning.prober", Asking)
    said = refused("plan")
    assert "profiles/releases/broad.yml:6: qpdf: no package source of nb-1, nb-2, nb-3 has qpdf 12.2.0-1" in said
    assert asked == {name: {"qpdf": "12.2.0-1"} for name in NAMES[:3]}
