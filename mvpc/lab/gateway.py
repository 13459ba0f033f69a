"""The gateways beside the laptops, with a network behind them: a name server, and a web server that it names.

They run in network namespaces of the controller, with WireGuard and ESP in user space, so that its kernel needs nothing
but TUN.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from ipaddress import IPv4Network
from pathlib import Path

from mvpc.lab.host import check_requirements, run
from mvpc.lab.journal import Kind
from mvpc.lab.network import INSIDE, Network
from mvpc.lab.servers import ServerAuthority
from mvpc.lab.services import Services, write
from mvpc.lab.strongswan import StrongSwan

OWNER = "gateway"
PORT = 51820
NAME = "vpn.mv.example"
"""What the gateway's certificate says: `vpn.ikev2.identity`."""
LAPTOPS = IPv4Network("10.64.0.0/16")
"""Where laptops get their addresses in the tunnel: `vpn.address_pool` of the sample profiles."""
BEHIND = IPv4Network("10.65.0.0/24")
NAME_SERVER = BEHIND[53]
WEB_SERVER = BEHIND[80]
WEB_NAME = "intern.mv.example"
PAGE = "This page is behind the gateway.\n"
LIST = "servers.crl"


@dataclass(frozen=True, slots=True)
class Gateway:
    """A running gateway."""

    network: Network
    services: Services
    authority: Path
    """The certificate of the authority that signed the gateway's, as PEM."""

    @property
    def address(self) -> str:
        """Its address on the lab's bridge: the second one. Profiles call it `vpn.ikev2.address`."""
        return str(self.network.addresses[2])

    @property
    def endpoint(self) -> str:
        """What profiles call `vpn.gateway.endpoint`."""
        return f"{self.address}:{PORT}"

    @property
    def public_key(self) -> str:
        """What profiles call `vpn.gateway.public_key`."""
        return run(["wg", "pubkey"], stdin=_key(self.services).read_text(encoding="ascii")).strip()

    def latest_handshakes(self) -> dict[str, int]:
        """When each WireGuard peer was last there, in seconds of the epoch; 0 is never (wg(8))."""
        answer = run(["wg", "show", _interface(self.network), "latest-handshakes"])
        return {key: int(at) for key, at in (line.split() for line in answer.splitlines())}

    def wg_dump(self) -> str:
        """What `wg show all dump` says, but for the first line, which holds the private key."""
        return run(["wg", "show", _interface(self.network), "dump"]).partition("\n")[2]

    def swanctl(self, *arguments: str) -> str:
        """What strongSwan answers to swanctl; raises LabError where no laptop with IKEv2 was ever let in."""
        return _strongswan(self.network, self.services).swanctl(*arguments)


def open_gateway(network: Network, services: Services, authority: ServerAuthority) -> Gateway:
    """Start the gateway unless it runs; raises LabError when it does not start."""
    if not services.are_up:
        services.remove()
        _start(network, services, authority)
        services.started()
    return Gateway(network, services, authority.certificate)


def admit(gateway: Gateway, peers: str, swanctl: Path | None) -> None:
    """Let exactly these laptops in: `[Peer]` sections of wg(8), and the folder that `mvpc vpn gateway` wrote.

    Raises:
        InputError: a file is missing in the folder.
        LabError: the gateway does not take them; the message is its own.
    """
    key = _key(gateway.services).read_text(encoding="ascii")
    config = gateway.services.folder / "wg.conf"
    write(config, f"[Interface]\nPrivateKey = {key}ListenPort = {PORT}\n{peers}")
    run(["wg", "syncconf", _interface(gateway.network), str(config)])
    if swanctl:
        check_requirements("gateway", "ikev2")
        _strongswan(gateway.network, gateway.services).admit(swanctl)


def _start(network: Network, services: Services, authority: ServerAuthority) -> None:
    outer, inner = _namespaces(network)
    cable = network.cable(str(network.addresses[2]))
    services.note(Kind.NAMESPACE, outer, inner)
    services.note(Kind.INTERFACE, cable)
    services.note(Kind.FILE, str(_socket(network)))
    services.note(Kind.FOLDER, str(services.folder))
    _write_files(network, services, authority)
    _lay_cables(network, cable)
    interface = _interface(network)
    _socket(network).unlink(missing_ok=True)
    services.run(outer, "wireguard-go", "--foreground", interface)
    services.wait(_socket(network).exists)
    ways = f"link set {interface} up\nroute add {LAPTOPS} dev {interface}\n"
    run(["ip", "-netns", outer, "-batch", "-"], stdin=ways)
    services.run(inner, *_name_server(services.folder))
    services.run(inner, *_web_server(str(WEB_SERVER), services.folder / "www"))
    services.run(outer, *_web_server(str(network.addresses[2]), services.folder / "published"))


def _write_files(network: Network, services: Services, authority: ServerAuthority) -> None:
    folder = services.folder
    write(folder / "www" / "index.html", PAGE)
    write(_key(services), run(["wg", "genkey"]))
    (folder / "published").mkdir(exist_ok=True)
    authority.write_list(folder / "published" / LIST)
    swanctl = _strongswan(network, services).folder / "swanctl"
    for name in ("x509", "private"):
        (swanctl / name).mkdir(mode=0o700, parents=True, exist_ok=True)
    place = f"http://{network.addresses[2]}/{LIST}"
    authority.issue([NAME], swanctl / "x509" / "gateway.pem", swanctl / "private" / "gateway.pem", list_at=place)


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


def _web_server(address: str, folder: Path) -> list[str]:
    return [sys.executable, "-m", "http.server", "80", "--bind", address, "--directory", str(folder)]


def _strongswan(network: Network, services: Services) -> StrongSwan:
    return StrongSwan(services, _namespaces(network)[0])


def _key(services: Services) -> Path:
    return services.folder / "key"


def _namespaces(network: Network) -> tuple[str, str]:
    return f"{network.bridge}-gateway", f"{network.bridge}-behind"


def _interface(network: Network) -> str:
    return f"{network.bridge}wg"


def _socket(network: Network) -> Path:
    """How wg(8) talks to WireGuard in user space. It outlives a process that is killed."""
    return Path("/run/wireguard", f"{_interface(network)}.sock")
