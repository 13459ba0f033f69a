"""An enrolled laptop really connects, as access point, RADIUS server and gateway see it, until it is lost.

One virtual machine serves all tests, in order. What they assert they ask the other side, or the laptop's own programs.
"""

from __future__ import annotations

import json
import re
import shutil
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from mvpc.lab import Gateway, Radius, Trust
from mvpc.lab.air import ADDRESS, FOLDER
from mvpc.lab.gateway import BEHIND, PAGE, WEB_NAME
from mvpc.lab.servers import ServerAuthority
from mvpc.model import File, Outcome
from tests.acceptance.admin import NEEDS_VM, PSK, SOURCE, Admin, an_admin
from tests.acceptance.charon import INSTALL, PACKAGES
from tests.acceptance.driver import Machine, eventually, leftovers
from tests.acceptance.mistakes import converge, mistake
from tests.acceptance.uplink import EVERYTHING, Packet, Uplink, beside, kinds

pytestmark = NEEDS_VM

NAME = "vm-01"
IDENTITY = f"host/{NAME}.fm.mv.example"
LOST_S = 300
"""How soon everybody must refuse a lost laptop."""
RESSORT = """
wifi:
  networks:
    fm-intern:
      ssid: FM-Intern
      priority: 20
      eap:
        identity: host/{hostname}.fm.mv.example
        ca_certificate: /etc/mvpc/pki/radius-ca.pem
        domain_match: radius.fm.mv.example
    guests: {ssid: Gäste, security: sae, psk: {secret: wifi/guest-psk}, autoconnect: false}
    old: {ssid: MV-Alt, security: wpa-psk, psk: {secret: wifi/guest-psk}, autoconnect: false}
    depot: {ssid: Depot, security: sae, hidden: true, psk: {secret: wifi/guest-psk}, autoconnect: false}
  wired:
    eap:
      identity: host/{hostname}.fm.mv.example
      ca_certificate: /etc/mvpc/pki/radius-ca.pem
      domain_match: radius.fm.mv.example
"""
HOOK = """#!/bin/sh
set -e
mvpc() {{ "{python}" -m mvpc "$@"; }}
mvpc vpn gateway -o known-gateway
mvpc lab gateway known-gateway
mvpc lab air
"""
FETCH = f"python3 -c 'import urllib.request as u; print(u.urlopen(\"http://{WEB_NAME}/\", timeout=10).read())'"
KEY = "/etc/mvpc/pki/device.key"
BY_TPM = "openssl pkey -provider tpm2 -provider default"
UP = "nmcli --wait 60 connection up"
CONTROLLER, GATEWAY, TCP, UDP = "10.114.0.1", "10.114.0.2", 6, 17
SWITCH = f"""\
  kill_switch:
    enabled: true
    management: {{{CONTROLLER}/32: present}}
    revocation_servers: {{{GATEWAY}: present}}
"""
TUNNEL = ((GATEWAY, UDP, 51820), (GATEWAY, UDP, 500), (GATEWAY, UDP, 4500), (GATEWAY, TCP, 80))
"""WireGuard, IKE and ESP, and the list of revoked gateways."""
OTHERS = ((CONTROLLER, TCP, -22), (ADDRESS, UDP, 67), ("255.255.255.255", UDP, 67))
"""mvpc, and DHCP."""
HALT = "/run/halt"
HALTED = f"[Unit]\nConditionPathExists=!{HALT}\n"
TAKEN_DOWN = {
    "wireguard": "nmcli connection down mvpc-vpn",
    "ikev2": "swanctl --terminate --ike mvpc --force --timeout 1",
}
TALK = f"""\
set -e
number=1
for each in host0 cable0 wlan0; do
  number=$((number + 1))
  ip address replace 2001:db8:$number::11/64 dev $each nodad
  ip neighbour replace fe80::fa lladdr 02:00:00:00:00:fa dev $each nud permanent
  ip -6 route replace default via fe80::fa dev $each metric $number
done
ip neighbour replace 192.0.2.1 lladdr 02:00:00:00:00:fa dev host0 nud permanent
ip route replace default via 192.0.2.1 dev host0 onlink metric 20000
of() {{ echo "$1=$(cat /sys/class/net/$1/address)"; }}
ip netns exec air python3 /srv/uplink.py $(of cable0) $(of wlan0) -- \
  nsenter --net=/proc/1/ns/net runuser -u person -- python3 /srv/talk.py {ADDRESS} {BEHIND[1]} "" host0 cable0 wlan0
"""
"""Let a person's program try everything over each interface, by way of routers that pass nothing on."""


