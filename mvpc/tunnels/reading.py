"""What a gateway says of its laptops: output of wg(8) and swanctl(8). All of it is foreign text."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from mvpc.errors import InputError

MAX_TEXT = 64 << 20  # characters: 15,000 laptops need about 4 million
_SA = re.compile(r"^(\S[^:\n]*): #\d+, ([A-Z]+)")
_REMOTE = re.compile(r"^\s+remote\s+'([^']*)' @ (.*)$")
_VIRTUAL = re.compile(r"\[([0-9a-fA-F.: ]+)\]")
"""All addresses of one laptop in the tunnel stand in one pair of brackets."""
_CONNECTION = re.compile(r"^(\S[^:\n]*): IKEv[12/]+")
_REMOTE_PART = re.compile(r"^  remote \S.*authentication")
_ID = re.compile(r"^\s+id: (.+)$")


@dataclass(frozen=True, kw_only=True, slots=True)
class Said:
    """One laptop as the gateway knows it."""

    source: str
    """`wireguard`, `connections` or `sas`."""
    name: str
    """Its public key, or the identity of its certificate."""
    addresses: frozenset[str] | None = None
    """Its addresses in the tunnel; None where this output does not say them."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    """What a gateway says."""

    laptops: tuple[Said, ...]
    sources: frozenset[str]
    """What it was asked for. A dump of an interface without peers is one as well."""


def read_gateway(text: str) -> Answer:
    """Read `wg show all dump`, `swanctl --list-conns` or `swanctl --list-sas`, or several of them one after the other.

    The first line of a dump holds the gateway's private key (wg(8)); it is not kept.

    Raises:
        InputError: there is nothing of the kind in it.
    """
    if len(text) > MAX_TEXT:
        raise InputError("the output of the gateway is too long", hint="Give one of them at a time")
    found = tuple(_read(text))
    sources = {each.source for each in found} | ({"wireguard"} if _has_interface(text) else set())
    if not sources:
        raise InputError(
            "this is no output of a gateway that mvpc can read",
            hint="Give that of: wg show all dump, swanctl --list-conns, swanctl --list-sas",
        )
    return Answer(laptops=found, sources=frozenset(sources))


def _read(text: str) -> Iterator[Said]:
    mode, remote_part = "", False
    for line in text.splitlines():
        cells = line.split("\t")
        if len(cells) in {8, 9}:
            yield _wireguard(cells[-8:])
        elif _SA.match(line):
            mode = "sas"
        elif _CONNECTION.match(line):
            mode, remote_part = "connections", False
        elif mode == "sas" and (remote := _REMOTE.match(line)):
            yield Said(source="sas", name=remote[1], addresses=_virtual(remote[2]))
        elif mode == "connections":
            remote_part = remote_part or bool(_REMOTE_PART.match(line))
            if remote_part and (name := _ID.match(line)):
                yield Said(source="connections", name=name[1].strip())
                remote_part = False


def _wireguard(cells: list[str]) -> Said:
    """A line of a peer: public key, preshared key, endpoint, allowed IPs, handshake, received, sent, keepalive."""
    ranges = [] if cells[3] == "(none)" else cells[3].split(",")
    bare = (each.removesuffix("/128") if ":" in each else each.removesuffix("/32") for each in ranges)
    return Said(source="wireguard", name=cells[0], addresses=frozenset(bare))


def _virtual(text: str) -> frozenset[str]:
    """`192.0.2.1[4500] [10.64.0.7 fd6d:7670:6300::a40:7]` -> the two addresses; the first brackets hold a port."""
    return frozenset(" ".join(_VIRTUAL.findall(text.partition("]")[2])).split())


def _has_interface(text: str) -> bool:
    """Whether there is a line of a WireGuard interface: private key, public key, port, mark."""
    return any(len(line.split("\t")) in {4, 5} for line in text.splitlines())
