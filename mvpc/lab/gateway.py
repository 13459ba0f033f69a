"""A WireGuard gateway beside the laptops, with a network behind it: a name server, and a web server that it names.

It runs in network namespaces of the controller, with WireGuard in user space, so that its kernel needs nothing but TUN.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Network
from pathlib import Path

from mvpc.errors import LabError
from mvpc.lab import process
from mvpc.lab.cleanup import undo
from mvpc.lab.host import run
from mvpc.lab.journal import Journal, Kind, Made
from mvpc.lab.network import INSIDE, Network

OWNER = "gateway"
PORT = 51820
LAPTOPS = IPv4Network("10.64.0.0/16")
"""Where laptops get their addresses in the tunnel: `vpn.address_pool` of the sample profiles."""
BEHIND = IPv4Network("10.65.0.0/24")
NAME_SERVER = BEHIND[53]
WEB_SERVER = BEHIND[80]
WEB_NAME = "intern.mv.example"
PAGE = "This page is behind the gateway.\n"
START_S = 15


@dataclass(frozen=True, slots=True)
class Gateway:
    """A running gateway."""

    network: Network
    public_key: str

    @property
    def address(self) -> str:
        """Its address on the lab's bridge: the second one."""
        return str(self.network.addresses[2])

    @property
    def endpoint(self) -> str:
        """What profiles call `vpn.gateway.endpoint`."""
        return f"{self.address}:{PORT}"

    def latest_handshakes(self) -> dict[str, int]:
        """When each peer was last there, in seconds of the epoch; 0 is never (wg(8))."""
        answer = run(["wg", "show", _interface(self.network), "latest-handshakes"])
        return {key: int(at) for key, at in (line.split() for line in answer.splitlines())}


def open_gateway(network: Network, folder: Path, peers: str, journal: Journal) -> Gateway:
    """Start the gateway unless it runs, and let exactly these peers in; raises LabError when it does not start."""
    interface = _interface(network)
    if not _is_running(journal):
        undo(journal, [made for made in journal.entries() if made.owner == OWNER])
        _start(network, folder, journal)
    key = folder / "key"
    config = folder / "wg.conf"
    config.write_text(f"[Interface]\nPrivateKey = {key.read_text()}ListenPort = {PORT}\n{peers}", encoding="ascii")
    run(["wg", "syncconf", interface, str(config)])
    return Gateway(network, run(["wg", "pubkey"], stdin=key.read_text()).strip())


def _start(network: Network, folder: Path, journal: Journal) -> None:
    outer, inner = _namespaces(network)
    cable = network.cable(str(network.addresses[2]))
    things: Mapping[Kind, tuple[str, ...]] = {
        Kind.NAMESPACE: (outer, inner),
        Kind.INTERFACE: (cable,),
        Kind.FILE: (str(_socket(network)),),
        Kind.FOLDER: (str(folder),),
    }
    journal.note(*(Made(kind, name, OWNER) for kind, names in things.items() for name in names))
    _write_files(folder)
    _lay_cables(network, cable)
    interface = _interface(network)
    _socket(network).unlink(missing_ok=True)
    _run_in(outer, ["wireguard-go", "--foreground", interface], folder, journal)
    _wait_for(_socket(network), folder)
    ways = f"link set {interface} up\nroute add {LAPTOPS} dev {interface}\n"
    run(["ip", "-netns", outer, "-batch", "-"], stdin=ways)
    _run_in(inner, _name_server(folder), folder, journal)
    web = ["-m", "http.server", "80", "--bind", str(WEB_SERVER), "--directory", str(folder / "www")]
    _run_in(inner, [sys.executable, *web], folder, journal)


def _write_files(folder: Path) -> None:
    (folder / "www").mkdir(mode=0o700, parents=True, exist_ok=True)
    folder.chmod(0o700)
    (folder / "www" / "index.html").write_text(PAGE, encoding="ascii")
    key = folder / "key"
    key.touch(mode=0o600)
    key.write_text(run(["wg", "genkey"]), encoding="ascii")


def _lay_cables(network: Network, cable: str) -> None:
    """From the bridge to the gateway, and from the gateway to what is behind it."""
    outer, inner = _namespaces(network)
    first = (
        f"netns add {outer}",
        f"netns add {inner}",
        f"link add {cable} type veth peer name {INSIDE} netns {outer}",
        f"link set {cable} master {network.bridge} up",
        f"link add name behind netns {outer} type veth peer name {INSIDE} netns {inner}",
    )
    of_gateway = (
        f"address add {network.addresses[2]}/{network.addresses.prefixlen} dev {INSIDE}",
        f"link set {INSIDE} up",
        f"address add {BEHIND[1]}/{BEHIND.prefixlen} dev behind",
        "link set behind up",
    )
    of_servers = (
        f"address add {NAME_SERVER}/{BEHIND.prefixlen} dev {INSIDE}",
        f"address add {WEB_SERVER}/{BEHIND.prefixlen} dev {INSIDE}",
        f"link set {INSIDE} up",
        f"route add default via {BEHIND[1]}",
    )
    run(["ip", "-batch", "-"], stdin="\n".join(first) + "\n")
    run(["ip", "-netns", outer, "-batch", "-"], stdin="\n".join(of_gateway) + "\n")
    run(["ip", "-netns", inner, "-batch", "-"], stdin="\n".join(of_servers) + "\n")
    run(["ip", "netns", "exec", outer, "sysctl", "-q", "net.ipv4.ip_forward=1"])


def _name_server(folder: Path) -> list[str]:
    return [
        *("dnsmasq", "--keep-in-foreground", "--conf-file=/dev/null", "--no-resolv", "--no-hosts", "--bind-interfaces"),
        *(f"--listen-address={NAME_SERVER}", f"--host-record={WEB_NAME},{WEB_SERVER}"),
        f"--pid-file={folder / 'dnsmasq.pid'}",
    ]


def _run_in(namespace: str, argv: Sequence[str], folder: Path, journal: Journal) -> None:
    def note(pid: int) -> None:
        journal.note(Made(Kind.PROCESS, str(pid), OWNER, process.identity(pid)))

    process.start(["ip", "netns", "exec", namespace, *argv], log=folder / "log", before=note)


def _wait_for(socket: Path, folder: Path) -> None:
    deadline = time.monotonic() + START_S
    while not socket.exists():
        if time.monotonic() > deadline:
            raise LabError(f"the gateway did not start within {START_S} s", where=str(folder / "log"))
        time.sleep(0.05)


def _is_running(journal: Journal) -> bool:
    """Whether each of its processes runs."""
    mine = [made for made in journal.entries() if made.kind is Kind.PROCESS and made.owner == OWNER]
    return len(mine) == 3 and all(process.is_running(int(made.name), made.detail) for made in mine)


def _namespaces(network: Network) -> tuple[str, str]:
    return f"{network.bridge}-gateway", f"{network.bridge}-behind"


def _interface(network: Network) -> str:
    return f"{network.bridge}wg"


def _socket(network: Network) -> Path:
    """How wg(8) talks to WireGuard in user space. It outlives a process that is killed."""
    return Path("/run/wireguard", f"{_interface(network)}.sock")