@pytest.fixture(scope="module")
def admin(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Admin]:
    with an_admin(tmp_path_factory.mktemp("project"), name="air", addresses="10.114.0.0/25") as person:
        person.open_authorities()
        person.mvpc("ca", "init")
        person.mvpc("ca", "publish")
        person.mvpc("secret", "set", "wifi/guest-psk", answer=f"{PSK}\n")
        person.mvpc("image", "build", "vm")
        (person.root / "profiles/ressorts/fm.yml").write_text(RESSORT)
        base = person.root / "profiles/base.yml"
        base.write_text(base.read_text().partition("\nsoftware:\n")[0] + "\n")  # installing it takes minutes there
        yield person


@pytest.fixture(scope="module")
def gateway(admin: Admin) -> Gateway:
    """The gateway of the lab, in the profile of all laptops, which trust the authority of its servers."""
    told = admin.json("lab", "gateway")
    base = admin.root / "profiles/base.yml"
    text = re.sub(r"endpoint: \S+", f"endpoint: {told['endpoint']}", base.read_text())
    base.write_text(re.sub(r'public_key: "\S+"', f'public_key: "{told["public_key"]}"', text))
    (admin.root / "inventory/trust").mkdir()
    for name in ("radius-ca.pem", "vpn-ca.pem"):
        shutil.copy(told["authority"], admin.root / "inventory/trust" / name)
    return admin.lab.raise_gateway()


@pytest.fixture(scope="module")
def laptop(admin: Admin, gateway: Gateway) -> Machine:
    """The virtual machine, enrolled and rolled out to."""
    admin.mvpc("lab", "up", "--vm", "1")
    machine = admin.machine(NAME)
    admin.mvpc("lab", "air")
    admin.enrol(NAME, on=machine.succeed)
    admin.mvpc("rollout", "--device", NAME, "--yes")
    return machine


def device_certificates(admin: Admin) -> list[dict[str, Any]]:
    issued = admin.json("ca", "list", "--device", NAME)["certificates"]
    return [each for each in issued if each["kind"] == "device"]


def certified_key(laptop: Machine) -> str:
    return laptop.succeed("openssl x509 -in /etc/mvpc/pki/device.pem -noout -pubkey")


def radius_log(admin: Admin) -> str:
    return (admin.lab.home / "radius/log").read_text(errors="replace")


def stations(laptop: Machine, ssid: str) -> str:
    """What hostapd knows of the laptops in one network (hostapd_cli all_sta)."""
    ask = f"ip netns exec air hostapd_cli -p {FOLDER}/control -i $each"
    return laptop.succeed(
        f"for each in $(ls {FOLDER}/control); do\n"
        f"  if {ask} get_config | grep -qx 'ssid={ssid}'; then {ask} all_sta; fi\ndone"
    )


def wifi_status(laptop: Machine, ssid: str) -> set[str]:
    """What wpa_supplicant says as soon as it is in this network."""
    ask = "wpa_cli -i wlan0 status"
    both = (
        f"{ask} | grep -qx 'ssid={ssid}' && {ask} | grep -qx wpa_state=COMPLETED && {ask} | grep ^ip_address= && {ask}"
    )
    return set(laptop.wait_until_succeeds(both).splitlines())


def test_the_rollout_finds_the_laptop_as_its_profile_says(admin: Admin, laptop: Machine):
    assert "OK" in admin.mvpc("status", NAME, "--live")


