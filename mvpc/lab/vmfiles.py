"""What a virtual machine of the lab has beside its image: an address, a way to tell its host key, and air."""

from __future__ import annotations

from pathlib import Path

from mvpc.lab.laptop import Laptop
from mvpc.lab.network import INSIDE, Network

_LINK = """\
# The lab's cable has the same name in containers and in virtual machines.
[Match]
MACAddress={hardware}
[Link]
Name={inside}
"""

_NETWORK = """\
[Unit]
Description=Address of the lab's cable
BindsTo=sys-subsystem-net-devices-{inside}.device
After=sys-subsystem-net-devices-{inside}.device
Wants=network-pre.target
Before=network-pre.target NetworkManager.service ssh.service

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/usr/bin/ip address replace {address} dev {inside}
ExecStart=/usr/bin/ip link set {inside} up
"""

_HOST_KEY = """\
[Unit]
Description=Tell the lab this laptop's public host key
After=mvpc-host-key.service
Before=ssh.service

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/bin/sh -c 'cat /etc/ssh/ssh_host_ecdsa_key.pub >/dev/ttyS1'
"""

_PATIENCE = """\
# On a busy controller an emulated processor needs minutes for what takes seconds elsewhere: without its cable, which is
# waited for 90 seconds at most, the laptop would never be reached.
[Manager]
DefaultDeviceTimeoutSec=15min
DefaultTimeoutStartSec=10min
"""

AIR = "air"
"""The network namespace of the second radio, where an access point may stand."""

_AIR_UNIT = """\
[Unit]
Description=Simulated Wi-Fi: one radio for the laptop, and one for an access point
Before=NetworkManager.service

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/usr/sbin/modprobe mac80211_hwsim radios=2
ExecStart=/usr/bin/ip netns add {air}
ExecStart=/bin/sh -c 'iw phy "$$(cat /sys/class/net/wlan1/phy80211/name)" set netns name {air}'
"""

_UNITS = {
    "mvpc-lab-network.service": _NETWORK,
    "mvpc-lab-host-key.service": _HOST_KEY,
    "mvpc-lab-air.service": _AIR_UNIT,
}


def add_vm_files(root: Path, laptop: Laptop, network: Network) -> None:
    """Write these files into the laptop's file system, and have their units started at boot."""
    meaning = {
        "inside": INSIDE,
        "air": AIR,
        "hardware": network.hardware_address(laptop.address),
        "address": f"{laptop.address}/{network.addresses.prefixlen}",
    }
    _write(root / "etc/systemd/network/10-lab.link", _LINK.format_map(meaning))
    _write(root / "etc/systemd/system.conf.d/lab.conf", _PATIENCE)
    for name, text in _UNITS.items():
        _write(root / "etc/systemd/system" / name, text.format_map(meaning))
        wanted = root / "etc/systemd/system/multi-user.target.wants" / name
        wanted.parent.mkdir(exist_ok=True)
        wanted.symlink_to(f"/etc/systemd/system/{name}")


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
