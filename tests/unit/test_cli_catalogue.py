from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from mvpc.cli.app import app

REPOSITORY = Path(__file__).parents[2]


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project folder with the sample profiles and no inventory."""
    (tmp_path / "mvpc.toml").touch()
    for part in ("profiles", "inventory"):
        shutil.copytree(REPOSITORY / part, tmp_path / part)
    return tmp_path


def run(project: Path, *arguments: str) -> Result:
    return CliRunner().invoke(app, ["--project", str(project), "catalogue", *arguments])


def test_products_are_listed_by_function(project: Path):
    found = json.loads(run(project, "list", "--function", "pdf", "--json").stdout)
    assert {"okular", "evince", "qpdf"} <= {each["product"] for each in found}
    assert {each["function"] for each in found} == {"pdf"}


def test_an_unknown_function_is_answered_with_the_nearest_one(project: Path):
    result = run(project, "list", "--function", "pdff")
    assert (result.exit_code, "Perhaps pdf is meant" in result.stderr) == (2, True)


def test_a_product_is_shown_with_its_settings_and_the_layers_that_name_it(project: Path):
    result = run(project, "show", "libreoffice")
    assert "default_format" in result.output
    assert "profiles/base.yml:" in result.output
    assert "settings only" in result.output
    assert "soffice --headless" in result.output


def test_a_product_is_shown_with_lines_to_paste_and_with_the_bounds_of_its_settings(project: Path):
    path = project / "profiles/catalogue/libreoffice.yml"
    number = "  undo_steps: {type: integer, minimum: 5, maximum: 90, description: How much can be undone.}\n"
    path.write_text(path.read_text().replace("settings:\n", f"settings:\n{number}"))
    output = run(project, "show", "libreoffice").output
    assert "\n  libreoffice:\n    state: present\n    # version: " in output
    assert re.search(r'^    # default_format: "odf" +# default$', output, re.MULTILINE)
    assert re.search(r"^undo_steps +integer from 5 to 90 ", output, re.MULTILINE)
    shown = json.loads(run(project, "show", "libreoffice", "--json").stdout)
    assert shown["example"].startswith("software:\n  libreoffice:\n")


def test_an_unknown_product_is_answered_with_the_nearest_one(project: Path):
    assert "Perhaps libreoffice is meant" in run(project, "show", "librofice").stderr


def test_a_valid_catalogue_says_so(project: Path):
    result = run(project, "check")
    assert (result.exit_code, "the catalogue is valid" in result.output) == (0, True)


def test_what_is_wrong_is_named_with_its_line(project: Path):
    path = project / "profiles/catalogue/desktop.yml"
    path.write_text(path.read_text().replace("{{ automount }}", "{{ automunt }}"))
    result = run(project, "check")
    assert result.exit_code == 2
    assert "profiles/catalogue/desktop.yml:" in result.output
    assert "'automunt' is undefined" in result.output


def test_the_check_looks_at_specialist_applications_too(project: Path):
    path = project / "inventory/applications/geo-viewer.yml"
    path.write_text(path.read_text().replace("[laiv, lung]", "[laiw, lung]"))
    result = run(project, "check")
    assert result.exit_code == 2
    assert "needed_by.authorities.0: laiw does not exist. Perhaps laiv is meant" in result.output


def test_a_profile_check_finds_choices_that_do_not_go_together(project: Path):
    layer = project / "profiles/workplaces/performance.yml"
    text = layer.read_text().replace("okular: present", "okular: {state: present, preferred: true}")
    layer.write_text(text + "  xpdf: {state: present, preferred: true}\n")
    result = CliRunner().invoke(app, ["--project", str(project), "profile", "check", "--without-secrets"])
    assert result.exit_code == 2
    place = "profiles/workplaces/performance.yml"
    assert f"{place}:7: software.xpdf.preferred: okular, preferred by {place}:6, opens application/pdf" in " ".join(
        result.output.split()
    )