def test_its_key_is_in_its_tpm_and_in_no_file(admin: Admin, laptop: Machine):
    [certificate] = device_certificates(admin)
    assert certificate["in_tpm"] is True
    assert "key in TPM" in admin.mvpc("status", NAME)
    assert laptop.succeed(f"head -n 1 {KEY}").strip() == "-----BEGIN TSS2 PRIVATE KEY-----"
    laptop.fail(f"openssl pkey -in {KEY} -noout")
    laptop.succeed(f"{BY_TPM} -in {KEY} -pubout | cmp - /dev/fd/3 3<<END\n{certified_key(laptop)}END")
    plain = "find /etc /root /home /var /tmp -xdev -type f -exec grep -lE -- '-BEGIN (EC )?PRIVATE KEY-' {} +"
    assert laptop.run(plain).stdout == ""


def test_it_is_on_the_wifi_of_its_ressort_with_its_enrolled_certificate(admin: Admin, laptop: Machine):
    status = wifi_status(laptop, "FM-Intern")
    assert {"key_mgmt=WPA2-EAP-SHA256", "pmf=2", "selectedMethod=13 (EAP-TLS)", "eap_tls_version=TLSv1.3"} <= status
    assert any(line.startswith("ip_address=10.66.0.") for line in status)
    seen = stations(laptop, "FM-Intern")
    assert "[AUTHORIZED]" in seen and "[MFP]" in seen
    assert f"dot1xAuthSessionUserName={IDENTITY}" in seen
    [certificate] = device_certificates(admin)
    said = rf"peer certificate: depth=0 serial_num=0*{certificate['serial']} subject=/CN={NAME}/serialNumber=LABVM01"
    assert re.search(said, radius_log(admin), re.IGNORECASE)
    laptop.succeed(f"ping -c 1 -W 10 -I wlan0 {ADDRESS}")


def test_it_logs_in_at_a_port_by_cable(laptop: Machine):
    laptop.wait_until_succeeds(f"{UP} mvpc-wired ifname cable0")
    status = set(laptop.succeed("wpa_cli -i cable0 status").splitlines())
    assert {"key_mgmt=IEEE 802.1X (no WPA)", "suppPortStatus=Authorized", "selectedMethod=13 (EAP-TLS)"} <= status
    seen = laptop.succeed(f"ip netns exec air hostapd_cli -p {FOLDER}/control -i port all_sta")
    assert "[AUTHORIZED]" in seen and f"dot1xAuthSessionUserName={IDENTITY}" in seen


def test_wireguard_carries_traffic_and_names_as_soon_as_the_gateway_knows_the_laptop(
    admin: Admin, laptop: Machine, gateway: Gateway
):
    laptop.fail(FETCH)
    assert f"1 added ({NAME})" in admin.mvpc("vpn", "gateway", "-o", "known-gateway")
    admin.mvpc("lab", "gateway", "known-gateway")

    assert PAGE.strip() in laptop.wait_until_succeeds(FETCH)
    key = laptop.succeed("wg show wg-mvpc public-key").strip()
    assert gateway.latest_handshakes()[key] > time.time() - 600
    (admin.root / "known-said").write_text(gateway.wg_dump())
    assert "agree on 1 laptop" in admin.mvpc("vpn", "check", "known-said")


def test_a_wrong_gateway_is_taken_back_and_the_tunnel_is_up_again(admin: Admin, laptop: Machine, gateway: Gateway):
    base = admin.root / "profiles/base.yml"
    good = base.read_text()
    base.write_text(good.replace(f"endpoint: {gateway.endpoint}", "endpoint: 10.114.0.126:51820"))
    said = admin.mvpc("rollout", "--device", NAME, "--yes", expect=3)
    base.write_text(good)

    assert "stopped: 1 of 1 devices failed in ring pilot" in (said := " ".join(said.split()))
    assert f"{NAME}, vpn: taken back: the tunnel mvpc-vpn did not come up" in said
    assert PAGE.strip() in laptop.wait_until_succeeds(FETCH)
    assert gateway.endpoint in laptop.succeed("wg show wg-mvpc endpoints")


