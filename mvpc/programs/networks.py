"""Where the laptop is: its ways out, and whether they have proved themselves; a part of the program for the tunnel."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any

from mvpc.programs.commands import answer, said

WITNESS_S = 4


def ways_out() -> list[str]:
    """The interfaces over which packets leave when there is no tunnel: those of the best default routes."""
    found = []
    for version in ("-4", "-6"):
        routes = answer("ip", "-json", version, "route", "show", "default", "table", "main") or []
        ways = [(int(each.get("metric", 0)), str(each["dev"])) for each in routes if "dev" in each]
        found += [dev for _, dev in sorted(ways)[:1]]
    return list(dict.fromkeys(found))


def activations() -> set[str]:
    """What NetworkManager has active, each under a number of its own: the same network once more is another one."""
    shown = said("nmcli", "--terse", "--fields", "ACTIVE-PATH,TYPE", "connection", "show", "--active")
    return {line for line in shown.splitlines() if not line.endswith(":wireguard")}


def proves(settings: Mapping[str, Any], device: str) -> bool:
    """Whether the network behind an interface has proved that it is one of ours."""
    trusted = settings["trusted"]
    return logged_in(trusted["connections"], device) or bool(
        trusted["witness"] and answers_witness(trusted["witness"], device, settings["addresses"])
    )


def logged_in(connections: Sequence[str], device: str) -> bool:
    """802.1X: NetworkManager has activated one of these keyfiles there, so its access point has proved itself."""
    if not connections:
        return False
    active = said("nmcli", "--terse", "--fields", "FILENAME,DEVICE,STATE", "connection", "show", "--active")
    return any(f"{keyfile}:{device}:activated" in active.splitlines() for keyfile in connections)


def answers_witness(witness: Mapping[str, Any], device: str, own: Sequence[str]) -> bool:
    """TLS with the server inside, over this interface and from its own address: never through the tunnel."""
    version = 6 if ":" in witness["address"] else 4
    for source in sources(device, version, own):
        with suppress(OSError, ValueError), plain_socket(device, source, version) as bound:
            bound.connect((witness["address"], witness["port"]))
            with believing(witness["authority"]).wrap_socket(bound, server_hostname=witness["name"]):
                return True
    return False


def sources(device: str, version: int, own: Sequence[str]) -> Iterator[str]:
    """Addresses of the interface that are not the tunnel's; strongSwan puts its address there too."""
    for interface in answer("ip", "-json", f"-{version}", "address", "show", "dev", device, "scope", "global") or []:
        for each in interface.get("addr_info", ()):
            if each.get("local") and each["local"] not in own:
                yield each["local"]


def plain_socket(device: str, source: str, version: int) -> socket.socket:
    """A socket that sends over this interface alone; raises OSError."""
    made = socket.socket(socket.AF_INET6 if version == 6 else socket.AF_INET, socket.SOCK_STREAM)
    try:
        made.settimeout(WITNESS_S)
        made.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, device.encode())
        made.bind((source, 0))
    except OSError:
        made.close()
        raise
    return made


def believing(authority: str) -> ssl.SSLContext:
    """TLS 1.2 or newer that believes this authority and no other; raises OSError."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_verify_locations(cafile=authority)
    return context


def domains(device: str) -> list[str]:
    """The domains that systemd-resolved asks this interface's servers for; `Link 2 (wlan0): ~. mv.example`."""
    return said("resolvectl", "domain", device).partition("):")[2].split()
