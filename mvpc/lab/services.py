"""Programs of the lab's infrastructure, in network namespaces of the controller."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from mvpc.errors import LabError
from mvpc.lab import process
from mvpc.lab.cleanup import undo
from mvpc.lab.journal import Journal, Kind, Made

START_S = 120


@dataclass(frozen=True, slots=True)
class Services:
    """What belongs to one part of the infrastructure, under one name in the journal."""

    owner: str
    folder: Path
    """Where its files and its log lie."""
    journal: Journal

    @property
    def log(self) -> Path:
        """What its programs print."""
        return self.folder / "log"

    def note(self, kind: Kind, *names: str) -> None:
        """Write down what is about to be made."""
        self.journal.note(*(Made(kind, name, self.owner) for name in names))

    def run(self, namespace: str, *argv: str) -> int:
        """Start a program that goes on running; its process id."""

        def note(pid: int) -> None:
            self.journal.note(Made(Kind.PROCESS, str(pid), self.owner, process.identity(pid)))

        return process.start(["ip", "netns", "exec", namespace, *argv], log=self.log, before=note)

    @property
    def are_up(self) -> bool:
        """Whether everything was started, and runs."""
        return self._complete.exists() and self.all_run()

    def started(self) -> None:
        """Say that nothing is missing: who died before this has started only a part."""
        self._complete.touch()

    def all_run(self) -> bool:
        """Whether there are programs, and none has ended."""
        mine = [made for made in self._things() if made.kind is Kind.PROCESS]
        return bool(mine) and all(process.is_running(int(made.name), made.detail) for made in mine)

    def remove(self) -> None:
        """End and remove everything."""
        undo(self.journal, self._things())

    def end_all(self) -> None:
        """End every program; what they work with stays."""
        undo(self.journal, [made for made in self._things() if made.kind is Kind.PROCESS])

    def wait(self, ready: Callable[[], object]) -> None:
        """Return when `ready` is true; raises LabError that names the log when a program ends or it takes too long."""
        deadline = time.monotonic() + START_S
        while not ready():
            if not self.all_run():
                raise LabError(f"a program of the lab's {self.owner} ended while it started", where=str(self.log))
            if time.monotonic() > deadline:
                raise LabError(f"the lab's {self.owner} did not start within {START_S} s", where=str(self.log))
            time.sleep(0.05)

    @property
    def _complete(self) -> Path:
        return self.folder / "complete"

    def _things(self) -> list[Made]:
        return [made for made in self.journal.entries() if made.owner == self.owner]


def write(path: Path, content: str, *, mode: int = 0o600) -> None:
    """Write a file whose folder may not exist yet."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    path.touch(mode=mode)
    path.write_text(content, encoding="utf-8")
