"""Two ressorts with different stacks on real laptops: chosen, installed, configured, used, verified, and exchanged."""

from __future__ import annotations

import csv
import json
import shlex
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from mvpc.catalogue import PackagedProduct, Product, load_catalogue
from tests.acceptance.admin import NEEDS_LAB, Admin, an_admin

pytestmark = NEEDS_LAB

PROGRAMS = Path(__file__).with_name("programs")
OFFICE = "lab-03"
"""The laptop of WM."""
TAX = ("lab-01", "lab-02")
"""Those of FM; their authorities add zip to one, and tree to the other."""
FM = """\
software:
  cups: present
  e-akte: present
  exiftool: present
  firefox: {state: present, homepage: "https://intranet.fm.mv.example/"}
  jq: present
  keepassxc: present
  opensc: present
  pdfgrep: present
  %s: present
"""
WM = """\
software:
  cloud: present
  cups: present
  desktop: {state: present, lock_after_minutes: 5}
  firefox:
    state: present
    homepage: https://intranet.mv.example/
    bookmarks: {Kantine: "https://kantine.mv.example/"}
  keepassxc: present
  thunderbird: present
  writer: {state: present, default_format: ooxml}
  xpdf: present
"""
BOTH = {"cups", "firefox", "keepassxc", "poppler-utils", "qpdf", "xpdf"}
STACKS = {
    "lab-01": BOTH | {"exiftool", "jq", "opensc", "pdfgrep", "zip"},
    "lab-02": BOTH | {"exiftool", "jq", "opensc", "pdfgrep", "tree"},
    "lab-03": BOTH | {"desktop", "thunderbird", "writer"},
}
SERVICES = {("lab-01", "e-akte"), ("lab-02", "e-akte"), ("lab-03", "cloud")}
"""What no laptop of the lab can reach: there are no central services."""


@pytest.fixture(scope="module")
def admin(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Admin]:
    with an_admin(tmp_path_factory.mktemp("project"), name="soft", addresses="10.95.0.0/25") as person:
        _write_catalogue(person.root)
        choose(person, "fm", FM % "xpdf")
        choose(person, "wm", WM)
        person.mvpc("device", "import", "inventory/lab.csv", "--yes")
        person.boot(3)
        for program in PROGRAMS.glob("*.py"):
            person.on(OFFICE, f"cat >{program.name} <<'END'\n{program.read_text()}\nEND")
        yield person


def _write_catalogue(root: Path) -> None:
    """LibreOffice without tables, presentations and windows: a third of the packages, and the same policies."""
    text = (root / "profiles/catalogue/libreoffice.yml").read_text()
    packages = "[libreoffice-calc, libreoffice-gtk3, libreoffice-impress, libreoffice-writer]"
    assert packages in text
    text = text.replace(packages, "[libreoffice-writer-nogui, python3-uno]")
    text = text.replace("  de: [hunspell-de-de, hyphen-de, libreoffice-help-de, libreoffice-l10n-de, mythes-de]", "")
    (root / "profiles/catalogue/writer.yml").write_text(text)


def choose(admin: Admin, ressort: str, layer: str) -> None:
    """Give the laptops of a ressort these products, and nothing else."""
    (admin.root / f"profiles/ressorts/{ressort}.yml").write_text(layer)


def ask(admin: Admin, program: str, *arguments: str) -> Any:
    """Run one of the programs beside this file on the laptop of WM, and read its JSON."""
    said = admin.on(OFFICE, shlex.join(["python3", program, *arguments]), timeout_s=600)
    return json.loads(said.splitlines()[-1])


def version_of(product: Product, there: Mapping[str, str]) -> str:
    """The version of a product on a laptop whose dpkg says this; empty when it is not there."""
    assert isinstance(product, PackagedProduct)
    if not all(name in there for name in product.packages_for("debian-13", ("de",))):
        return ""
    (version,) = {there[name] for name in product.pinned("debian-13")}
    return version


def test_both_stacks_are_one_rollout_and_verified(admin: Admin):
    done = admin.json("rollout", "--all", "--rings", "broad=100", "--yes")["rollout"]
    assert (done["counts"], done["verified"]) == ({"changed": 3}, 3)
    assert admin.json("rollout", "--all", "--yes")["plan"]["changes"] == []


def test_a_whole_stack_cost_one_transaction_of_apt(admin: Admin):
    for laptop, history in admin.on_all("cat /var/log/apt/history.log").items():
        assert history.count("Start-Date:") == 1, laptop
        assert "firefox-esr:" in history


