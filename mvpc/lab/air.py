"""An access point in a virtual machine: hostapd on the second simulated radio, in a network namespace of its own.

Laptop and access point share one machine, but nothing else than the air. The access point has an interface of its own
on the lab's cable, over which it asks the RADIUS server.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from mvpc.errors import LabError
from mvpc.lab.host import run
from mvpc.lab.laptop import Case, Laptop
from mvpc.lab.network import INSIDE
from mvpc.lab.radius import LINK_LOCAL_BITS, PORT, Radius, link_local
from mvpc.lab.vmfiles import AIR
from mvpc.secret import Secret
from mvpc.settings import WifiNetwork, Wired

FOLDER = "/run/access-point"
ADDRESS = "10.66.0.1"
"""Of the access point, on the air."""
START_S = 300
REAUTHENTICATE_S = 120
"""How long an access point believes what the RADIUS server said: a lost laptop is thrown out after this time."""

_RADIO = """\
interface=wlan1
driver=nl80211
hw_mode=g
channel=1
"""
_COMMON = """\
ssid2={ssid}
bridge=air0
ctrl_interface={folder}/control
wpa=2
"""
_PORT = """\
interface=port
driver=wired
ctrl_interface={folder}/control
use_pae_group_addr=1
"""
_EAP = """\
ieee8021x=1
eapol_version=2
eap_reauth_period={again}
disable_pmksa_caching=1
own_ip_addr={own}
nas_identifier={name}
auth_server_addr={server}
auth_server_port={port}
auth_server_shared_secret={secret}
"""
_KINDS = {
    "wpa-eap": "wpa_key_mgmt=WPA-EAP WPA-EAP-SHA256\nrsn_pairwise=CCMP\nieee80211w=2\n",
    "wpa-eap-suite-b-192": (
        "wpa_key_mgmt=WPA-EAP-SUITE-B-192\nrsn_pairwise=GCMP-256\ngroup_mgmt_cipher=BIP-GMAC-256\nieee80211w=2\n"
    ),
    "sae": "wpa_key_mgmt=SAE\nrsn_pairwise=CCMP\nieee80211w=2\nsae_require_mfp=1\n",
    "wpa-psk": "wpa_key_mgmt=WPA-PSK WPA-PSK-SHA256\nrsn_pairwise=CCMP\nieee80211w=1\n",
}

_START = """\
systemctl stop air-dhcp air-port air-hostapd 2>/dev/null
systemctl reset-failed air-dhcp air-port air-hostapd 2>/dev/null
set -e
air="ip -netns {air}"
$air link show uplink >/dev/null 2>&1 || ip link add link {inside} name uplink netns {air} type macvlan mode bridge
$air link show air0 >/dev/null 2>&1 || $air link add air0 type bridge
$air address replace {own}/{bits} dev uplink
$air address replace {address}/24 dev air0
$air link set lo up
$air link set uplink up
$air link set air0 up
systemd-run --quiet --unit=air-hostapd ip netns exec {air} hostapd {folder}/hostapd.conf
until ip netns exec {air} hostapd_cli -p {folder}/control -i wlan1 status 2>/dev/null | grep -q state=ENABLED; do
  systemctl --quiet is-active air-hostapd || {{ journalctl --output=cat --lines=5 --unit=air-hostapd >&2; exit 1; }}
  sleep 0.2
done
systemd-run --quiet --unit=air-dhcp ip netns exec {air} dnsmasq --keep-in-foreground --conf-file=/dev/null --port=0 \\
  --interface=air0 --bind-interfaces --dhcp-range=10.66.0.50,10.66.0.99,255.255.255.0 --dhcp-leasefile={folder}/leases
"""
_START_PORT = """\
ip link show cable0 >/dev/null 2>&1 || ip link add cable0 type veth peer name port netns {air}
$air link set port master air0 up
ip link set cable0 up
nmcli device set cable0 managed yes
systemd-run --quiet --unit=air-port ip netns exec {air} hostapd {folder}/port.conf
"""
"""It cannot shut the port, as a switch would: what shows is whether both sides believe each other."""


@dataclass(frozen=True, slots=True)
class Login:
    """Who logs in to the laptops of the lab, with which private key."""

    user: str
    key: Path


@dataclass(frozen=True, kw_only=True, slots=True)
class Broadcast:
    """What an access point sends out."""

    networks: Mapping[str, WifiNetwork]
    """By the names of the profile."""
    keys: Mapping[str, Secret]
    """The shared key of each network that has one."""
    wired: Wired | None = None
    """A port that wants a log-in as well (802.1X); the laptop's end of that cable is `cable0`."""


def send_out(case: Case, laptop: Laptop, login: Login, broadcast: Broadcast, radius: Radius) -> None:
    """Make the access point of a running virtual machine send out these networks, and no others.

    Raises:
        LabError: the laptop does not let us in, or hostapd does not start; with its words.
    """
    own = link_local(laptop.address)
    meaning = {"air": AIR, "inside": INSIDE, "own": own, "bits": LINK_LOCAL_BITS, "address": ADDRESS, "folder": FOLDER}
    files = {"hostapd.conf": configuration(laptop.hostname, own, broadcast, radius)}
    files["port.conf"] = _PORT.format(folder=FOLDER) + _access(laptop.hostname, own, radius)
    known = case.folder / "known-hosts"
    known.write_text(f"{laptop.address} {laptop.host_key}\n", encoding="ascii")
    options = ("BatchMode=yes", "StrictHostKeyChecking=yes", f"UserKnownHostsFile={known}", "ConnectTimeout=20")
    argv = ["ssh", "-F", "none", *(part for each in options for part in ("-o", each)), "-i", str(login.key)]
    try:
        # The files go through standard input: they hold the shared keys.
        script = _write(files) + (_START + (_START_PORT if broadcast.wired else "")).format_map(meaning)
        run([*argv, f"{login.user}@{laptop.address}", "sudo -n sh -s"], stdin=script, timeout_s=START_S)
    except LabError as error:
        raise LabError(f"the access point of {laptop.hostname} does not start: {error}") from error


def configuration(name: str, own: str, broadcast: Broadcast, radius: Radius) -> str:
    """The file of hostapd: one radio, and one network after the other on it (hostapd.conf of the package hostapd)."""
    access = _access(name, own, radius)
    parts = [_RADIO]
    for number, (key, network) in enumerate(broadcast.networks.items()):
        parts += [f"bss=wlan1_{number}\n"] if number else []
        parts += _network(network, broadcast.keys.get(key), access)
    return "".join(parts)


def _access(name: str, own: str, radius: Radius) -> str:
    about = {"again": REAUTHENTICATE_S, "own": own, "name": name, "server": radius.address, "port": PORT}
    return _EAP.format(**about, secret=radius.secret)


def _write(files: Mapping[str, str]) -> str:
    """Commands that write these files into the folder of the access point."""
    parts = [f"umask 077\nmkdir -p {FOLDER}\n"]
    for name, content in files.items():
        parts.append(f"base64 -d >{FOLDER}/{name} <<.\n{base64.encodebytes(content.encode()).decode()}.\n")
    return "".join(parts)


def _network(network: WifiNetwork, key: Secret | None, access: str) -> Iterator[str]:
    yield _COMMON.format(ssid=network.ssid.encode().hex(), folder=FOLDER)
    yield _KINDS[network.security]
    if network.hidden:
        yield "ignore_broadcast_ssid=1\n"
    if network.eap:
        yield access
    elif key:
        yield f"sae_password={key.reveal()}\n" if network.security == "sae" else f"wpa_passphrase={key.reveal()}\n"
