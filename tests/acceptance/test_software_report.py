"""What mvpc says about the software of a laptop, against what the laptop's own dpkg says."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator

import pytest

from tests.acceptance.admin import NEEDS_LAB, Admin, an_admin

pytestmark = NEEDS_LAB

LAYER = """\
software:
  qpdf: present
  tree: present
  jq: present
  broken: present
  ordinary: present
"""
BROKEN = """\
name: Broken
function: archives
licence: Zlib
source: https://zip.example/
description: A product whose check cannot succeed.
packages: [zip]
verify:
  - {argv: [zip, --no-such-option], output: never}
"""
ORDINARY = """\
name: Ordinary
function: archives
licence: Zlib
source: https://zip.example/
description: A product whose checks succeed only for an account that exists meanwhile and can change nothing.
packages: [zip]
verify:
  - {argv: [id, -u], output: '^6[0-9]{4}$'}
  - {argv: [id, -un], output: '^[a-z]'}
  - {argv: [touch, /etc/mvpc-was-here], exit: 1, output: Read-only}
  - {argv: [sh, -c, 'touch "$HOME/here" && cd "$HOME" && ls'], output: '^here$'}
  - {argv: [sleep, '60'], seconds: 1, exit: 0}
"""


@pytest.fixture(scope="module")
def admin(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Admin]:
    with an_admin(tmp_path_factory.mktemp("project"), name="rep", addresses="10.90.0.0/25") as person:
        (person.root / "profiles/catalogue/broken.yml").write_text(BROKEN)
        (person.root / "profiles/catalogue/ordinary.yml").write_text(ORDINARY)
        (person.root / "profiles/devices").mkdir(exist_ok=True)
        (person.root / "profiles/devices/lab-01.yml").write_text(LAYER)
        person.mvpc("device", "import", "inventory/lab.csv", "--yes")
        person.boot(1)
        person.mvpc("rollout", "--device", "lab-01", "--yes")
        person.on("lab-01", "sudo apt-get -qq remove tree", timeout_s=600)
        yield person


def test_all_laptops_are_asked_and_what_fails_is_told_with_its_first_line(admin: Admin):
    told = admin.json("software", "ask", "--device", "lab-01")
    assert told["reach"] == {"reached": 1}
    failed = {each["product"]: each["error"] for each in told["failed"]}
    assert failed.keys() == {"broken", "tree", "ordinary"}
    assert failed["broken"].startswith("exit code 16: ")
    assert "tree" in failed["tree"]
    # The checks before it succeeded: an ordinary account, a laptop that cannot be changed, a home of its own.
    assert failed["ordinary"] == "sleep did not end within 1 s"


def test_the_report_agrees_with_dpkg(admin: Admin):
    there = admin.packages()["lab-01"]
    found = {each["product"]: each for each in admin.json("software", "report", "--device", "lab-01")["products"]}
    assert found["qpdf"]["installed"] == {there["qpdf"]: 1}
    assert found["jq"]["installed"] == {there["jq"]: 1}
    assert found["broken"]["installed"] == {there["zip"]: 1}
    assert found["tree"]["installed"] == {}
    states = {name: [state for state, number in each["states"].items() if number] for name, each in found.items()}
    assert (states["qpdf"], states["jq"], states["broken"], states["tree"]) == (
        *(["working"], ["working"]),
        *(["failed"], ["missing"]),
    )


def test_the_spreadsheet_agrees_with_dpkg_and_leaves_no_laptop_out(admin: Admin):
    there = admin.packages()["lab-01"]
    admin.mvpc("software", "report", "--format", "csv", "-o", "report.csv")
    text = (admin.root / "report.csv").read_text(encoding="utf-8-sig")
    rows = list(csv.DictReader(io.StringIO(text, newline=""), delimiter=";"))
    assert {each["Rechnername"] for each in rows} == {"lab-01", "lab-02", "lab-03"}
    versions = {each["Produkt"]: each["Ist-Version"] for each in rows if each["Rechnername"] == "lab-01"}
    assert {name: versions[name] for name in ("qpdf", "jq", "tree")} == {
        **{n: there[n] for n in ("qpdf", "jq")},
        "tree": "",
    }


def test_a_laptop_that_is_away_keeps_its_last_answer(admin: Admin):
    machine = admin.machine("lab-01")
    before = admin.json("software", "report", "--device", "lab-01")
    machine.block()
    try:
        assert admin.json("software", "ask", "--device", "lab-01")["reach"] == {"unreachable": 1}
    finally:
        machine.unblock()
    after = admin.json("software", "report", "--device", "lab-01")
    assert (before["asked"]["answered"], after["asked"]["answered before"]) == (1, 1)
    assert (after["products"], after["newest"]) == (before["products"], before["newest"])


def test_the_bill_of_materials_lists_what_dpkg_lists(admin: Admin):
    admin.mvpc("software", "sbom", "lab-01", "-o", "sbom.json")
    found = json.loads((admin.root / "sbom.json").read_text())
    listed = {each["name"]: each["version"] for each in found["components"] if each["type"] == "library"}
    assert listed == admin.packages()["lab-01"]
    licences = {each["name"]: each["licenses"] for each in found["components"] if "licenses" in each}
    assert licences["qpdf"] == [{"expression": "Apache-2.0"}]


def test_an_image_has_a_bill_of_materials_too(admin: Admin):
    found = json.loads(admin.mvpc("image", "sbom", "standard"))
    listed = {each["name"] for each in found["components"]}
    assert {"openssh-server", "network-manager"} <= listed
    assert "qpdf" not in listed
