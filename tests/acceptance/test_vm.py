"""Virtual machines of the lab, seen from outside, and what a crash leaves.

One machine serves all tests, in order, since each boot takes about half a minute.
"""

from __future__ import annotations

import platform
import signal
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest

from tests.acceptance.admin import NEEDS_VM, Admin, an_admin
from tests.acceptance.driver import Machine, leftovers

NAME = "vm-01"

pytestmark = NEEDS_VM


@pytest.fixture(scope="module")
def admin(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Admin]:
    with an_admin(tmp_path_factory.mktemp("project"), name="vm", addresses="10.97.0.0/24") as person:
        person.mvpc("image", "build", "standard")
        person.mvpc("image", "build", "vm")
        yield person


@pytest.fixture(scope="module")
def machine(admin: Admin) -> Machine:
    """The running virtual machine."""
    admin.mvpc("lab", "up", "--vm", "1")
    return admin.machine(NAME)


@pytest.mark.parametrize("step", ["vm-01: disk", "vm-01: settings", "vm-01: boot"])
def test_a_controller_killed_while_it_makes_a_virtual_machine_leaves_nothing_after_down(admin: Admin, step: str):
    up = subprocess.Popen(
        [sys.executable, "-m", "mvpc", "lab", "up", "--vm", "1"], cwd=admin.root, stdout=subprocess.PIPE, text=True
    )
    assert up.stdout
    assert any(step in line for line in up.stdout)
    time.sleep(0.5)
    up.kill()
    assert up.wait() == -signal.SIGKILL
    up.stdout.close()

    admin.mvpc("lab", "down")
    assert leftovers(admin.lab) == []


def test_a_virtual_machine_is_in_the_inventory_with_the_host_key_it_really_has(admin: Admin, machine: Machine):
    device = next(each for each in admin.json("device", "list")["devices"] if each["hostname"] == NAME)

    told = machine.succeed("hostname && cat /etc/ssh/ssh_host_ecdsa_key.pub").split("\n")
    assert (told[0], told[1].strip()) == (NAME, device["host_key"])
    assert [(each["hostname"], each["kind"]) for each in admin.json("lab", "list")["laptops"]] == [(NAME, "vm")]


def test_it_has_a_kernel_of_its_own_and_an_address_that_profiles_cannot_take_away(machine: Machine):
    assert machine.succeed("uname -r").strip() != platform.release()
    assert "host0:unmanaged" in machine.succeed("nmcli --terse --fields DEVICE,STATE device")


def test_containers_and_virtual_machines_see_each_other(admin: Admin, machine: Machine):
    admin.mvpc("lab", "up", "1")
    container = next(each for each in admin.json("lab", "list")["laptops"] if each["kind"] == "container")

    machine.succeed(f"ping -c 1 -W 5 {container['address']}")
    admin.mvpc("lab", "down", container["hostname"])


def test_a_blocked_machine_does_not_answer_and_does_when_it_is_let_in(machine: Machine):
    machine.block()
    assert machine.run("true").returncode == 255
    machine.unblock()
    machine.wait_until_succeeds("true")


def test_a_machine_that_lost_its_power_comes_back_with_its_disk_and_its_host_key(machine: Machine):
    machine.write("/root/note", "kept")
    machine.succeed("sync")  # what a laptop holds in memory alone is lost with its power, as it is on a desk
    before = machine.lab.list()
    machine.crash()
    assert machine.run("true").returncode == 255
    machine.start()

    assert machine.succeed("cat /root/note") == "kept"
    assert [each.host_key for each in machine.lab.list()] == [each.host_key for each in before]


def test_down_leaves_nothing(admin: Admin, machine: Machine):
    admin.mvpc("lab", "down")
    assert leftovers(machine.lab) == []