def test_a_wrong_authority_of_the_radius_server_is_taken_back_and_wifi_is_up_again(
    admin: Admin, laptop: Machine, tmp_path: Path
):
    laptop.wait_until_succeeds(f"{UP} mvpc-wifi-fm-intern")
    foreign = ServerAuthority(tmp_path)
    foreign.make()
    wrong = File(path="/etc/mvpc/pki/radius-ca.pem", content=foreign.certificate.read_text())
    [result] = converge(admin, [mistake(admin, NAME, wrong)])

    assert result.outcome is Outcome.ROLLED_BACK
    assert result.error.startswith("taken back: activation of mvpc-wifi-fm-intern failed")
    wifi_status(laptop, "FM-Intern")


@pytest.mark.parametrize(
    ("name", "ssid", "expected"),
    [
        ("guests", "Gäste", {"key_mgmt=SAE", "pmf=2"}),
        ("old", "MV-Alt", {"key_mgmt=WPA2-PSK-SHA256"}),
        ("depot", "Depot", {"key_mgmt=SAE", "pmf=2"}),
    ],
    ids=["WPA3-SAE", "WPA2-PSK", "hidden"],
)
def test_it_joins_networks_with_a_shared_key(laptop: Machine, *, name: str, ssid: str, expected: set[str]):
    laptop.wait_until_succeeds(f"{UP} mvpc-wifi-{name}")
    escaped = "".join(chr(byte) if byte < 128 else f"\\\\x{byte:02x}" for byte in ssid.encode())
    assert expected <= wifi_status(laptop, escaped)
    laptop.succeed(f"ping -c 1 -W 10 -I wlan0 {ADDRESS}")


@contextmanager
def another_authority(admin: Admin) -> Iterator[None]:
    """Let the lab make its servers' certificates with an authority that nobody trusts."""
    real = admin.lab.home / "servers"
    real.rename(real.with_name("servers-away"))
    try:
        yield
    finally:
        shutil.rmtree(real)
        real.with_name("servers-away").rename(real)


def published(admin: Admin) -> Trust:
    folder = admin.root / ".mvpc/published"
    return Trust(authority=(folder / "devices.pem").read_text(), revoked=(folder / "devices.crl").read_bytes())


def refused(admin: Admin, laptop: Machine, radius: Radius) -> str:
    """Let the laptop try the network of its ressort; what its wpa_supplicant says meanwhile."""
    assert radius.network == admin.lab.network
    laptop.run("nmcli device disconnect wlan0")
    since = laptop.succeed("date +%s").strip()
    laptop.fail(f"{UP} mvpc-wifi-fm-intern")
    assert "[AUTHORIZED]" not in stations(laptop, "FM-Intern")
    return laptop.succeed(f"journalctl --output=cat --unit=wpa_supplicant --since=@{since}")


def test_a_radius_server_of_another_authority_is_refused(admin: Admin, laptop: Machine):
    with another_authority(admin):
        false = admin.lab.raise_radius(["radius.fm.mv.example"], published(admin))
    log = refused(admin, laptop, false)
    assert "subject='/CN=radius.fm.mv.example' err='unable to get local issuer certificate'" in log


def test_a_radius_server_of_another_name_is_refused(admin: Admin, laptop: Machine):
    false = admin.lab.raise_radius(["other.mv.example"], published(admin))
    assert "subject='/CN=other.mv.example' err='Domain mismatch'" in refused(admin, laptop, false)


def test_a_radius_server_that_knows_another_device_authority_lets_nobody_in(
    admin: Admin, laptop: Machine, tmp_path: Path
):
    foreign = ServerAuthority(tmp_path)
    foreign.make()
    foreign.write_list(tmp_path / "list")
    trust = Trust(authority=foreign.certificate.read_text(), revoked=(tmp_path / "list").read_bytes())
    refused(admin, laptop, admin.lab.raise_radius(["radius.fm.mv.example"], trust))
    assert "err='unable to get local issuer certificate'" in radius_log(admin)


