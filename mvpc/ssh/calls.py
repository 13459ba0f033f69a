"""TCP connections in the making, all at once: a laptop that is away costs a file descriptor, and no thread."""

from __future__ import annotations

import errno
import os
import resource
import selectors
import socket
import time
from collections.abc import Iterator
from contextlib import suppress

from mvpc.model import Device

CONNECT_SECONDS = 4
"""A laptop that is awake answers within this time, even when the first two packets were lost (RFC 6298)."""
_MOST = 4096
"""Connections in the making at the same time."""
_SPARE = 256
"""File descriptors for everything else."""


class Calls:
    """Connections to many laptops. Closing it gives up those that are still in the making."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.most = _raise_limit()
        self._deadlines: dict[socket.socket, tuple[float, Device]] = {}
        """In the order of the calls, so that the first one is over first."""
        self._failed: list[tuple[Device, OSError]] = []
        self._selector = selectors.DefaultSelector()
        self._bell, self._button = socket.socketpair()
        self._bell.setblocking(False)
        self._button.setblocking(False)
        self._selector.register(self._bell, selectors.EVENT_READ)

    def close(self) -> None:
        """Give up."""
        self._selector.close()
        for connection in (*self._deadlines, self._bell, self._button):
            connection.close()

    @property
    def pending(self) -> int:
        """Laptops that were called, and of which nothing was told yet."""
        return len(self._deadlines) + len(self._failed)

    def start(self, device: Device) -> bool:
        """Begin to connect; False when the laptop has no numeric address, and finding it may take a while."""
        try:
            [(family, kind, protocol, _, address), *_] = socket.getaddrinfo(
                device.address or device.hostname,
                self.port,
                type=socket.SOCK_STREAM,
                flags=socket.AI_NUMERICHOST | socket.AI_NUMERICSERV,
            )
        except (OSError, UnicodeError):
            return False
        connection = socket.socket(family, kind, protocol)
        connection.setblocking(False)
        code = connection.connect_ex(address)
        if code not in {0, errno.EINPROGRESS}:
            connection.close()
            self._failed.append((device, OSError(code, os.strerror(code))))
        else:
            self._deadlines[connection] = (time.monotonic() + CONNECT_SECONDS, device)
            self._selector.register(connection, selectors.EVENT_WRITE)
        return True

    def wake(self) -> None:
        """Let `settled` return soon; from any thread."""
        with suppress(BlockingIOError):
            self._button.send(b"\0")

    def settled(self) -> Iterator[tuple[Device, socket.socket | OSError]]:
        """Wait until something happens, and yield every laptop that answered or did not, with why not."""
        failed, self._failed = self._failed, []
        yield from failed
        for key, _ in self._selector.select(0 if failed else self._patience()):
            if key.fileobj is self._bell:
                self._bell.recv(4096)
            elif isinstance(key.fileobj, socket.socket):
                yield self._end(key.fileobj)
        while self._patience() == 0:
            yield self._end(next(iter(self._deadlines)), late=True)

    def _patience(self) -> float | None:
        """Seconds until the first deadline; None when there is none."""
        for deadline, _ in self._deadlines.values():
            return max(0.0, deadline - time.monotonic())
        return None

    def _end(self, connection: socket.socket, *, late: bool = False) -> tuple[Device, socket.socket | OSError]:
        _, device = self._deadlines.pop(connection)
        self._selector.unregister(connection)
        code = connection.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) or (errno.ETIMEDOUT if late else 0)
        if code:
            connection.close()
            return device, OSError(code, os.strerror(code))
        connection.setblocking(True)
        return device, connection


def _raise_limit() -> int:
    """Let this process have enough file descriptors; returns for how many connections they will do."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _MOST + _SPARE
    if soft != resource.RLIM_INFINITY and soft < wanted:
        soft = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    return _MOST if soft == resource.RLIM_INFINITY else max(16, min(_MOST, soft - _SPARE))
