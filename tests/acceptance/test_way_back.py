"""A change that keeps everybody out takes itself back: on a real laptop, with its sshd, systemd and reboots."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator
from itertools import chain

import pytest

from mvpc.device import PYTHON, component_to_dict, program, undo_source
from mvpc.model import Bundle, Component, File, HostWork, Outcome
from mvpc.playbook import AnsibleRunner
from mvpc.project import load_project
from mvpc.store.read import Reader
from tests.acceptance.admin import NEEDS_LAB, PSK, Admin, an_admin

SECONDS = 180 + 30
"""Within which a laptop must be back, counted from the end of the apply."""

pytestmark = NEEDS_LAB


@pytest.fixture(scope="module")
def admin(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Admin]:
    """One laptop that was brought to its profile."""
    with an_admin(tmp_path_factory.mktemp("project"), name="back", addresses="10.88.0.0/24") as person:
        person.mvpc("image", "build")
        person.mvpc("device", "import", "inventory/lab.csv", "--yes")
        person.boot(1)
        person.mvpc("secret", "set", "wifi/guest-psk", answer=f"{PSK}\n")
        person.mvpc("rollout", "--device", "lab-01", "--yes")
        yield person


def lockout(admin: Admin, number: int) -> HostWork:
    """An sshd setting that lets nobody in, though sshd itself finds nothing wrong with it."""
    with Reader(load_project(admin.root).database) as reader:
        device = reader.find("lab-01")
    rule = File(
        path="/etc/ssh/sshd_config.d/00-lockout.conf",
        content=f"DenyUsers mvpc-admin nobody{number}\n",
        validate=("/usr/sbin/sshd", "-t", "-f", "%s"),
        notify=("reload ssh.service",),
    )
    component = Component(name="lockout", digest=f"d{number}", resources=(rule,))
    bundle = Bundle(device="lab-01", components=(component,))
    return HostWork(device=device, bundle=bundle, components=("lockout",), generation=1000 + number)


def can_log_in(admin: Admin) -> bool:
    return "yes" in admin.on("lab-01", "echo yes", check=False)


def await_login(admin: Admin, seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while not can_log_in(admin):
        assert time.monotonic() < deadline, "the laptop did not come back"
        time.sleep(2)


def taken_back(admin: Admin) -> object:
    return admin.json("status", "lab-01", "--live")["facts"]["undone"]["generation"]


def test_a_change_after_which_we_get_in_again_is_confirmed_and_leaves_nothing_behind(admin: Admin):
    assert "10-mvpc.conf" in admin.on("lab-01", "ls /etc/ssh/sshd_config.d")
    assert "undo" not in admin.on("lab-01", "sudo ls /var/lib/mvpc")
    assert "mvpc-undo" not in admin.on("lab-01", "systemctl list-timers --all; ls -R /etc/systemd/system")


def test_a_change_that_keeps_us_out_has_failed_and_takes_itself_back(admin: Admin):
    project = load_project(admin.root)
    runner = AnsibleRunner(playbooks=project.root / "playbooks", user="mvpc-admin", port=22, key=project.ssh_key)
    [result] = chain.from_iterable(runner.run([lockout(admin, 1)]))
    ended = time.monotonic() - 120  # the runner has tried to get in for so long
    assert result.outcome is Outcome.FAILED
    assert "nobody could get in any more; the laptop takes it back by itself" in result.error
    assert not can_log_in(admin)

    await_login(admin, SECONDS - (time.monotonic() - ended))
    assert "00-lockout.conf" not in admin.on("lab-01", "ls /etc/ssh/sshd_config.d")
    assert taken_back(admin) == 1001
    assert "took back rollout 1001" in admin.mvpc("status", "lab-01")


def test_a_laptop_that_loses_power_before_anyone_got_in_takes_the_change_back_when_it_boots(admin: Admin):
    work = lockout(admin, 2)
    request = {"format": 1, "action": "apply", "device": "lab-01", "generation": work.generation, "diff": False}
    request |= {"updates": False, "undo": undo_source()}
    request["components"] = [component_to_dict(each) for each in work.bundle.components]
    said = send(admin, program(request))
    assert '"unconfirmed": true' in said
    assert not can_log_in(admin)

    admin.mvpc("lab", "off", "lab-01")
    admin.mvpc("lab", "on", "lab-01")
    await_login(admin, 60)
    assert taken_back(admin) == 1002


def send(admin: Admin, text: str) -> str:
    """Run a program as root on the laptop, in one session."""
    options = ["-o", "BatchMode=yes", "-o", f"UserKnownHostsFile={admin.root / 'known-lab-01'}"]
    login = ["-i", str(admin.root / ".mvpc/ssh/id_ecdsa"), f"mvpc-admin@{admin.addresses['lab-01']}"]
    argv = ["ssh", "-F", "none", *options, *login, f"sudo -n {PYTHON}"]
    return subprocess.run(argv, input=text, capture_output=True, text=True, check=True, timeout=120).stdout