def test_after_all_that_the_true_one_is_still_believed(admin: Admin, laptop: Machine):
    admin.mvpc("lab", "air")
    laptop.wait_until_succeeds(f"{UP} mvpc-wifi-fm-intern")
    wifi_status(laptop, "FM-Intern")


@pytest.fixture(scope="module")
def switched(admin: Admin, laptop: Machine, gateway: Gateway) -> None:
    """The kill switch in the profile, rolled out, and a person on the laptop.

    It fetches what IKEv2 needs before, since the mirror of the lab is not behind its gateway.
    """
    fetch = f"{INSTALL} --download-only {PACKAGES} systemd-resolved"
    laptop.succeed(f"{fetch} && useradd --create-home person", timeout_s=1200)
    tests = SOURCE / "tests/acceptance"
    programs = {f"/srv/{each.name}": each.read_text() for each in (tests / "uplink.py", tests / "programs/talk.py")}
    laptop.write_all(programs | {"/etc/systemd/system/mvpc-vpn.service.d/halt.conf": HALTED})
    base = admin.root / "profiles/base.yml"
    base.write_text(base.read_text().replace("  # kill_switch: {enabled: true}\n", SWITCH))
    admin.mvpc("rollout", "--device", NAME, "--yes")


def talk(admin: Admin, laptop: Machine) -> dict[str, list[Packet]]:
    """Let a person's program on the laptop try everything; what left the laptop meanwhile, by interface."""
    wifi_status(laptop, "FM-Intern")
    [vm] = [each for each in admin.lab.list() if each.hostname == NAME]
    network = admin.lab.network
    with Uplink(network.cable(vm.address), network.hardware_address(vm.address)) as cable:
        said = json.loads(laptop.succeed(TALK))
    return {"host0": cable.packets} | {name: [Packet(**each) for each in packets] for name, packets in said.items()}


def stray(seen: dict[str, list[Packet]]) -> dict[str, list[Packet]]:
    """What left beside the tunnel, by interface."""
    return {name: found for name, packets in seen.items() if (found := beside(packets, *TUNNEL, *OTHERS))}


@contextmanager
def gone(gateway: Gateway) -> Iterator[None]:
    """The gateway has disappeared."""
    plug = ["ip", "link", "set", gateway.network.cable(gateway.address)]
    subprocess.run([*plug, "nomaster"], check=True)
    try:
        yield
    finally:
        subprocess.run([*plug, "master", gateway.network.bridge], check=True)


@contextmanager
def without_switch(laptop: Machine) -> Iterator[None]:
    """The switch is off, and nothing looks after the tunnel meanwhile, which would load it again."""
    laptop.succeed(f"touch {HALT}; systemctl stop mvpc-vpn.service mvpc-kill.service")
    try:
        yield
    finally:
        laptop.succeed(f"rm {HALT}; systemctl start mvpc-kill.service mvpc-vpn.service")


def nothing_leaves_without_the_gateway(admin: Admin, laptop: Machine, gateway: Gateway, provider: str) -> None:
    with gone(gateway):
        assert stray(talk(admin, laptop)) == {}
        laptop.run(TAKEN_DOWN[provider])
        assert stray(talk(admin, laptop)) == {}


def everything_leaves_without_the_switch(admin: Admin, laptop: Machine, gateway: Gateway, provider: str) -> None:
    with without_switch(laptop), gone(gateway):
        laptop.run(TAKEN_DOWN[provider])
        seen = stray(talk(admin, laptop))
    for interface in ("host0", "cable0", "wlan0"):
        assert kinds(seen[interface]) >= EVERYTHING, interface


def test_a_rollout_brings_the_kill_switch_beside_a_tunnel_that_is_up(admin: Admin, laptop: Machine, switched: None):
    assert PAGE.strip() in laptop.wait_until_succeeds(FETCH)
    assert "vpn up · kill switch on" in admin.mvpc("status", NAME, "--live")


