"""Flatpaks from a private remote on a real laptop: installed, signed, updated, taken back.

Another laptop publishes them. In a container bubblewrap cannot run an application, so its files are looked at.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from tests.acceptance.admin import NEEDS_LAB, Admin, an_admin

pytestmark = NEEDS_LAB

LAPTOP, PUBLISHER = "lab-01", "lab-02"
PUBLISH = Path(__file__).with_name("programs") / "publish.sh"
PRODUCT = """\
name: Hello
kind: flatpak
function: office
licence: GPL-3.0-or-later
source: https://hello.mv.example/
description: Says hello.
app: example.mv.Hello
remote: mv
desktop: example.mv.Hello.desktop
autostart: true
verify:
  - {argv: [flatpak, list, --system, '--columns=application'], output: 'example.mv.Hello'}
"""
HELLO = "/var/lib/flatpak/app/example.mv.Hello/current/active/files/bin/hello"


@pytest.fixture(scope="module")
def admin(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Admin]:
    with an_admin(tmp_path_factory.mktemp("project"), name="flat", addresses="10.117.0.0/24") as person:
        (person.root / "profiles/catalogue/hello.yml").write_text(PRODUCT)
        person.mvpc("device", "import", "inventory/lab.csv", "--yes")
        person.boot(2)
        packages = "flatpak gnupg busybox-static"
        install = f"sudo apt-get -qq update; sudo apt-get -qq install --no-install-recommends {packages}"
        person.on(PUBLISHER, install, timeout_s=900)
        person.on(PUBLISHER, f"cat >publish.sh <<'SCRIPT'\n{PUBLISH.read_text()}\nSCRIPT")
        yield person


@pytest.fixture(scope="module")
def key(admin: Admin) -> str:
    """The key that signs the remote, which has a first version of the application."""
    return published(admin, "one")


def published(admin: Admin, words: str) -> str:
    return the_key(admin.on(PUBLISHER, f"sh publish.sh {words}", timeout_s=600))


def the_key(printed: str) -> str:
    return printed[printed.index("-----BEGIN PGP") :]


def choose(admin: Admin, key: str, state: str) -> None:
    layer = admin.root / f"profiles/devices/{LAPTOP}.yml"
    layer.parent.mkdir(exist_ok=True)
    url = f"http://{admin.addresses[PUBLISHER]}:8080/"
    base = {"flatpak": {"remotes": {"mv": {"url": url, "key": key}}}}
    layer.write_text(yaml.safe_dump({"base": base, "software": {"hello": state}}))


def roll_out(admin: Admin, *, expect: int = 0) -> str:
    return admin.mvpc("rollout", "--device", LAPTOP, "--yes", expect=expect)


def update(admin: Admin) -> None:
    """What a timer does every day."""
    admin.on(LAPTOP, "sudo systemctl start mvpc-flatpaks-update.service", timeout_s=600)


def greeting(admin: Admin) -> str:
    return admin.on(LAPTOP, f"sh {HELLO} 2>/dev/null || echo none").strip()


def test_it_is_installed_with_its_remote_and_verified(admin: Admin, key: str):
    choose(admin, key, "present")
    roll_out(admin)
    assert greeting(admin) == "one"
    assert admin.on(LAPTOP, "flatpak remotes --columns=name,url").split() == [
        "mv",
        f"http://{admin.addresses[PUBLISHER]}:8080/",
    ]
    assert admin.on(LAPTOP, "readlink /etc/xdg/autostart/mvpc-example.mv.Hello.desktop").startswith("/var/lib/flatpak/")
    admin.mvpc("software", "ask", "--device", LAPTOP)
    [hello] = [
        each for each in admin.json("software", "report", "--device", LAPTOP)["products"] if each["product"] == "hello"
    ]
    assert (hello["troubles"], hello["states"]["working"]) == ([], 1)


def test_the_report_and_the_bill_of_materials_say_which_state_of_it_is_there(admin: Admin, key: str):
    commit = admin.on(LAPTOP, "flatpak info --system --show-commit example.mv.Hello")[:12]
    products = admin.json("software", "report", "--device", LAPTOP)["products"]
    assert {each["product"]: each["installed"] for each in products}["hello"] == {f"commit {commit}": 1}
    file = admin.root / "sbom.json"
    said = admin.mvpc("software", "sbom", LAPTOP, "-o", str(file))
    assert "2 Flatpaks" in said
    [hello] = [each for each in json.loads(file.read_text())["components"] if each["name"] == "example.mv.Hello"]
    assert (hello["type"], hello["version"]) == ("application", commit)


def test_a_second_rollout_has_nothing_to_do_and_an_update_comes_by_itself(admin: Admin, key: str):
    assert "Nothing to do" in roll_out(admin)
    published(admin, "two")
    update(admin)
    assert greeting(admin) == "two"


def test_what_somebody_removed_comes_back_and_what_somebody_installed_stays(admin: Admin, key: str):
    admin.on(LAPTOP, "sudo flatpak uninstall --system --noninteractive example.mv.Hello", timeout_s=600)
    update(admin)
    assert greeting(admin) == "two"
    admin.on(LAPTOP, "flatpak list --system --app --columns=application | grep -qx example.mv.Hello")


def test_another_key_is_believed_only_when_the_profile_says_so(admin: Admin, key: str):
    forged = the_key(admin.on(PUBLISHER, FORGED))
    choose(admin, forged, "absent")
    roll_out(admin)
    choose(admin, forged, "present")
    said = roll_out(admin, expect=3)
    assert "mvpc-flatpaks.service: flatpak remote-add" in said
    assert "signature: public key not found" in said
    assert greeting(admin) == "none"
    choose(admin, key, "present")
    roll_out(admin)
    assert greeting(admin) == "two"


FORGED = """
mkdir -m 0700 other
gpg="gpg --homedir other --batch --quiet"
$gpg --passphrase '' --quick-generate-key other@mv.example ed25519 sign never
$gpg --export --armor
"""


def test_what_people_saved_stays_when_it_goes(admin: Admin, key: str):
    admin.on(LAPTOP, "mkdir -p ~/.var/app/example.mv.Hello && echo mine > ~/.var/app/example.mv.Hello/file")
    choose(admin, key, "absent")
    roll_out(admin)
    assert greeting(admin) == "none"
    assert admin.on(LAPTOP, "cat ~/.var/app/example.mv.Hello/file") == "mine\n"
    assert "example.mv" not in admin.on(LAPTOP, "ls /var/lib/flatpak/app /var/lib/flatpak/runtime 2>/dev/null || true")
    assert "Nothing to do" in roll_out(admin)
