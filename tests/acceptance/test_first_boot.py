"""A new laptop boots, comes to the desk by itself, and is enrolled. The tests run in order on one laptop.

The desk is a real sshd with the very lines of docs/how-to/enrol-laptops.md.
"""

from __future__ import annotations

import re
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from mvpc.device.desk import UNIT, DeskAddress, first_boot_files
from mvpc.identity.words import word_list
from tests.acceptance.admin import NEEDS_LAB, PSK, SOURCE, Admin, an_admin

pytestmark = NEEDS_LAB

PORT = 2216
PATIENCE_S = 400


class Desk:
    """sshd on the lab's bridge, for the account root of this machine, since a test must not make accounts."""

    def __init__(self, admin: Admin) -> None:
        self.folder = admin.root / "desk"
        self.folder.mkdir()
        self.address = str(admin.lab.network.controller)
        for name in ("own", "false"):
            argv = ["ssh-keygen", "-q", "-t", "ecdsa", "-b", "384", "-N", "", "-C", "", "-f", str(self.folder / name)]
            subprocess.run(argv, check=True)
        text = (SOURCE / "docs/how-to/enrol-laptops.md").read_text()
        (lines,) = re.findall(r"```text\n(Match User mvpc-enrol\n.*?)```", text, re.DOTALL)
        call = "sudo -n /usr/bin/timeout 60 /usr/local/bin/mvpc -C /srv/mvpc"
        assert call in lines
        assert f"NOPASSWD: {call.removeprefix('sudo -n ')} device desk *" in text
        self.lines = lines.replace(call, f"/usr/bin/timeout 60 {sys.executable} -m mvpc -C {admin.root}").replace(
            "User mvpc-enrol", "User root"
        )
        self.process: subprocess.Popen[bytes] | None = None

    def open(self, key: str) -> None:
        config = self.folder / "sshd_config"
        own = f"ListenAddress {self.address}\nPort {PORT}\nHostKey {self.folder / key}\nPidFile none\nUsePAM yes\n"
        config.write_text(f"{own}PermitRootLogin prohibit-password\n{self.lines}")
        Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(["/usr/sbin/sshd", "-D", "-e", "-f", config], stdout=log, stderr=log)

    def close(self) -> None:
        if self.process:
            self.process.terminate()
            self.process.wait(60)

    def public_key(self) -> str:
        return " ".join((self.folder / "own.pub").read_text().split()[:2])


@pytest.fixture(scope="module")
def admin(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Admin]:
    with an_admin(tmp_path_factory.mktemp("project"), name="enrol", addresses="10.116.0.0/24") as person:
        (person.root / "passphrase").touch(mode=0o600)
        (person.root / "passphrase").write_text("correct horse battery staple\n")
        with (person.root / "mvpc.toml").open("a") as config:
            config.write('[identity]\npassphrase_file = "passphrase"\n')
        person.mvpc("device", "import", "inventory/lab.csv", "--yes")
        person.mvpc("secret", "set", "wifi/guest-psk", answer=f"{PSK}\n")
        person.mvpc("ca", "init", "--name", "MV")
        person.mvpc("image", "build")
        person.mvpc("lab", "up", "1")
        yield person


@pytest.fixture(scope="module")
def desk(admin: Admin) -> Iterator[Desk]:
    found = Desk(admin)
    try:
        yield found
    finally:
        found.close()


def as_imaged(admin: Admin, desk: Desk, token: str) -> None:
    """Take from a laptop that is off all that the lab gave it, and put on its disk what an image with a desk brings."""
    disk = admin.lab.home / "laptops/lab-01/disk"
    for pattern in ("etc/ssh/ssh_host_*", "home/mvpc-admin/.ssh/authorized_keys", "etc/machine-id"):
        for path in disk.glob(pattern):
            path.unlink()
    known = {"host_key": desk.public_key(), "curve": "P-384", "tpm": "prefer"}
    where = DeskAddress(address=desk.address, port=PORT, account="root", **known)
    for name, (content, mode) in first_boot_files(where, word_list()).items():
        (disk / name).parent.mkdir(parents=True, exist_ok=True)
        (disk / name).write_text(content)
        (disk / name).chmod(mode)
    wanted = disk / "etc/systemd/system/multi-user.target.wants/mvpc-enrol.service"
    wanted.parent.mkdir(parents=True, exist_ok=True)
    wanted.symlink_to(f"/{UNIT}")
    leave_token(admin, token)
    admin.mvpc("device", "set", "lab-01", "host_key=", "address=")


def leave_token(admin: Admin, token: str) -> None:
    file = admin.lab.home / "laptops/lab-01/disk/etc/mvpc/token"
    file.touch(mode=0o600)
    file.write_text(f"{token}\n")


def in_inventory(admin: Admin) -> dict[str, str]:
    (found,) = (each for each in admin.json("device", "list")["devices"] if each["hostname"] == "lab-01")
    return dict(found)


def screen(admin: Admin) -> str:
    return admin.lab.console("lab-01").read_text(errors="replace")


def wait_for(admin: Admin, text: str) -> str:
    """The screen, once this text stands on it."""
    deadline = time.monotonic() + PATIENCE_S
    while text not in (shown := screen(admin)):
        assert time.monotonic() < deadline, shown[-2000:]
        time.sleep(0.3)
    return shown


