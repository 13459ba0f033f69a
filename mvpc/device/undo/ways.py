"""The ways that a laptop is reached by and works by, and the rule: what was open before a change is open after it.

    sshd     greets on every port that it has
    router   one that has a default route answers ping(8), or the tunnel is up
    names    some name server answers, and one of those that mvpc set up, resolvectl(1) or resolv.conf(5)
    tunnel   carries traffic: IKE and child SA are there, or WireGuard has shaken hands in the last three minutes

A way that was not open before cannot be judged: a laptop behind a router that answers no ping is no worse off.
"""

from __future__ import annotations

import json
import os
import re
import socket
import time
from collections.abc import Collection, Iterator, Mapping
from contextlib import suppress
from ipaddress import ip_address
from pathlib import Path
from typing import Any

from mvpc.device.undo.tools import run

IKEV2 = "/etc/swanctl/conf.d/mvpc.conf"
WIREGUARD = "/etc/NetworkManager/system-connections/mvpc-vpn.nmconnection"
RESOLV_CONF = "/etc/resolv.conf"
OWN_NAMES = {"global", "wg-mvpc", "resolv.conf"}
"""Whose name servers mvpc sets up: of systemd-resolved for IKEv2, of the WireGuard tunnel, and of other laptops."""
FRESH_SECONDS = 180
"""Age of a WireGuard handshake after which a tunnel in use would have made another one (wg(8), REJECT_AFTER_TIME)."""
_NAME_SERVERS_OF_ROOT = b"\1\0\0\1\0\0\0\0\0\0" + b"\0" + b"\0\2\0\1"
"""Header after the number, and question, of a query (RFC 1035, 4.1). Every server has some answer to it."""


def open_ways(root: Path) -> dict[str, Any]:
    """Which ways are open now. What is missing or false is not open."""
    return {
        "sshd": [port for port in sshd_ports() if greets(port)],
        "router": any(map(answers_ping, routers())),
        "names": sorted(scope for scope, servers in name_servers(root).items() if any(map(answers_query, servers))),
        "tunnel": tunnel_is_up(root),
    }


def closed_ways(before: Mapping[str, Any], root: Path) -> Iterator[str]:
    """In words, what was open before and is not any more; what the change has taken off on purpose is left out."""
    for port in before["sshd"]:
        if not greets(port):
            yield f"sshd does not answer on port {port} any more"
    tunnel = tunnel_is_up(root)
    if before["tunnel"] and has_tunnel(root) and not tunnel:  # said before what follows from it
        yield "the tunnel mvpc-vpn did not come up"
    if before["router"] and not tunnel and not any(map(answers_ping, routers())):
        yield "no router answers any more"
    yield from closed_names(before["names"], name_servers(root))


def closed_names(before: Collection[str], servers: Mapping[str, list[str]]) -> Iterator[str]:
    """Name servers of ours that are silent now, and the case that all are.

    Those of a foreign network may fall silent: behind a full tunnel nobody asks them, and a kill switch keeps them out.
    """
    answering = {scope for scope, addresses in servers.items() if any(map(answers_query, addresses))}
    for scope in sorted({*before} & OWN_NAMES & servers.keys() - answering):
        yield f"no name server of {scope} answers any more ({', '.join(servers[scope])})"
    if before and not answering and not {*before} & OWN_NAMES & servers.keys():
        yield "no name server answers any more" if servers else "there are no name servers any more"


def sshd_ports() -> list[int]:
    """Ports that sshd is told to listen on, sshd(8)."""
    _, said = run(["/usr/sbin/sshd", "-T"])
    return [int(port) for port in re.findall(r"^port (\d+)$", said, re.MULTILINE)]


def greets(port: int) -> bool:
    """Whether something on this laptop says that it speaks SSH (RFC 4253, 4.2)."""
    with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=3) as connection:
        return connection.recv(4) == b"SSH-"
    return False


def routers() -> list[str]:
    """Addresses that default routes lead to."""
    found = []
    for family in ("-4", "-6"):
        code, said = run(["ip", family, "-json", "route", "show", "default"])
        routes = json.loads(said or "[]") if code == 0 else []
        found += [f"{each['gateway']}%{each['dev']}" for each in routes if "gateway" in each]
    return [router if ":" in router else router.partition("%")[0] for router in found]


def answers_ping(address: str) -> bool:
    """Whether one of two packets comes back within two seconds."""
    return run(["ping", "-n", "-q", "-c2", "-i0.3", "-W2", address])[0] == 0


def name_servers(root: Path) -> dict[str, list[str]]:
    """Network -> its name servers: as systemd-resolved knows them, or all under one name where it does not run."""
    code, said = run(["resolvectl", "--no-pager", "dns"], seconds=5)
    if code == 0:
        lines = [line.partition(": ") for line in said.splitlines()]
        return {scope_of(name): addresses_in(rest) for name, _, rest in lines if addresses_in(rest)}
    with suppress(OSError):  # systemd-resolved's own address would answer for servers that do not
        text = (root / RESOLV_CONF.lstrip("/")).read_text(encoding="utf-8", errors="replace")
        found = addresses_in(" ".join(re.findall(r"^nameserver\s+(?!127\.0\.0\.5[34]$)(\S+)", text, re.MULTILINE)))
        return {"resolv.conf": found} if found else {}
    return {}


def scope_of(name: str) -> str:
    """`Link 3 (wlan0)` without its number, which changes when the interface is made anew."""
    inner = re.fullmatch(r"\s*Link \d+ \((.+)\)", name)
    return inner[1] if inner else name.strip().lower()


def addresses_in(text: str) -> list[str]:
    """The addresses in words such as `10.0.0.1 fe80::1%wlan0 9.9.9.9#dns.example`."""
    found = []
    for word in text.split():
        with suppress(ValueError):
            address = word.partition("#")[0]
            ip_address(address.partition("%")[0])
            found.append(address)
    return found


def answers_query(server: str, port: int = 53) -> bool:
    """Whether the name server answers anything at all within two seconds, asked twice."""
    number = os.urandom(2)
    with suppress(OSError):
        [(family, kind, protocol, _, address), *_] = socket.getaddrinfo(server, port, type=socket.SOCK_DGRAM)
        with socket.socket(family, kind, protocol) as connection:
            connection.settimeout(1)
            connection.connect(address)
            for _ in range(2):
                connection.send(number + _NAME_SERVERS_OF_ROOT)
                with suppress(socket.timeout):
                    return connection.recv(512)[:2] == number
    return False


def has_tunnel(root: Path) -> bool:
    """Whether the laptop is meant to have a tunnel."""
    return any((root / place.lstrip("/")).exists() for place in (IKEV2, WIREGUARD))


def tunnel_is_up(root: Path) -> bool:
    """Whether the tunnel carries traffic."""
    if (root / IKEV2.lstrip("/")).exists():
        _, said = run(["swanctl", "--list-sas", "--ike", "mvpc", "--raw"])
        return "state=ESTABLISHED" in said and "state=INSTALLED" in said
    code, said = run(["wg", "show", "all", "latest-handshakes"])
    shaken = [int(word) for word in said.split()[2::3] if word.isdigit()] if code == 0 else []
    return any(time.time() - each < FRESH_SECONDS for each in shaken)