def test_with_wireguard_in_its_kernel_nothing_leaves_beside_the_tunnel(admin: Admin, laptop: Machine, switched: None):
    assert "wireguard" in laptop.succeed("ip -details link show wg-mvpc")
    seen = talk(admin, laptop)
    assert stray(seen) == {}
    assert "v4 udp 51820" in kinds(seen["host0"])


def test_nor_when_the_wireguard_gateway_disappears(admin: Admin, laptop: Machine, gateway: Gateway, switched: None):
    nothing_leaves_without_the_gateway(admin, laptop, gateway, "wireguard")


def test_the_same_talk_is_seen_beside_wireguard_as_soon_as_the_switch_is_off(
    admin: Admin, laptop: Machine, gateway: Gateway, switched: None
):
    everything_leaves_without_the_switch(admin, laptop, gateway, "wireguard")


@pytest.fixture(scope="module")
def changed(admin: Admin, laptop: Machine, gateway: Gateway) -> str:
    """A new profile, rolled out: a network less, and IKEv2 instead of WireGuard; what was said of the gateway's files.

    The gateway knows the laptop before: a tunnel that was up and does not come up again would be taken back.
    """
    ressort = admin.root / "profiles/ressorts/fm.yml"
    ressort.write_text("\n".join(line for line in ressort.read_text().splitlines() if "MV-Alt" not in line))
    base = admin.root / "profiles/base.yml"
    ikev2 = f"provider: ikev2\n  ikev2: {{address: {gateway.address}, identity: vpn.mv.example}}"
    base.write_text(base.read_text().replace("provider: wireguard", ikev2))
    said = admin.mvpc("vpn", "gateway", "-o", "known-gateway")
    admin.mvpc("lab", "gateway", "known-gateway")
    admin.mvpc("rollout", "--device", NAME, "--yes")
    return said


def test_a_network_that_left_the_profile_is_gone(laptop: Machine, changed: str):
    known = laptop.succeed("nmcli --terse --fields NAME connection show").splitlines()
    assert "mvpc-wifi-old" not in known and "mvpc-wifi-guests" in known
    heard = "nmcli --terse --fields SSID device wifi list --rescan yes | grep -qx MV-Alt"
    laptop.wait_until_succeeds(heard)
    assert "MV-Alt" not in laptop.succeed("wpa_cli -i wlan0 list_networks")


def test_ikev2_carries_traffic_and_names_and_the_gateway_agrees(
    admin: Admin, laptop: Machine, gateway: Gateway, changed: str
):
    assert f"wireguard-peers.conf: 1 removed ({NAME})" in changed and f"mvpc.conf: 1 added ({NAME})" in changed
    seen = eventually(lambda: gateway.swanctl("--list-sas"), f"{NAME}: #", "INSTALLED")
    assert "AES_GCM_16-256/PRF_HMAC_SHA2_384/ECP_384" in seen
    assert PAGE.strip() in laptop.wait_until_succeeds(FETCH)
    assert not re.search(r"^\s+in .* 0 packets", gateway.swanctl("--list-sas"), re.MULTILINE)
    (admin.root / "known-said").write_text(gateway.swanctl("--list-sas"))
    assert "agree on 1 laptop" in admin.mvpc("vpn", "check", "known-said")
    assert gateway.latest_handshakes() == {}


def test_with_esp_in_its_kernel_nothing_leaves_beside_the_tunnel(
    admin: Admin, laptop: Machine, switched: None, changed: str
):
    assert "proto esp" in laptop.succeed("ip xfrm state")
    seen = talk(admin, laptop)
    assert stray(seen) == {}
    assert "v4 udp 4500" in kinds(seen["host0"])


def test_nor_when_the_ikev2_gateway_disappears(
    admin: Admin, laptop: Machine, gateway: Gateway, switched: None, changed: str
):
    nothing_leaves_without_the_gateway(admin, laptop, gateway, "ikev2")


def test_the_same_talk_is_seen_beside_ikev2_as_soon_as_the_switch_is_off(
    admin: Admin, laptop: Machine, gateway: Gateway, switched: None, changed: str
):
    everything_leaves_without_the_switch(admin, laptop, gateway, "ikev2")


