from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from mvpc.applications import Application, Obstacle, Readiness, load_applications, readiness
from mvpc.cli.app import app
from mvpc.errors import InputError
from mvpc.model import Device, LifeCycle, Workplace
from mvpc.organisation import load_organisation
from mvpc.testing import a_device

REPOSITORY = Path(__file__).parents[2]
TODAY = date(2026, 11, 23)
GOOD = """\
name: Förder-Dialog
owner: Referat Förderung
systems:
  debian-13: {version: "7.2", tested: "2026-09-14"}
needed_by:
  ressorts: [wm]
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "inventory/applications").mkdir(parents=True)
    (tmp_path / "mvpc.toml").touch()
    shutil.copy(REPOSITORY / "inventory/organisation.yml", tmp_path / "inventory")
    shutil.copy(REPOSITORY / "inventory/devices.example.csv", tmp_path / "inventory")
    return tmp_path


def loaded(project: Path, text: str = GOOD) -> Mapping[str, Application]:
    (project / "inventory/applications/app.yml").write_text(text)
    return load_applications(project, load_organisation(project), on=TODAY)


def problems(project: Path, text: str) -> list[str]:
    with pytest.raises(InputError) as found:
        loaded(project, text)
    return [str(each) for each in found.value.problems]


# --- files -----------------------------------------------------------------------------------


def test_a_file_becomes_an_application(project: Path):
    (found,) = loaded(project).values()
    assert (found.name, found.systems["debian-13"].version) == ("Förder-Dialog", "7.2")
    assert found.needed_by.ressorts == ("wm",)


def test_a_project_without_applications_has_none(tmp_path: Path):
    assert load_applications(tmp_path, load_organisation(REPOSITORY), on=TODAY) == {}


def test_the_samples_are_valid():
    assert len(load_applications(REPOSITORY, load_organisation(REPOSITORY), on=TODAY)) >= 4


@pytest.mark.parametrize(
    ("before", "after", "line", "words"),
    [
        ("owner: Referat Förderung\n", "", 1, "owner: is missing"),
        ("owner:", "ownr:", 2, "unknown key"),
        ("debian-13", "debain-13", 4, "an operating system with its release"),
        ('tested: "2026-09-14"', 'tested: "2026-09-31"', 4, "must be a day of the calendar"),
        ('tested: "2026-09-14"', 'tested: "2062-09-14"', 4, "this day has not come yet"),
        (', tested: "2026-09-14"', "", 4, "a test has a version and a day"),
        ("[wm]", "[wn]", 6, "wn does not exist"),
        ("ressorts: [wm]", "authorities: [fa-schwern]", 6, "Perhaps fa-schwerin is meant"),
        ("ressorts: [wm]", "workplaces: [standard]", 5, "names nobody"),
        ("ressorts: [wm]", "ressorts: [wm]\n  workplaces: [standart]", 7, "must be one of standard"),
    ],
)
def test_what_is_wrong_is_named_with_its_line(project: Path, before: str, after: str, line: int, words: str):
    assert before in GOOD
    found = "\n".join(problems(project, GOOD.replace(before, after)))
    assert f"inventory/applications/app.yml:{line}" in found
    assert words in found


def test_everything_that_is_wrong_is_said_at_once(project: Path):
    (project / "inventory/applications/Other.yml").write_text(GOOD)
    found = problems(project, GOOD.replace("[wm]", "[wn, xx]"))
    assert len(found) == 3


# --- readiness -------------------------------------------------------------------------------


def an_application(**fields: Any) -> Application:
    values: dict[str, Any] = {"name": "A", "owner": "B", "needed_by": {"authorities": ("fa-schwerin",)}}
    values["systems"] = {"debian-13": {"version": "2", "tested": "2026-09-14"}}
    return Application.model_validate({**values, **fields})


def looked(application: Application, *devices: Device, ressort: str = "fm", days: int = 365) -> Readiness:
    found = devices or (a_device(os="windows-11"),)
    return readiness(
        dict.fromkeys(found, ressort),
        {"app": application},
        system="debian-13",
        on=TODAY,
        max_age=timedelta(days=days),
    )


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({}, None),
        ({"version": "2"}, None),
        ({"version": "3"}, Obstacle.OTHER_VERSION),
        ({"systems": {"windows-11": {}}}, Obstacle.NOT_SUPPORTED),
        ({"systems": {"debian-13": {}}}, Obstacle.UNTESTED),
        ({"systems": {"debian-13": {"version": "2", "tested": "2025-11-22"}}}, Obstacle.TOO_OLD),
        ({"systems": {"debian-13": {"version": "2", "tested": "2025-11-23"}}}, None),
    ],
)
def test_a_workplace_is_held_for_a_reason(fields: dict[str, Any], expected: Obstacle | None):
    found = looked(an_application(**fields))
    assert [each.obstacle for each in found.blocked] == ([expected] if expected else [])
    assert (len(found.held), len(found.ready)) == ((1, 0) if expected else (0, 1))


def test_only_those_who_need_an_application_are_held_by_it():
    elsewhere = a_device("nb-2", os="windows-11", authority="laiv")
    mobile = a_device("nb-3", os="windows-11", workplace=Workplace.MOBILE)
    need = {"authorities": ("fa-schwerin",), "workplaces": ("standard",)}
    found = looked(
        an_application(systems={"windows-11": {}}, needed_by=need), a_device(os="windows-11"), elsewhere, mobile
    )
    assert [each.hostname for each in found.held] == ["nb-000123"]
    assert [each.hostname for each in found.ready] == ["nb-2", "nb-3"]


def test_a_ressort_means_all_of_its_authorities():
    application = an_application(systems={"windows-11": {}}, needed_by={"ressorts": ("fm",)})
    assert len(looked(application, ressort="fm").held) == 1
    assert len(looked(application, ressort="im").held) == 0


def test_every_laptop_is_counted_once():
    found = looked(
        an_application(systems={"windows-11": {}}),
        a_device("nb-1", os="windows-11"),
        a_device("nb-2", os="windows-11", authority="laiv"),
        a_device("nb-3", os="debian-13"),
        a_device("nb-4", os="windows-11", state=LifeCycle.LOST),
    )
    assert (len(found.held), len(found.ready), len(found.moved), found.left_out) == (1, 1, 1, 1)
    assert [(each.device, each.moved) for each in found.blocked] == [("nb-1", False), ("nb-3", True)]


# --- the command -----------------------------------------------------------------------------


def run(project: Path, *arguments: str) -> Any:
    return CliRunner().invoke(app, ["--project", str(project), *arguments])


@pytest.fixture
def fleet(project: Path) -> Path:
    text = GOOD.replace("debian-13", "windows-11").replace("ressorts: [wm]", "authorities: [fa-wismar]")
    (project / "inventory/applications/app.yml").write_text(text)
    assert run(project, "device", "import", str(project / "inventory/devices.example.csv"), "--yes").exit_code == 0
    return project


def test_the_command_counts_by_application_and_authority(fleet: Path):
    said = run(fleet, "catalogue", "readiness").output
    assert "not supported" in said
    assert "only windows-11" in said
    assert "fa-wismar" in said
    found = json.loads(run(fleet, "catalogue", "readiness", "--json").stdout)
    assert (len(found["held"]), [each["authority"] for each in found["blocked"]]) == (1, ["fa-wismar"])


def test_workplaces_with_an_obstacle_are_named_first_those_that_cannot_move(fleet: Path):
    text = GOOD.replace("debian-13", "windows-11").replace("ressorts: [wm]", "authorities: [fa-rostock]")
    (fleet / "inventory/applications/other.yml").write_text(text)
    said = run(fleet, "catalogue", "readiness", "--devices").output
    rows = [line.split() for line in said.splitlines() if line.startswith("nb-")]
    assert [" ".join(row[-2:]) for row in rows] == ["cannot move", "moved already"]


def test_a_system_that_cannot_be_meant_is_refused(fleet: Path):
    assert run(fleet, "catalogue", "readiness", "--to", "linux").exit_code == 2
    misspelt = run(fleet, "catalogue", "readiness", "--to", "debain-13")
    assert "--to 'debain-13' is no operating system with its release. Perhaps debian-13 is meant." in misspelt.output
