"""Try to get out of a laptop as programs do: by IPv4 and IPv6, and by asking two name servers.

Runs on a laptop: `python3 talk.py ROUTER SERVER [INTERFACE...]`, over each of these interfaces; an empty one, or none,
is whichever the laptop itself would choose.
"""

from __future__ import annotations

import socket
import sys
from contextlib import suppress


def say(family: int, kind: int, target: tuple[str, int], interface: str) -> None:
    """Send something, if anybody lets it through."""
    with socket.socket(family, kind) as made, suppress(OSError):
        made.settimeout(0.3)
        if interface:
            made.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, interface.encode())
        made.connect(target)
        made.send(b"hello")


def main(router: str, server: str, *interfaces: str) -> None:
    """Say everything three times over each interface."""
    for interface in (interfaces or ("",)) * 3:
        say(socket.AF_INET, socket.SOCK_DGRAM, ("198.51.100.7", 9), interface)
        say(socket.AF_INET, socket.SOCK_STREAM, ("198.51.100.7", 443), interface)
        say(socket.AF_INET, socket.SOCK_STREAM, ("198.51.100.7", 25), interface)
        say(socket.AF_INET6, socket.SOCK_DGRAM, ("2001:db8:f::7", 9), interface)
        say(socket.AF_INET6, socket.SOCK_STREAM, ("2001:db8:f::7", 443), interface)
        say(socket.AF_INET, socket.SOCK_DGRAM, (router, 53), interface)
        say(socket.AF_INET, socket.SOCK_DGRAM, (server, 53), interface)


if __name__ == "__main__":
    main(*sys.argv[1:])
