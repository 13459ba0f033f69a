"""Who else works on packages now: dpkg and apt lock files with fcntl(2), and no lock file is ever deleted."""

from __future__ import annotations

import fcntl
import os
import struct
import time
from contextlib import suppress

from mvpc.device.converge.machine import Machine, read_text
from mvpc.device.converge.words import Busy

LOCKS = (
    "/var/lib/dpkg/lock-frontend",
    "/var/lib/dpkg/lock",
    "/var/lib/apt/lists/lock",
    "/var/cache/apt/archives/lock",
)
FLOCK = "hhqqi4x"  # struct flock of Linux on 64 bit: type, whence, start, length, process


def await_package_locks(machine: Machine) -> None:
    """Wait until nobody else works on packages.

    Raises:
        Busy: somebody still does after the time that apt's own DPkg::Lock::Timeout names, at most five minutes.
    """
    holder = lock_holder(machine)
    deadline = time.monotonic() + (lock_seconds(machine) if holder else 0)
    while holder and time.monotonic() < deadline:
        time.sleep(0.5)
        holder = lock_holder(machine)
    if holder:
        raise Busy(f"packages are being worked on by {holder}")


def lock_holder(machine: Machine) -> str:
    """The name and number of a process that has one of the locks; empty when all are free."""
    for name in LOCKS:
        with suppress(FileNotFoundError), open(machine.path(name), "rb") as lock:  # noqa: PTH123 - as short as it gets
            asked = struct.pack(FLOCK, fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0)
            kind, _, _, _, pid = struct.unpack(FLOCK, fcntl.fcntl(lock, fcntl.F_GETLK, asked))
            if kind != fcntl.F_UNLCK:
                return f"{read_text(machine.path(f'/proc/{pid}/comm')) or 'somebody'} (process {pid}, {name})"
    return ""


def lock_seconds(machine: Machine) -> float:
    """How long to wait, as the laptop's apt is set up, apt.conf(5); at most five minutes."""
    told = machine.run(["apt-config", "--format=%v%n", "dump", "DPkg::Lock::Timeout"]).out.strip()
    return min(float(told), machine.package_lock_seconds) if told.isdigit() else machine.package_lock_seconds
