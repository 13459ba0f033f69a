"""Who is at work: a process, named so that a number that was given again is not taken for it (proc(5)).

A process that can be seen here is judged by whether it is there. One in another process namespace, such as a second
container, cannot be seen, and one that hangs is there and does nothing: for both, its signs of life count.
"""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

EXPIRY = timedelta(minutes=5)
"""A process that has given no sign of life for so long has lost what it had taken."""

BEAT_SECONDS = 30
"""Time between two signs of life."""

DEAD = "mvpc was killed while it ran, or hung"
"""What is said of a rollout whose process gives no signs of life."""


def own_process() -> str:
    """This process: boot, process namespace, process number and moment of its start."""
    return _name(os.getpid()) or ""


def beat() -> str:
    """A sign of life, as it is stored: the present moment."""
    return datetime.now(tz=UTC).isoformat(timespec="milliseconds")


def is_alive(process: str, last_beat: str) -> bool:
    """Whether the process that `own_process` named still runs on this machine and has given a sign of life lately."""
    parts = process.split()
    if len(parts) != 4 or not parts[2].isdigit():
        return False
    boot, namespace, pid, _ = parts
    if boot != _boot() or (namespace == _namespace() and _name(int(pid)) != process):
        return False
    return datetime.now(tz=UTC) - datetime.fromisoformat(last_beat) < EXPIRY


def _name(pid: int) -> str | None:
    try:
        status = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    started = status.rpartition(")")[2].split()[19]  # field 22; the name before it may hold blanks
    return f"{_boot()} {_namespace()} {pid} {started}"


def _boot() -> str:
    return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()


def _namespace() -> str:
    """This process's own namespace of process numbers (pid_namespaces(7)): `pid:[4026531836]`."""
    return str(Path("/proc/self/ns/pid").readlink())
