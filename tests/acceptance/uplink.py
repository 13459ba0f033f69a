"""What really leaves a laptop of the lab: every frame on its cable, seen from the controller (packet(7)).

What leaves over the air is seen at the access point, where this file is a program of its own:
`python3 uplink.py NAME=ADDRESS... -- COMMAND` keeps what comes from these hardware addresses while a command runs, and
answers with one line of JSON: name -> packets.
"""

from __future__ import annotations

import json
import socket
import struct
import subprocess
import sys
from collections.abc import Iterable, Sequence
from contextlib import ExitStack, suppress
from dataclasses import asdict, dataclass, field
from ipaddress import ip_address
from typing import Self

_IPV4, _ARP, _IPV6, _ALL = 0x0800, 0x0806, 0x86DD, 3
_TCP, _UDP, _ICMPV6, _HOP_BY_HOP = 6, 17, 58, 0
_RECEIVE_BUFFER_FORCE, _SOL_PACKET, _STATISTICS = 33, 263, 6
"""SO_RCVBUFFORCE of socket(7), and PACKET_STATISTICS of packet(7), which Python does not name."""
_ROOM = 1 << 26
"""More than a test can send."""
_NEIGHBOURS = {133, 135, 136, 143}
"""Router and neighbour solicitation, neighbour advertisement (RFC 4861), and who listens to which group (RFC 3810)."""
EVERYTHING = {"v4 udp 9", "v4 tcp 443", "v4 tcp 25", "v6 udp 9", "v6 tcp 443", "v4 udp 53"}
"""What `programs/talk.py` tries, as `kinds` names it."""


@dataclass(frozen=True)
class Packet:
    """One packet that the laptop sent."""

    version: int
    protocol: int
    target: str
    source_port: int = 0
    port: int = 0
    kind: int = 0
    """Of ICMPv6."""


@dataclass
class Uplink:
    """While it is open it keeps what comes out of the laptop with this hardware address."""

    cable: str
    """Empty: every interface of the network namespace."""
    hardware: str
    _seen: list[Packet] = field(default_factory=list)

    def __enter__(self) -> Self:
        # No protocol before it is bound: until then it would hear all cables.
        self._socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0 if self.cable else socket.htons(_ALL))
        self._socket.setsockopt(socket.SOL_SOCKET, _RECEIVE_BUFFER_FORCE, _ROOM)
        if self.cable:
            self._socket.bind((self.cable, _ALL))
        return self

    def __exit__(self, *_: object) -> None:
        self._take()
        self._socket.close()

    @property
    def packets(self) -> list[Packet]:
        """All until now, also those that the kernel still held."""
        if self._socket.fileno() >= 0:
            self._take()
        return self._seen

    def beside(self, *allowed: tuple[str, int, int]) -> list[Packet]:
        """What of all that went beside the tunnel, as the function of this name says."""
        return beside(self.packets, *allowed)

    def _take(self) -> None:
        mine = bytes.fromhex(self.hardware.replace(":", ""))
        with suppress(BlockingIOError):
            while True:
                frame = self._socket.recv(65536, socket.MSG_DONTWAIT)
                if frame[6:12] == mine and (found := _packet(frame)):
                    self._seen.append(found)
        _, lost = struct.unpack("II", self._socket.getsockopt(_SOL_PACKET, _STATISTICS, 8))
        assert not lost, f"{lost} frames found no room, so nobody knows what was in them"


def beside(packets: Iterable[Packet], *allowed: tuple[str, int, int]) -> list[Packet]:
    """What went beside the tunnel, but for neighbour discovery and what is allowed.

    Args:
        packets: all that were seen.
        allowed: target, protocol, and port at the target; a negative one is the port at the laptop.
    """
    return [each for each in packets if not (each.kind in _NEIGHBOURS or _is_among(each, allowed))]


def kinds(packets: Iterable[Packet]) -> set[str]:
    """What these packets are, in words: `v4 udp 53`."""
    names = {_TCP: "tcp", _UDP: "udp"}
    return {f"v{each.version} {names.get(each.protocol, each.protocol)} {each.port}" for each in packets}


def main(argv: list[str]) -> None:
    """Keep what laptops send while a command runs, and print it."""
    end = argv.index("--")
    addresses = dict(each.split("=") for each in argv[:end])
    with ExitStack() as stack:
        seen = {name: stack.enter_context(Uplink("", address)) for name, address in addresses.items()}
        subprocess.run(argv[end + 1 :], check=True)
    print(json.dumps({name: [asdict(each) for each in uplink.packets] for name, uplink in seen.items()}))  # noqa: T201


def _is_among(packet: Packet, allowed: Sequence[tuple[str, int, int]]) -> bool:
    return any(
        (packet.target, packet.protocol) == (target, protocol)
        and (packet.port == port if port > 0 else packet.source_port == -port)
        for target, protocol, port in allowed
    )


def _packet(frame: bytes) -> Packet | None:
    """What a frame carries; None for ARP, and for frames of no network protocol."""
    (kind,) = struct.unpack_from("!H", frame, 12)
    if kind == _IPV4:
        start = 14 + (frame[14] & 15) * 4
        return _transport(4, frame[23], str(ip_address(frame[30:34])), frame[start:])
    if kind == _IPV6:
        protocol, start = frame[20], 54
        if protocol == _HOP_BY_HOP:
            protocol, start = frame[54], 54 + 8 + frame[55] * 8
        return _transport(6, protocol, str(ip_address(frame[38:54])), frame[start:])
    return None


def _transport(version: int, protocol: int, target: str, rest: bytes) -> Packet:
    if protocol in {_TCP, _UDP}:
        return Packet(version, protocol, target, *struct.unpack_from("!HH", rest))
    return Packet(version, protocol, target, kind=rest[0] if protocol == _ICMPV6 else 0)


if __name__ == "__main__":
    main(sys.argv[1:])
