"""Waiting for a laptop that boots."""

from __future__ import annotations

import re
import socket
import time
from pathlib import Path

from mvpc.errors import LabError
from mvpc.lab import process
from mvpc.lab.laptop import Case, Laptop

GREETING_S = 20
_HOST_KEY = re.compile(r"ecdsa-sha2-nistp384 [A-Za-z0-9+/]+={0,2}")


def wait_for_ssh(case: Case, laptop: Laptop, pid: int, *, within_s: int) -> None:
    """Return as soon as the laptop's sshd answers.

    Raises:
        LabError: its process `pid` ends, or it takes longer; names the log of its console.
    """
    known = process.identity(pid)
    deadline = time.monotonic() + within_s
    while not _answers(laptop.address):
        if not process.is_running(pid, known):
            raise LabError(f"{laptop.hostname} stopped while it started", where=str(case.console))
        if time.monotonic() > deadline:
            raise LabError(f"the sshd of {laptop.hostname} did not answer within {within_s} s", where=str(case.console))
        time.sleep(0.05)


def read_host_key(laptop: Laptop, path: Path) -> str:
    """The laptop's public host key from a file that only the laptop writes; raises LabError when there is none."""
    try:
        with path.open(encoding="ascii", errors="replace") as file:
            found = _HOST_KEY.match(file.read(1000))
    except OSError:
        found = None
    if not found:
        raise LabError(f"{laptop.hostname} has no host key of type ecdsa", where=str(path))
    return found[0]


def _answers(address: str) -> bool:
    """Whether an SSH server introduces itself (RFC 4253, 4.2)."""
    try:
        with socket.create_connection((address, 22), timeout=2) as connection:
            # Whoever hangs up and knocks again makes a busy laptop start another sshd each time.
            connection.settimeout(GREETING_S)
            return connection.recv(8) == b"SSH-2.0-"
    except OSError:
        return False
