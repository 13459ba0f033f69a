"""What the lab made on this machine, written down before it is made, so that a crash leaves nothing unknown."""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path


class Kind(StrEnum):
    """Things that outlive their maker. The order is the order in which they must go."""

    PROCESS = "process"  #: name: process id; detail: its identity
    NAMESPACE = "namespace"  #: a network namespace, with all processes in it
    MOUNT = "mount"  #: name: path
    INTERFACE = "interface"
    CGROUP = "cgroup"  #: name: path below every cgroup hierarchy
    SYSCTL = "sysctl"  #: detail: `VALUE LAB`, whose name no other lab on this machine has
    FILE = "file"  #: name: path, where no folder of the lab's is
    FOLDER = "folder"  #: name: path


@dataclass(frozen=True, slots=True)
class Made:
    """One thing. `owner` is the laptop's hostname, or empty for what all laptops share."""

    kind: Kind
    name: str
    owner: str = ""
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Journal:
    """An append-only file, one thing per line."""

    path: Path

    def note(self, *made: Made) -> None:
        """Write down what is about to be made; it is on the disk when this returns."""
        lines = "".join(_line(each) for each in made)
        with self._locked():
            # A line that a crash tore stays alone on its line.
            torn = self.path.exists() and self.path.read_bytes()[-1:] not in {b"", b"\n"}
            with self.path.open("a", encoding="utf-8") as file:
                file.write("\n" + lines if torn else lines)
                file.flush()
                os.fsync(file.fileno())

    def entries(self) -> list[Made]:
        """Everything that may exist, newest last. Torn lines are left out: what they announced was never made."""
        if not self.path.exists():
            return []
        lines = self.path.read_text(encoding="utf-8", errors="replace").splitlines()
        return list(dict.fromkeys(made for line in lines if (made := _parse(line))))

    def forget(self, gone: Collection[Made]) -> None:
        """Strike out what is gone."""
        with self._locked():
            left = [made for made in self.entries() if made not in gone]
            temporary = self.path.with_suffix(".new")
            with temporary.open("w", encoding="utf-8") as file:
                file.writelines(_line(each) for each in left)
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(self.path)

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """Laptops start in parallel. A file lock also holds between two journals of one path (flock(2))."""
        with self.path.with_suffix(".lock").open("w", encoding="ascii") as file:
            fcntl.flock(file.fileno(), fcntl.LOCK_EX)
            yield


def _line(made: Made) -> str:
    return json.dumps(asdict(made)) + "\n"


def _parse(line: str) -> Made | None:
    try:
        fields = json.loads(line)
        return Made(**(fields | {"kind": Kind(fields["kind"])}))
    except (ValueError, TypeError, KeyError):
        return None