def test_with_the_gateway_back_the_tunnel_is_up_again(laptop: Machine, switched: None, changed: str):
    assert PAGE.strip() in laptop.wait_until_succeeds(FETCH)


def test_the_tunnel_uses_the_key_in_the_tpm_and_no_copy(laptop: Machine, changed: str):
    assert laptop.succeed("ls /etc/swanctl/private").strip() == ""


def test_a_renewed_certificate_is_for_the_same_key_and_takes_it_back_to_both(
    admin: Admin, laptop: Machine, gateway: Gateway, changed: str
):
    before, key = device_certificates(admin), certified_key(laptop)
    with sqlite3.connect(admin.root / ".mvpc/mvpc.db") as database:
        days = "strftime('%Y-%m-%dT%H:%M:%S+00:00', {}, '-61 days')"
        moved = ", ".join(f"{name} = {days.format(name)}" for name in ("not_before", "not_after"))
        database.execute(f"UPDATE certificate SET {moved} WHERE name = '{NAME}'")
    database.close()
    assert "2 certificates renewed" in admin.mvpc("rollout", "--device", NAME, "--yes")

    [new] = [each for each in device_certificates(admin) if each["serial"] != before[0]["serial"]]
    assert new["in_tpm"] is True
    assert certified_key(laptop) == key
    since = len(radius_log(admin))
    laptop.wait_until_succeeds(f"{UP} mvpc-wifi-fm-intern")
    eventually(lambda: radius_log(admin).lower()[since:], f"{new['serial']} subject=/cn={NAME}")
    laptop.succeed("swanctl --terminate --ike mvpc; swanctl --initiate --child mvpc --timeout 60")
    assert PAGE.strip() in laptop.wait_until_succeeds(FETCH)


def test_a_lost_laptop_is_refused_by_all_within_minutes(
    admin: Admin, laptop: Machine, gateway: Gateway, record_property: Callable[[str, object], None]
):
    wifi_status(laptop, "FM-Intern")
    revoked = f"RevokedHostKeys={admin.root / '.mvpc/published/ssh-hosts.krl'}"
    assert admin.outsider(NAME, revoked).returncode == 0
    hook = admin.root / "known-hook"
    hook.write_text(HOOK.format(python=sys.executable))
    hook.chmod(0o755)
    with (admin.root / "mvpc.toml").open("a") as config:
        config.write('publish_hook = "known-hook"\n')

    since, before = time.monotonic(), len(radius_log(admin))
    said = admin.mvpc("device", "lost", NAME, "--yes", "--reason", "left in a train")
    assert "handed over by" in said
    assert NAME not in gateway.swanctl("--list-sas")
    eventually(lambda: radius_log(admin)[before:], f"/CN={NAME}/serialNumber=LABVM01' err='certificate revoked'")
    assert "revoked" in admin.outsider(NAME, revoked).stderr
    took = time.monotonic() - since
    record_property("seconds", round(took))
    assert took < LOST_S

    laptop.fail(f"{UP} mvpc-wifi-fm-intern")
    assert "[AUTHORIZED]" not in stations(laptop, "FM-Intern")
    laptop.fail("swanctl --initiate --child mvpc --timeout 20")
    laptop.fail(FETCH)
    assert "ESTABLISHED" not in gateway.swanctl("--list-sas")


def test_its_disk_is_of_no_use_without_its_tpm(admin: Admin, laptop: Machine):
    laptop.succeed(f"{BY_TPM} -in {KEY} -noout")
    laptop.crash()
    shutil.rmtree(admin.lab.home / "laptops" / NAME / "tpm")
    laptop.start()
    laptop.wait_until_succeeds("test -e /dev/tpmrm0")
    laptop.fail(f"{BY_TPM} -in {KEY} -noout")


def test_down_leaves_nothing(admin: Admin, laptop: Machine):
    admin.mvpc("lab", "down")
    assert leftovers(admin.lab) == []
