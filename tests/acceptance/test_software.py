"""Software on a real laptop: not only installed, but configured, used, verified, and exchanged."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mvpc.catalogue import PackagedProduct, load_catalogue
from tests.acceptance.admin import NEEDS_LAB, Admin, an_admin

pytestmark = NEEDS_LAB

PROGRAMS = Path(__file__).with_name("programs")
LAYER = """\
software:
  firefox:
    state: present
    homepage: https://intranet.mv.example/
    bookmarks: {Kantine: "https://kantine.mv.example/"}
  thunderbird: present
  writer: {state: present, default_format: ooxml}
  keepassxc: present
  cups: present
  desktop: {state: present, lock_after_minutes: 5}
  cloud: present
  %s: present
"""


@pytest.fixture(scope="module")
def admin(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Admin]:
    with an_admin(tmp_path_factory.mktemp("project"), name="soft", addresses="10.95.0.0/25") as person:
        _write_catalogue(person.root)
        choose(person, "xpdf")
        person.mvpc("device", "import", "inventory/lab.csv", "--yes")
        person.boot(1)
        device = person.json("device", "list")["devices"][0]
        person.addresses["lab-01"], person.host_keys["lab-01"] = device["address"], device["host_key"]
        for program in PROGRAMS.glob("*.py"):
            person.on("lab-01", f"cat >{program.name} <<'END'\n{program.read_text()}\nEND")
        yield person


def _write_catalogue(root: Path) -> None:
    """LibreOffice without tables, presentations and windows: a third of the packages, and the same policies."""
    text = (root / "profiles/catalogue/libreoffice.yml").read_text()
    packages = "[libreoffice-calc, libreoffice-gtk3, libreoffice-impress, libreoffice-writer]"
    assert packages in text
    text = text.replace(packages, "[libreoffice-writer-nogui, python3-uno]")
    text = text.replace("  de: [hunspell-de-de, hyphen-de, libreoffice-help-de, libreoffice-l10n-de, mythes-de]", "")
    (root / "profiles/catalogue/writer.yml").write_text(text)


def choose(admin: Admin, reader: str) -> None:
    """Give the laptop everything of LAYER, and one reader of PDF files."""
    layer = admin.root / "profiles/devices/lab-01.yml"
    layer.parent.mkdir(exist_ok=True)
    layer.write_text(LAYER % reader)


def ask(admin: Admin, program: str, *arguments: str) -> Any:
    """Run one of the programs beside this file on the laptop, and read its JSON."""
    return json.loads(admin.on("lab-01", shlex.join(["python3", program, *arguments])).splitlines()[-1])


def test_the_whole_stack_is_one_rollout_and_verified(admin: Admin):
    done = admin.json("rollout", "--device", "lab-01", "--yes")["rollout"]
    assert (done["counts"], done["verified"]) == ({"changed": 1}, 1)
    assert admin.json("rollout", "--device", "lab-01", "--yes")["plan"]["changes"] == []


def test_it_cost_one_transaction_of_apt(admin: Admin):
    history = admin.on("lab-01", "cat /var/log/apt/history.log").split("\n\n")
    assert len([each for each in history if "firefox-esr" in each]) == 1
    assert len([each for each in history if "firefox-esr" in each and "libreoffice-writer-nogui" in each]) == 1


@pytest.mark.parametrize("name", ["firefox", "thunderbird", "writer", "keepassxc", "cups", "desktop", "qpdf"])
def test_a_product_works_as_its_catalogue_file_says(admin: Admin, name: str):
    product = load_catalogue(admin.root)[name]
    assert isinstance(product, PackagedProduct)
    for check in product.verify:
        said = admin.on("lab-01", f"{shlex.join(check.argv)} 2>&1; echo exit $?")
        output, _, code = said.rpartition("exit ")
        assert check.accepts(int(code), output), said


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
    assert found["locales"][0] == "de"


def test_thunderbird_itself_says_that_the_policies_are_active_and_locked(admin: Admin):
    found = ask(admin, "ask_mozilla.py", "thunderbird", "mailnews.message_display.disable_remote_image")
    assert found["status"] == "active"
    assert found["preferences"]["mailnews.message_display.disable_remote_image"] == {"value": True, "locked": True}


def test_libreoffice_converts_and_its_default_format_is_that_of_the_profile(admin: Admin):
    admin.on("lab-01", "echo Guten Tag >letter.txt && soffice --headless --convert-to pdf letter.txt >/dev/null 2>&1")
    assert admin.on("lab-01", "head -c 5 letter.pdf") == "%PDF-"
    found = ask(admin, "ask_office.py")
    assert found["default_format"] == {"value": "MS Word 2007 XML", "locked": True}
    assert found["macro_security"] == {"value": 3, "locked": True}


def test_the_password_safe_opens_a_database(admin: Admin):
    admin.on("lab-01", "rm -f safe.kdbx; printf 'geheim-1\\ngeheim-1\\n' | keepassxc-cli db-create -q -p safe.kdbx")
    admin.on("lab-01", "printf 'geheim-1\\n' | keepassxc-cli mkdir -q safe.kdbx Amt")
    assert admin.on("lab-01", "printf 'geheim-1\\n' | keepassxc-cli ls -q safe.kdbx").split() == ["Amt/"]


def test_the_printing_service_answers(admin: Admin):
    assert "scheduler is running" in admin.on("lab-01", "lpstat -r")


def test_people_cannot_change_the_rules_of_the_desktop(admin: Admin):
    key = "org.gnome.desktop.session idle-delay"
    assert admin.on("lab-01", f"gsettings get {key}").strip() == "uint32 300"
    assert admin.on("lab-01", f"gsettings writable {key}").strip() == "false"
    admin.on("lab-01", f"dbus-run-session gsettings set {key} 0", check=False)
    assert admin.on("lab-01", f"gsettings get {key}").strip() == "uint32 300"


def test_a_service_is_in_the_menu(admin: Admin):
    entry = admin.on("lab-01", "cat /usr/share/applications/mvpc-cloud.desktop")
    assert 'Exec=x-www-browser "https://cloud.mv.example/"' in entry


def test_another_pdf_reader_takes_the_place_of_the_first_and_files_of_people_stay(admin: Admin):
    admin.on("lab-01", "mkdir -p Akten && cp letter.pdf Akten/ && echo 'bind any q quit' >.xpdfrc")
    before = admin.on("lab-01", "sha256sum Akten/letter.pdf .xpdfrc safe.kdbx")
    choose(admin, "mupdf")
    said = admin.json("profile", "explain", "lab-01", "software.xpdf")
    assert {each["path"]: each["value"] for each in said} == {
        "software.xpdf.state": "absent",
        "software.xpdf.replaced_by": "mupdf",
    }
    done = admin.json("rollout", "--device", "lab-01", "--yes")["rollout"]
    assert (done["counts"], done["verified"]) == ({"changed": 1}, 1)
    state = "dpkg-query -Wf '${Package} ${db:Status-Status}\\n' mupdf xpdf"
    assert admin.on("lab-01", state, check=False).splitlines()[0] == "mupdf installed"
    assert "xpdf installed" not in admin.on("lab-01", state, check=False)
    assert admin.on("lab-01", "ls /usr/bin/xpdf", check=False) == ""
    assert admin.on("lab-01", "sha256sum Akten/letter.pdf .xpdfrc safe.kdbx") == before
    assert "application/pdf=mupdf.desktop;" in admin.on("lab-01", "cat /etc/xdg/mimeapps.list")


def test_policies_go_with_their_product(admin: Admin):
    (admin.root / "profiles/devices/lab-01.yml").write_text("software: {qpdf: present}\n")
    admin.mvpc("rollout", "--device", "lab-01", "--yes")
    gone = "/etc/firefox/policies/policies.json /etc/dconf/db/local.d/50-mvpc /etc/xdg/mimeapps.list"
    assert admin.on("lab-01", f"ls {gone} 2>/dev/null", check=False) == ""
    assert "letter.pdf" in admin.on("lab-01", "ls Akten")