def test_packages_were_downloaded_once_for_all_laptops(admin: Admin):
    lines = [line.split() for line in (admin.lab.home / "mirror/access.log").read_text().splitlines()]
    packages = [(path, cache) for _, method, path, status, cache, _ in lines if "/pool/" in path and status == "200"]
    served = Counter(path for path, _ in packages)
    fetched = Counter(path for path, cache in packages if cache != "HIT")
    assert len([path for path in served if served[path] == len(admin.addresses)]) > 50
    assert [path for path in served if fetched[path] > 1] == []


def test_every_product_works_as_its_catalogue_file_says(admin: Admin):
    told = admin.json("software", "ask")
    assert (told["reach"], told["left_out"]) == ({"reached": 3}, 0)
    assert {(each["device"], each["product"]) for each in told["failed"]} == SERVICES


def test_the_report_agrees_with_dpkg_product_for_product(admin: Admin):
    there, catalogue = admin.packages(), load_catalogue(admin.root)
    found = {each["product"]: each for each in admin.json("software", "report")["products"]}
    assert found.keys() == set().union(*STACKS.values())
    for name, figures in found.items():
        on = [laptop for laptop, stack in STACKS.items() if name in stack]
        assert figures["installed"] == Counter(version_of(catalogue[name], there[laptop]) for laptop in on), name
        assert figures["states"] == {"working": len(on), "failed": 0, "missing": 0, "unknown": 0}, name
        assert figures["unchosen"] == sum(
            bool(version_of(catalogue[name], there[laptop])) for laptop in STACKS.keys() - {*on}
        )


def test_the_spreadsheet_agrees_with_dpkg_laptop_for_laptop(admin: Admin):
    there, catalogue = admin.packages(), load_catalogue(admin.root)
    admin.mvpc("software", "report", "--format", "csv", "-o", "report.csv")
    with (admin.root / "report.csv").open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file, delimiter=";"))
    assert {(row["Rechnername"], row["Ressort"]) for row in rows} == {
        *((laptop, "fm") for laptop in TAX),
        (OFFICE, "wm"),
    }
    listed = {(row["Rechnername"], row["Produkt"]): (row["Ist-Version"], row["Ergebnis"]) for row in rows}
    assert listed == {
        (laptop, name): (version_of(catalogue[name], there[laptop]), "funktioniert")
        for laptop, stack in STACKS.items()
        for name in stack
    }


def test_each_ressort_has_its_own_homepage(admin: Admin):
    said = admin.on_all(
        'python3 -c \'import json; print(json.load(open("/etc/firefox/policies/policies.json"))'
        '["policies"]["Homepage"]["URL"])\''
    )
    homepages = {laptop: text.strip() for laptop, text in said.items()}
    assert homepages == {
        **dict.fromkeys(TAX, "https://intranet.fm.mv.example/"),
        OFFICE: "https://intranet.mv.example/",
    }


def test_firefox_itself_says_that_the_policies_are_active_and_locked(admin: Admin):
    found = ask(admin, "ask_mozilla.py", "firefox-esr", "browser.startup.homepage", "toolkit.telemetry.enabled")
    assert found["status"] == "active"
    assert found["policies"]["DisableTelemetry"] is True
    assert found["policies"]["ManagedBookmarks"][1:] == [
        {"name": "Landescloud", "url": "https://cloud.mv.example/"},
        {"name": "Kantine", "url": "https://kantine.mv.example/"},
    ]
    assert found["preferences"]["browser.startup.homepage"] == {
        "value": "https://intranet.mv.example/",
        "locked": True,
    }
    assert found["locale"] == "de"


def test_thunderbird_itself_says_that_the_policies_are_active_and_locked(admin: Admin):
    found = ask(admin, "ask_mozilla.py", "thunderbird", "mailnews.message_display.disable_remote_image")
    assert found["status"] == "active"
    assert found["preferences"]["mailnews.message_display.disable_remote_image"] == {"value": True, "locked": True}
    assert found["locale"] == "de"


def test_libreoffice_converts_and_its_default_format_is_that_of_the_profile(admin: Admin):
    convert = "soffice --headless --convert-to pdf letter.txt"
    admin.on(OFFICE, f"echo Guten Tag >letter.txt && {convert} >/dev/null 2>&1", timeout_s=600)
    assert admin.on(OFFICE, "head -c 5 letter.pdf") == "%PDF-"
    found = ask(admin, "ask_office.py")
    assert found["default_format"] == {"value": "MS Word 2007 XML", "locked": True}
    assert found["macro_security"] == {"value": 3, "locked": True}


