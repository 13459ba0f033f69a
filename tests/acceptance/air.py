"""An access point beside a laptop: hostapd on the second simulated radio, in a network namespace of its own.

Laptop and access point share one machine, but nothing else than the air: each has its own radio and its own network.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from tests.acceptance.driver import Machine

FOLDER = "/run/access-point"
ADDRESS = "10.66.0.1"

_HOSTAPD = """\
interface=wlan1
driver=nl80211
ssid={ssid}
hw_mode=g
channel=1
ieee80211w=2
wpa=2
wpa_key_mgmt=WPA-EAP WPA-EAP-SHA256
rsn_pairwise=CCMP
ieee8021x=1
eapol_version=2
eap_server=1
eap_user_file={folder}/users
ca_cert={folder}/device-ca.pem
server_cert={folder}/server.pem
private_key={folder}/server.key
ctrl_interface={folder}/control
logger_stdout=-1
logger_stdout_level=1
"""

_DHCP = (
    "dnsmasq --keep-in-foreground --conf-file=/dev/null --port=0 --interface=wlan1 --bind-interfaces "
    "--dhcp-range=10.66.0.50,10.66.0.99,255.255.255.0 --dhcp-leasefile={folder}/leases"
)


@dataclass(frozen=True)
class AccessPoint:
    """WPA2/WPA3-Enterprise with EAP-TLS, protected management frames required (BSI IT-Grundschutz NET.2.1)."""

    machine: Machine
    ssid: str

    def start(self, *, device_ca: Path, certificate: Path, key: Path) -> None:
        """Send out the network. Laptops whose certificates come from `device_ca` are let in."""
        files = {
            "hostapd.conf": _HOSTAPD.format(ssid=self.ssid, folder=FOLDER),
            "users": "* TLS\n",
            "device-ca.pem": device_ca.read_text(),
            "server.pem": certificate.read_text(),
            "server.key": key.read_text(),
        }
        self.stop()
        self.machine.write_all({f"{FOLDER}/{name}": content for name, content in files.items()}, mode="0600")
        self.machine.succeed(
            f"ip -netns air address replace {ADDRESS}/24 dev wlan1\n"
            f"systemd-run --quiet --unit=air-hostapd ip netns exec air hostapd {FOLDER}/hostapd.conf\n"
            f"systemd-run --quiet --unit=air-dhcp ip netns exec air {_DHCP.format(folder=FOLDER)}\n"
        )

    def stop(self) -> None:
        """Fall silent."""
        self.machine.run("systemctl stop air-dhcp air-hostapd; systemctl reset-failed air-dhcp air-hostapd 2>&1")

    @property
    def log(self) -> str:
        """What hostapd says."""
        return self.machine.succeed("journalctl --no-pager --output=cat --unit=air-hostapd")

    def stations(self) -> str:
        """What hostapd knows of the laptops that are associated (hostapd_cli all_sta)."""
        return self.machine.succeed(f"ip netns exec air hostapd_cli -p {FOLDER}/control -i wlan1 all_sta")
