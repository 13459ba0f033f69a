"""What really leaves a laptop of the lab: every frame on its cable, seen from the controller (packet(7))."""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import Self

_IPV4, _ARP, _IPV6, _ALL = 0x0800, 0x0806, 0x86DD, 3
_TCP, _UDP, _ICMPV6, _HOP_BY_HOP = 6, 17, 58, 0
_NEIGHBOURS = {133, 135, 136, 143}
"""Router and neighbour solicitation, neighbour advertisement (RFC 4861), and who listens to which group (RFC 3810)."""


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
    hardware: str
    packets: list[Packet] = field(default_factory=list)

    def __enter__(self) -> Self:
        self._socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(_ALL))
        self._socket.bind((self.cable, 0))
        self._socket.settimeout(0.2)
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._listen, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()
        self._socket.close()

    def beside(self, *allowed: tuple[str, int, int]) -> list[Packet]:
        """What went beside the tunnel, but for neighbour discovery and what is allowed.

        Args:
            allowed: target, protocol, and port at the target; a negative one is the port at the laptop.
        """
        return [each for each in self.packets if not (each.kind in _NEIGHBOURS or _is_among(each, allowed))]

    def _listen(self) -> None:
        mine = bytes.fromhex(self.hardware.replace(":", ""))
        while not self._over.is_set():
            try:
                frame = self._socket.recv(65536)
            except TimeoutError:
                continue
            if frame[6:12] == mine and (found := _packet(frame)):
                self.packets.append(found)


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
