"""The peer of mvpc in compare.py, for pyinfra: the same resources as with_ansible/site.yml, one operation each."""

from __future__ import annotations

import io
from pathlib import Path

from pyinfra import host  # type: ignore[import-not-found]
from pyinfra.facts.files import FileContents  # type: ignore[import-not-found]
from pyinfra.operations import apt, files, server, systemd  # type: ignore[import-not-found]

FILES = Path(host.data.files)
CONNECTIONS = "/etc/NetworkManager/system-connections"
KEY = "/etc/mvpc/keys/wireguard.key"
PUBLIC_KEY = "/etc/mvpc/keys/wireguard.pub"
PLACE = "@WIREGUARD_PRIVATE_KEY@"


def put(path: str, mode: str = "644"):
    """One file with the content that mvpc renders."""
    return files.put(name=path, src=str(FILES / path.lstrip("/")), dest=path, mode=mode, user="root", group="root")


apt.packages(
    name="Packages of the base",
    packages=["tzdata", "systemd-timesyncd", "openssh-server", "unattended-upgrades"],
    no_recommends=True,
    update=True,
    cache_time=21600,
)
hostname = put("/etc/hostname")
server.shell(name="Apply the hostname", commands=["hostname -F /etc/hostname"], _if=hostname.did_change)
put("/etc/hosts")
files.link(name="Time zone", path="/etc/localtime", target="/usr/share/zoneinfo/Europe/Berlin", force=True)
put("/etc/timezone")
files.directory(name="Folder for time servers", path="/etc/systemd/timesyncd.conf.d", mode="755")
time = put("/etc/systemd/timesyncd.conf.d/10-mvpc.conf")
# It does not run in a container, where it would be started in vain each time.
systemd.service(name="Time service", service="systemd-timesyncd.service", running=None, enabled=True)
systemd.service(
    name="Restart the time service", service="systemd-timesyncd.service", restarted=True, _if=time.did_change
)
ssh = put("/etc/ssh/sshd_config.d/10-mvpc.conf", "600")
systemd.service(name="SSH", service="ssh.service", running=True, enabled=True)
systemd.service(name="Reload SSH", service="ssh.service", reloaded=True, _if=ssh.did_change)
kernel = put("/etc/sysctl.d/60-mvpc.conf")
systemd.service(
    name="Apply the kernel settings", service="systemd-sysctl.service", restarted=True, _if=kernel.did_change
)
put("/etc/apt/apt.conf.d/52mvpc-updates")
files.directory(name="Folder for the window", path="/etc/systemd/system/apt-daily-upgrade.timer.d", mode="755")
window = put("/etc/systemd/system/apt-daily-upgrade.timer.d/10-mvpc.conf")
systemd.service(name="Timer for lists", service="apt-daily.timer", running=True, enabled=True)
systemd.service(name="Timer for upgrades", service="apt-daily-upgrade.timer", running=True, enabled=True)
systemd.service(
    name="Restart the timer",
    service="apt-daily-upgrade.timer",
    restarted=True,
    daemon_reload=True,
    _if=window.did_change,
)

apt.packages(name="Packages of the VPN", packages=["wireguard-tools"], no_recommends=True)
files.directory(name="Folder for keys", path="/etc/mvpc/keys", mode="700")
vpn = f"{CONNECTIONS}/mvpc-vpn.nmconnection"
template = (FILES / vpn.lstrip("/")).read_text()
known = host.get_fact(FileContents, path=KEY)
if known:
    text = template.replace(PLACE, known[0].strip())
    loaded = files.put(name="VPN connection", src=io.StringIO(text), dest=vpn, mode="600")
else:
    server.shell(name="Private key", commands=[f"(umask 077 && wg genkey > {KEY}) && wg pubkey < {KEY} > {PUBLIC_KEY}"])
    loaded = files.put(name="VPN connection", src=io.StringIO(template), dest=vpn, mode="600")
    server.shell(name="Private key into the connection", commands=[f'sed -i "s|{PLACE}|$(cat {KEY})|" {vpn}'])

apt.packages(name="Packages of the Wi-Fi", packages=["wpasupplicant"], no_recommends=True)
lan = put(f"{CONNECTIONS}/mvpc-wifi-lan-mv.nmconnection", "600")
intern = put(f"{CONNECTIONS}/mvpc-wifi-fm-intern.nmconnection", "600")
server.shell(
    name="Load the connections",
    commands=["nmcli connection reload"],
    _if=lambda: loaded.did_change() or lan.did_change() or intern.did_change(),
)

apt.packages(
    name="Software", packages=["jq", "libnss-systemd", "poppler-utils", "qpdf", "unzip", "zip"], no_recommends=True
)
apt.packages(name="Unwanted software", packages=["cups"], present=False)