def test_the_password_safe_opens_a_database(admin: Admin):
    admin.on(OFFICE, "rm -f safe.kdbx; printf 'geheim-1\\ngeheim-1\\n' | keepassxc-cli db-create -q -p safe.kdbx")
    admin.on(OFFICE, "printf 'geheim-1\\n' | keepassxc-cli mkdir -q safe.kdbx Amt")
    assert admin.on(OFFICE, "printf 'geheim-1\\n' | keepassxc-cli ls -q safe.kdbx").split() == ["Amt/"]


def test_the_printing_service_answers(admin: Admin):
    assert "scheduler is running" in admin.on(OFFICE, "lpstat -r")


def test_people_cannot_change_the_rules_of_the_desktop(admin: Admin):
    key = "org.gnome.desktop.session idle-delay"
    assert admin.on(OFFICE, f"gsettings get {key}").strip() == "uint32 300"
    assert admin.on(OFFICE, f"gsettings writable {key}").strip() == "false"
    admin.on(OFFICE, f"dbus-run-session gsettings set {key} 0", check=False)
    assert admin.on(OFFICE, f"gsettings get {key}").strip() == "uint32 300"


def test_a_service_is_in_the_menu(admin: Admin):
    entry = admin.on(OFFICE, "cat /usr/share/applications/mvpc-cloud.desktop")
    assert 'Exec=x-www-browser "https://cloud.mv.example/"' in entry


def test_another_pdf_tool_takes_the_place_of_the_first_in_one_ressort_and_files_of_people_stay(admin: Admin):
    files = "Akten/Bescheid.pdf .xpdfrc safe.kdbx"
    for laptop in TAX:
        admin.on(laptop, "mkdir -p Akten && qpdf --empty Akten/Bescheid.pdf && echo 'bind any q quit' >.xpdfrc")
        admin.on(laptop, "rm -f safe.kdbx; printf 'geheim-1\\ngeheim-1\\n' | keepassxc-cli db-create -q -p safe.kdbx")
    before = {laptop: admin.on(laptop, f"sha256sum {files}") for laptop in TAX}
    choose(admin, "fm", FM % "mupdf")
    said = admin.json("profile", "explain", "lab-01", "software.xpdf")
    assert {each["path"]: each["value"] for each in said} == {
        "software.xpdf.state": "absent",
        "software.xpdf.replaced_by": "mupdf",
    }
    done = admin.json("rollout", "--all", "--rings", "broad=100", "--yes")
    assert {change["device"] for change in done["plan"]["changes"]} == {*TAX}
    assert (done["rollout"]["counts"], done["rollout"]["verified"]) == ({"changed": 2}, 2)
    there = admin.packages()
    for laptop in TAX:
        assert "mupdf" in there[laptop]
        assert "xpdf" not in there[laptop]
        assert admin.on(laptop, "ls /usr/bin/xpdf", check=False) == ""
        assert admin.on(laptop, f"sha256sum {files}") == before[laptop]
        assert "application/pdf=mupdf.desktop;" in admin.on(laptop, "cat /etc/xdg/mimeapps.list")
        assert admin.on(laptop, "grep -c ^Start-Date: /var/log/apt/history.log").strip() == "2"
    assert {"mupdf", "xpdf"} & there[OFFICE].keys() == {"xpdf"}


def test_the_report_tells_the_exchange_once_laptops_were_asked_again(admin: Admin):
    unknown = {each["product"]: each["states"]["unknown"] for each in admin.json("software", "report")["products"]}
    assert (unknown["mupdf"], unknown["xpdf"]) == (2, 0)
    failed = admin.json("software", "ask", "--ressort", "fm")["failed"]
    assert {each["product"] for each in failed} == {"e-akte"}
    found = {each["product"]: each for each in admin.json("software", "report")["products"]}
    there = admin.packages()
    assert found["mupdf"]["installed"] == {there["lab-01"]["mupdf"]: 2}
    assert found["xpdf"]["installed"] == {there[OFFICE]["xpdf"]: 1}
    assert (found["mupdf"]["working"], found["xpdf"]["unchosen"]) == (1, 0)


def test_policies_go_with_their_product(admin: Admin):
    choose(admin, "wm", "software: {qpdf: present}\n")
    admin.on(OFFICE, "mkdir -p Akten && echo Guten Tag >Akten/letter.pdf")
    admin.mvpc("rollout", "--ressort", "wm", "--yes")
    gone = "/etc/firefox/policies/policies.json /etc/dconf/db/local.d/50-mvpc /etc/xdg/mimeapps.list"
    assert admin.on(OFFICE, f"ls {gone} 2>/dev/null", check=False) == ""
    assert "letter.pdf" in admin.on(OFFICE, "ls Akten")
