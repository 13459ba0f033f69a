"""Who is at work: a process, named so that a number that was given again is not taken for it (proc(5))."""

from __future__ import annotations

import os
from pathlib import Path


def own_process() -> str:
    """This process: boot, process number and moment of its start."""
    return _name(os.getpid()) or ""


def is_alive(process: str) -> bool:
    """Whether the process that `own_process` named still runs on this machine."""
    parts = process.split()
    return len(parts) == 3 and parts[1].isdigit() and _name(int(parts[1])) == process


def _name(pid: int) -> str | None:
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        status = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    started = status.rpartition(")")[2].split()[19]  # field 22; the name before it may hold blanks
    return f"{boot} {pid} {started}"