def words_on_screen(admin: Admin) -> str:
    return str(re.findall(r"Its key: ((?:[a-z]+ ?){6})", wait_for(admin, "Its key: "))[-1]).strip()


def test_a_new_laptop_gives_its_token_to_no_false_controller(admin: Admin, desk: Desk):
    admin.mvpc("lab", "off", "lab-01")
    as_imaged(admin, desk, admin.token("lab-01"))
    desk.open("false")
    admin.mvpc("lab", "on", "lab-01")
    assert "Its serial number: LAB01" in wait_for(admin, "Host key verification failed")
    assert admin.json("device", "arrivals")["arrivals"] == []


def test_it_comes_to_the_right_desk_and_waits_for_a_person(admin: Admin, desk: Desk):
    desk.close()
    desk.open("own")
    shown = wait_for(admin, "compare it at the controller")
    assert "compare it at the controller: mvpc device enroll lab-01" in shown
    assert "\x1b[40;37;1m████ ▄▄▄▄▄ █" in shown, "the QR code is missing"
    (came,) = admin.json("device", "arrivals")["arrivals"]
    assert came["device"] == "lab-01"
    assert came["address"].startswith("10.116.0.")
    assert (in_inventory(admin)["address"], in_inventory(admin)["host_key"]) == ("", "")
    assert not (admin.lab.home / "laptops/lab-01/disk/etc/mvpc/token").exists()


def test_other_words_than_on_its_screen_send_it_away(admin: Admin):
    said = admin.mvpc("device", "enroll", "lab-01", "--words", "zoo zoo zoo zoo zoo zoo", expect=1)
    assert "the words on its screen are not those" in said
    assert admin.json("device", "arrivals")["arrivals"] == []
    assert in_inventory(admin)["host_key"] == ""


def test_with_the_words_on_its_screen_it_is_enrolled(admin: Admin, desk: Desk):
    admin.mvpc("lab", "off", "lab-01")
    leave_token(admin, admin.token("lab-01"))
    before = screen(admin).count("compare it at the controller")
    admin.mvpc("lab", "on", "lab-01")
    wait_for_again(admin, "compare it at the controller", before)
    said = admin.mvpc("device", "enroll", "lab-01", "--words", words_on_screen(admin))
    assert "lab-01 is enrolled" in said
    wait_for(admin, "mvpc: this laptop is enrolled.")
    admin.addresses["lab-01"], admin.host_keys["lab-01"] = (
        in_inventory(admin)[name] for name in ("address", "host_key")
    )
    shown = admin.on("lab-01", "openssl x509 -in /etc/mvpc/pki/device.pem -noout -subject")
    assert "CN=lab-01, serialNumber=LAB01" in shown
    of_key = admin.on("lab-01", "sudo openssl pkey -in /etc/mvpc/pki/device.key -pubout")
    assert admin.on("lab-01", "openssl x509 -in /etc/mvpc/pki/device.pem -noout -pubkey") == of_key


def wait_for_again(admin: Admin, text: str, before: int) -> None:
    """Wait until a text stands on the screen once more than before."""
    deadline = time.monotonic() + PATIENCE_S
    while screen(admin).count(text) <= before:
        assert time.monotonic() < deadline, screen(admin)[-2000:]
        time.sleep(0.3)


def test_its_private_key_is_nowhere_at_the_controller(admin: Admin):
    secret = admin.on("lab-01", "sudo sed -n 2p /etc/mvpc/pki/device.key").strip()
    assert len(secret) > 40
    found = subprocess.run(["grep", "-rlF", secret, str(admin.root), "/dev/shm"], capture_output=True, check=False)
    assert found.stdout == b""


def test_any_rollout_renews_what_is_two_thirds_through_its_life_for_the_same_key(admin: Admin):
    before = admin.on("lab-01", CERTIFICATE)
    with sqlite3.connect(admin.root / ".mvpc/mvpc.db") as database:
        days = "strftime('%Y-%m-%dT%H:%M:%S+00:00', {}, '-61 days')"
        moved = ", ".join(f"{name} = {days.format(name)}" for name in ("not_before", "not_after"))
        database.execute(f"UPDATE certificate SET {moved} WHERE name = 'lab-01'")
    database.close()
    said = admin.mvpc("rollout", "--device", "lab-01", "--yes")
    assert "2 certificates renewed" in said
    after = admin.on("lab-01", CERTIFICATE)
    (old, old_key), (new, new_key) = (each.split("\n", 1) for each in (before, after))
    assert old.startswith("serial=")
    assert new != old
    assert new_key == old_key
    assert admin.on("lab-01", "hostname").strip() == "lab-01"
    assert "0 certificates renewed" in admin.mvpc("ca", "renew")


CERTIFICATE = "openssl x509 -in /etc/mvpc/pki/device.pem -noout -serial -pubkey"


def test_an_enrolled_laptop_does_not_ask_again(admin: Admin):
    before = screen(admin).count("this laptop is new")
    admin.mvpc("lab", "off", "lab-01")
    admin.mvpc("lab", "on", "lab-01")
    booted = "systemctl is-system-running --wait >/dev/null; systemctl show -p ConditionTimestamp,ConditionResult"
    asked = admin.on("lab-01", f"{booted} mvpc-enrol.service", timeout_s=PATIENCE_S)
    assert "ConditionResult=no\n" in asked
    assert "ConditionTimestamp=\n" not in asked, "nobody has looked whether it is enrolled"
    assert screen(admin).count("this laptop is new") == before
