"""Virtual machines of the lab, seen from outside: a rollout, a tunnel, Wi-Fi, and what a crash leaves.

One machine serves all tests, in order, since each boot takes about half a minute.
"""

from __future__ import annotations

import platform
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from mvpc.lab import Gateway
from mvpc.lab.gateway import PAGE, WEB_NAME
from tests.acceptance.admin import NEEDS_VM, Admin, an_admin
from tests.acceptance.air import ADDRESS, AccessPoint
from tests.acceptance.certificates import Certificate, authority, issue
from tests.acceptance.driver import Machine

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


def leftovers(lab: Machine) -> list[str]:
    """Everything of the lab that can be seen on this controller without asking mvpc."""
    seen = [
        *subprocess.run(["ip", "-o", "link"], capture_output=True, text=True, check=True).stdout.splitlines(),
        *subprocess.run(["ip", "netns"], capture_output=True, text=True, check=True).stdout.splitlines(),
        *subprocess.run(["ps", "-eo", "stat,args"], capture_output=True, text=True, check=True).stdout.splitlines(),
        *Path("/proc/mounts").read_text().splitlines(),
        *map(str, lab.lab.home.glob("laptops/*")),
    ]
    words = (lab.lab.bridge, f"{lab.lab.home}/")
    return [line for line in seen if any(word in line for word in words) and not line.startswith("Z")]


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
    assert leftovers(admin.machine(NAME)) == []


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


@pytest.fixture(scope="module")
def gateway(admin: Admin, machine: Machine) -> Gateway:
    """The WireGuard gateway of the lab, in the profile of all laptops."""
    gateway = machine.lab.raise_gateway()
    base = admin.root / "profiles" / "base.yml"
    text = re.sub(r"endpoint: \S+", f"endpoint: {gateway.endpoint}", base.read_text())
    base.write_text(re.sub(r'public_key: "\S+"', f'public_key: "{gateway.public_key}"', text))
    return gateway


def test_it_is_rolled_out_to_like_any_laptop(admin: Admin, machine: Machine, gateway: Gateway):
    admin.mvpc("rollout", "--device", NAME, "--yes")

    assert "OK" in admin.mvpc("status", NAME, "--live")
    assert "mvpc-vpn" in machine.succeed("nmcli --terse --fields NAME connection show --active")


FETCH = f"python3 -c 'import urllib.request as u; print(u.urlopen(\"http://{WEB_NAME}/\", timeout=5).read())'"


def test_the_tunnel_carries_traffic_and_names_from_behind_the_gateway(machine: Machine, gateway: Gateway):
    machine.fail(FETCH)
    key = machine.succeed("wg show wg-mvpc public-key").strip()
    address = machine.succeed("nmcli --get-values IP4.ADDRESS device show wg-mvpc").strip()
    machine.lab.raise_gateway(f"[Peer]\nPublicKey = {key}\nAllowedIPs = {address}\n")

    assert PAGE.strip() in machine.wait_until_succeeds(FETCH)
    assert gateway.latest_handshakes()[key] > time.time() - 600


def test_a_peer_that_the_gateway_no_longer_knows_gets_nothing(machine: Machine, gateway: Gateway):
    machine.lab.raise_gateway()

    machine.fail(FETCH)
    assert gateway.latest_handshakes() == {}


@pytest.fixture(scope="module")
def authorities(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Certificate]:
    """One authority for the RADIUS server, one for laptops, one that nobody here believes."""
    folder = tmp_path_factory.mktemp("ca")
    return {name: authority(folder, name) for name in ("radius", "devices", "foreign")}


def give(machine: Machine, authorities: dict[str, Certificate], folder: Path, *, signed_by: str) -> None:
    """Put a device certificate where the profile says that it lies."""
    device = issue(authorities[signed_by], folder, "device", usage="clientAuth", subject=f"{NAME}.mv.example")
    files = {
        "radius-ca.pem": authorities["radius"].certificate,
        "device.pem": device.certificate,
        "device.key": device.key,
    }
    machine.write_all({f"/etc/mvpc/pki/{name}": path.read_text() for name, path in files.items()}, mode="0600")


def send_out(machine: Machine, authorities: dict[str, Certificate], folder: Path, *, signed_by: str, name: str) -> None:
    """Let the access point send out the network of the profile with such a server certificate."""
    server = issue(authorities[signed_by], folder, "server", usage="serverAuth", subject=name)
    point = AccessPoint(machine, ssid="LAN-MV")
    point.start(device_ca=authorities["devices"].certificate, certificate=server.certificate, key=server.key)
    machine.wait_until_succeeds("nmcli --terse --fields SSID device wifi list --rescan yes | grep -x LAN-MV")


UP = "nmcli --wait 45 connection up mvpc-wifi-lan-mv"


def test_wifi_associates_by_eap_tls_with_protected_frames(machine: Machine, authorities, tmp_path: Path):
    give(machine, authorities, tmp_path, signed_by="devices")
    send_out(machine, authorities, tmp_path, signed_by="radius", name="radius.mv.example")
    machine.wait_until_succeeds(UP)

    status = set(machine.succeed("wpa_cli -i wlan0 status").splitlines())
    assert {"ssid=LAN-MV", "key_mgmt=WPA2-EAP-SHA256", "pmf=2", "selectedMethod=13 (EAP-TLS)"} <= status
    stations = AccessPoint(machine, ssid="LAN-MV").stations()
    assert "[AUTHORIZED]" in stations and "[MFP]" in stations
    assert f"dot1xAuthSessionUserName=host/{NAME}.mv.example" in stations
    machine.succeed(f"ping -c 1 -W 5 -I wlan0 {ADDRESS}")


@pytest.mark.parametrize(
    ("signed_by", "name", "reason"),
    [
        ("foreign", "radius.mv.example", "unable to get local issuer certificate"),
        ("radius", "other.mv.example", "Domain mismatch"),
    ],
)
def test_a_false_radius_server_is_refused(
    machine: Machine, authorities, tmp_path: Path, *, signed_by: str, name: str, reason: str
):
    give(machine, authorities, tmp_path, signed_by="devices")
    send_out(machine, authorities, tmp_path, signed_by=signed_by, name=name)
    since = machine.succeed("date +%s").strip()

    machine.fail(UP)
    assert "AUTHORIZED" not in AccessPoint(machine, ssid="LAN-MV").stations()
    log = machine.succeed(f"journalctl --output=cat --unit=wpa_supplicant --since=@{since}")
    assert f"subject='/CN={name}' err='{reason}'" in log


def test_a_laptop_with_a_certificate_of_somebody_else_is_not_let_in(machine: Machine, authorities, tmp_path: Path):
    give(machine, authorities, tmp_path, signed_by="foreign")
    send_out(machine, authorities, tmp_path, signed_by="radius", name="radius.mv.example")

    machine.fail(UP)
    assert "CTRL-EVENT-EAP-FAILURE" in AccessPoint(machine, ssid="LAN-MV").log


def test_down_leaves_nothing(admin: Admin, machine: Machine):
    admin.mvpc("lab", "down")
    assert leftovers(machine) == []
    assert not Path("/run/wireguard", f"{machine.lab.bridge}wg.sock").exists()
