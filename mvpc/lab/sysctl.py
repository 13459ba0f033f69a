"""Kernel parameters of this machine that the lab raises, and gives back."""

from __future__ import annotations

from pathlib import Path

from mvpc.lab.journal import Journal, Kind, Made

_INOTIFY = "fs.inotify.max_user_instances"
_INOTIFY_NEEDED = 8192


def raise_inotify_limit(journal: Journal) -> None:
    """Each systemd takes several instances of inotify(7), and all containers share the allowance of root."""
    path = _place(_INOTIFY)
    before = int(path.read_text(encoding="ascii"))
    if before < _INOTIFY_NEEDED:
        journal.note(Made(Kind.SYSCTL, _INOTIFY, detail=f"{_INOTIFY_NEEDED} {before}"))
        path.write_text(str(_INOTIFY_NEEDED), encoding="ascii")


def restore(name: str, *, ours: str, before: str) -> None:
    """Give a parameter back what it was, unless somebody has changed it since."""
    path = _place(name)
    if path.read_text(encoding="ascii").strip() == ours:
        path.write_text(before, encoding="ascii")


def _place(name: str) -> Path:
    return Path("/proc/sys", *name.split("."))
