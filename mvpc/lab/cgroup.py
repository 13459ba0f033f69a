"""A control group for each laptop, where no systemd on this machine gives it one.

Without a group of its own each laptop's systemd would see the services of all others in its own groups, and would
wait for theirs to end when it stops one of its own.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

from mvpc.errors import LabError

BUSY_S = 60


def enter(name: str, pid: int) -> None:
    """Make the group in each hierarchy that systemd uses, and put the process into it."""
    for hierarchy in _hierarchies():
        group = hierarchy / name
        group.mkdir(parents=True, exist_ok=True)
        (group / "cgroup.procs").write_text(str(pid), encoding="ascii")


def remove(name: str) -> None:
    """Remove the group with all below it; its processes must have been killed. The kernel needs a moment for that."""
    deadline = time.monotonic() + BUSY_S
    for hierarchy in _hierarchies():
        while (hierarchy / name).exists():
            try:
                _remove_tree(hierarchy / name)
            except OSError as error:
                if time.monotonic() > deadline:
                    raise LabError(f"the control group is busy ({error.strerror})") from error
                time.sleep(0.02)


def _remove_tree(group: Path) -> None:
    if not group.is_dir():
        return
    for below in group.iterdir():
        if below.is_dir():
            _remove_tree(below)
    group.rmdir()


def _hierarchies() -> Iterator[Path]:
    """The mount points of cgroup2 and of version 1's `name=systemd`, as far as we may write there."""
    seen = set()
    for line in Path("/proc/self/mounts").read_text(encoding="utf-8").splitlines():
        _, place, kind, options, *_ = line.split()
        chosen = kind == "cgroup2" or (kind == "cgroup" and "name=systemd" in options.split(","))
        if chosen and "rw" in options.split(",") and place not in seen:
            seen.add(place)
            yield Path(place)
