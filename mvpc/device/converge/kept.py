"""What is kept while a change is not confirmed; how it is confirmed, and what was taken back."""

from __future__ import annotations

import fcntl
import json
import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from mvpc.device.converge.machine import Machine, delete, look

UNDO = "/var/lib/mvpc/undo"
COUNTING = f"{UNDO}/counting"
MANIFEST, UNDONE, SCRIPT, SETTLED = (
    f"{UNDO}/{name}" for name in ("manifest.json", "undone.json", "undo.py", "settled")
)
TIMER, LAST_TIMER = "mvpc-undo", "mvpc-undo-confirm"
"""While the apply is at work, and after it. Two names, so that one is set before the other goes."""
BOOT_UNIT = "/etc/systemd/system/mvpc-undo-boot.service"
BOOT_WANTS = "/etc/systemd/system/sysinit.target.wants/mvpc-undo-boot.service"
BUS = "org.freedesktop.NetworkManager"


def confirm(machine: Machine) -> None:
    """Somebody got in over a new connection: a change that has settled stays, be it after a moment."""
    if not is_pending(machine) or not settles(machine):
        return
    with alone(machine) as is_alone:
        if not is_alone or not is_pending(machine):
            return
        kept = json.loads(machine.path(MANIFEST).read_bytes())
        delete(machine.path(MANIFEST))
    machine.run(["systemctl", "stop", "--", f"{TIMER}.timer", f"{LAST_TIMER}.timer"])
    if kept["checkpoint"]:
        at_network_manager(machine, "Destroy", "o", kept["checkpoint"])
    for path in (BOOT_WANTS, BOOT_UNIT):
        delete(machine.path(path))
    drop_copies(machine)


def settles(machine: Machine) -> bool:
    """Whether the change has settled, or does so while we wait; one that is still at work is not waited for."""
    deadline = time.monotonic() + machine.settle_seconds
    while look(machine.path(SETTLED)) is None:
        if look(machine.path(COUNTING)) is None or time.monotonic() > deadline or not is_pending(machine):
            return False
        time.sleep(0.2)
    return True


def drop_copies(machine: Machine) -> None:
    """Remove what an earlier change has kept."""
    from shutil import rmtree  # noqa: PLC0415 - rarely needed, and slow to import

    rmtree(machine.path(UNDO), ignore_errors=True)


@contextmanager
def alone(machine: Machine) -> Iterator[bool]:
    """Either a change is confirmed, or it is taken back: both hold this lock. Whether it was free."""
    place = machine.path(f"{UNDO}.lock")
    with os.fdopen(os.open(place, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600), "rb") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
            return
        yield True


def is_pending(machine: Machine) -> bool:
    """Whether a change waits to be confirmed."""
    return look(machine.path(MANIFEST)) is not None


def undone(machine: Machine) -> Mapping[str, Any] | None:
    """The change that was last taken back, until another one is made: which, when, why, and of which components."""
    try:
        told = json.loads(machine.path(UNDONE).read_bytes())
        numbers = {name: int(told[name]) for name in ("generation", "at")}
        words = {"reason": str(told["reason"]), "components": list(map(str, told["components"]))}
        return {**numbers, **words, "booting": bool(told["booting"])}
    except (OSError, ValueError, KeyError, TypeError):
        return None


def at_network_manager(machine: Machine, method: str, *arguments: str) -> str:
    """What NetworkManager says to something about checkpoints; empty when it does not run."""
    call = ["busctl", "call", BUS, "/" + BUS.replace(".", "/"), BUS, f"Checkpoint{method}", *arguments]
    return machine.run(call).out
