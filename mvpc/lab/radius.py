"""The RADIUS server that access points of the lab ask: hostapd's own, for EAP-TLS and nothing else.

It stands on the controller, with a cable to the bridge. Access points reach it by link-local addresses (RFC 3927) that
are made of the lab's, so that laptops do not.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address
from pathlib import Path

from mvpc.lab.host import run
from mvpc.lab.journal import Kind
from mvpc.lab.network import INSIDE, Network
from mvpc.lab.servers import ServerAuthority
from mvpc.lab.services import Services, write

OWNER = "radius"
PORT = 1812
LINK_LOCAL_BITS = 16

_CONFIG = """\
interface=as
driver=none
ctrl_interface={folder}/control
radius_server_clients={folder}/clients
radius_server_auth_port={port}
eap_server=1
eap_user_file={folder}/users
ca_cert={folder}/devices.pem
check_crl=1
server_cert={folder}/server.pem
private_key={folder}/server.key
tls_flags=[ENABLE-TLSv1.3][DISABLE-TLSv1.0][DISABLE-TLSv1.1]
logger_stdout=-1
logger_stdout_level=1
"""


@dataclass(frozen=True, kw_only=True, slots=True)
class Trust:
    """Which laptops a RADIUS server lets in."""

    authority: str
    """Certificate of the device authority and those above it, as PEM."""
    revoked: bytes
    """The list of revoked device certificates, in DER as `mvpc ca publish` writes it."""


@dataclass(frozen=True, slots=True)
class Radius:
    """A running RADIUS server."""

    network: Network
    services: Services
    authority: Path
    """The certificate of the authority that signed the server's, as PEM."""

    @property
    def address(self) -> str:
        """Where access points reach it."""
        return link_local(network_address(self.network))

    @property
    def secret(self) -> str:
        """What access points prove themselves with."""
        return (self.services.folder / "secret").read_text(encoding="ascii").strip()

    @property
    def log(self) -> str:
        """What it says, with the subject of each certificate that it was shown, and with keys: for root alone."""
        return self.services.log.read_text(encoding="utf-8", errors="replace")


def open_radius(
    network: Network, services: Services, authority: ServerAuthority, names: Sequence[str], trust: Trust
) -> Radius:
    """Start the server anew, with a certificate of these names; access points need not be told.

    Raises:
        LabError: it does not start; names its log.
    """
    if not services.are_up:
        services.remove()
        _lay_cable(network, services)
    services.end_all()
    _write_files(services.folder, authority, names, trust)
    services.run(_namespace(network), "hostapd", "-d", "-t", str(services.folder / "hostapd.conf"))
    services.wait((services.folder / "control" / "as").is_socket)
    services.started()
    return Radius(network, services, authority.certificate)


def network_address(network: Network) -> IPv4Address:
    """The third address of the lab. Nobody else has it, so the link-local one that is made of it is free as well."""
    return network.addresses[3]


def link_local(address: IPv4Address | str) -> str:
    """The link-local address that goes with an address of the lab."""
    return str(IPv4Address((169 << 24) + (254 << 16) + (int(IPv4Address(address)) & 0xFFFF)))


def _lay_cable(network: Network, services: Services) -> None:
    cable, namespace = network.cable(str(network_address(network))), _namespace(network)
    services.note(Kind.NAMESPACE, namespace)
    services.note(Kind.INTERFACE, cable)
    services.note(Kind.FOLDER, str(services.folder))
    write(services.folder / "secret", f"{secrets.token_hex(16)}\n")
    outside = (
        f"netns add {namespace}",
        f"link add {cable} type veth peer name {INSIDE} netns {namespace}",
        f"link set {cable} master {network.bridge} up",
    )
    inside = (
        f"address add {link_local(network_address(network))}/{LINK_LOCAL_BITS} dev {INSIDE}",
        f"link set {INSIDE} up",
    )
    run(["ip", "-batch", "-"], stdin="\n".join(outside) + "\n")
    run(["ip", "-netns", namespace, "-batch", "-"], stdin="\n".join(inside) + "\n")


def _write_files(folder: Path, authority: ServerAuthority, names: Sequence[str], trust: Trust) -> None:
    revoked = folder / "devices.crl"
    revoked.write_bytes(trust.revoked)
    as_pem = run(["openssl", "crl", "-inform", "DER", "-in", str(revoked)])
    secret = (folder / "secret").read_text(encoding="ascii")
    write(folder / "devices.pem", trust.authority + as_pem)
    write(folder / "clients", f"169.254.0.0/{LINK_LOCAL_BITS} {secret}")
    write(folder / "users", "* TLS\n")
    write(folder / "hostapd.conf", _CONFIG.format(folder=folder, port=PORT))
    authority.issue(names, folder / "server.pem", folder / "server.key")
    (folder / "control" / "as").unlink(missing_ok=True)


def _namespace(network: Network) -> str:
    return f"{network.bridge}-radius"
