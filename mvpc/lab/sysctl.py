"""Kernel parameters of this machine that labs raise, and give back when the last lab that needs them has gone."""

from __future__ import annotations

import fcntl
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from mvpc.lab.journal import Journal, Kind, Made

_INOTIFY = "fs.inotify.max_user_instances"
_INOTIFY_NEEDED = 8192
_PARAMETERS = Path("/proc/sys")
_CLAIMS = Path("/run/mvpc-lab")
"""For each parameter the labs that need it raised, and what it was before. A reboot takes both away."""


def raise_inotify_limit(journal: Journal, lab: str) -> None:
    """Each systemd takes several instances of inotify(7), and all containers share the allowance of root.

    `lab` is a name that no other lab on this machine has.
    """
    claims = _Claims(_INOTIFY)
    with claims.locked():
        now = claims.value
        raised_by_labs = claims.before.exists()
        if now >= _INOTIFY_NEEDED and (claims.has(lab) or not raised_by_labs):
            return
        journal.note(Made(Kind.SYSCTL, _INOTIFY, detail=f"{_INOTIFY_NEEDED} {lab}"))
        claims.add(lab)
        if now < _INOTIFY_NEEDED:
            claims.remember(now)
            claims.place.write_text(str(_INOTIFY_NEEDED), encoding="ascii")


def give_back(name: str, *, ours: str, lab: str) -> None:
    """Say that a lab needs a parameter no more. The last one gives it back, unless somebody has changed it since."""
    claims = _Claims(name)
    with claims.locked():
        if claims.withdraw(lab) or not claims.before.exists():
            return
        if claims.value == int(ours):
            claims.place.write_text(claims.before.read_text(encoding="ascii"), encoding="ascii")
        shutil.rmtree(claims.folder)


@dataclass(frozen=True, slots=True)
class _Claims:
    """Which labs need a parameter."""

    name: str

    @property
    def place(self) -> Path:
        return _PARAMETERS.joinpath(*self.name.split("."))

    @property
    def value(self) -> int:
        return int(self.place.read_text(encoding="ascii"))

    @property
    def folder(self) -> Path:
        return _CLAIMS / self.name

    @property
    def before(self) -> Path:
        """Holds what it was before the first lab came."""
        return self.folder / "before"

    def remember(self, value: int) -> None:
        """Write it down at once or not at all."""
        fresh = self.folder / "new"
        fresh.write_text(str(value), encoding="ascii")
        fresh.replace(self.before)

    def has(self, lab: str) -> bool:
        return self._of(lab).exists()

    def add(self, lab: str) -> None:
        self.folder.mkdir(mode=0o755, parents=True, exist_ok=True)
        self._of(lab).touch()

    def withdraw(self, lab: str) -> bool:
        """Whether others still need it."""
        self._of(lab).unlink(missing_ok=True)
        return any(self.folder.glob("lab-*"))

    def _of(self, lab: str) -> Path:
        return self.folder / f"lab-{lab}"

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Labs come and go at the same time."""
        with self.place.open(encoding="ascii") as file:
            fcntl.flock(file.fileno(), fcntl.LOCK_EX)
            yield
