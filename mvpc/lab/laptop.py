"""One disposable laptop: what is wanted, its record, and where it keeps its things."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Literal

from mvpc.errors import InputError, NotFoundError
from mvpc.model import HOSTNAME

RECORD = "laptop.json"

LaptopKind = Literal["container", "vm"]
"""On the controller's kernel, or in a virtual machine with one of its own."""


@dataclass(frozen=True, slots=True)
class LaptopSpec:
    """A laptop that is wanted."""

    hostname: str
    kind: LaptopKind = "container"
    serial: str = ""
    """What it takes for its serial number, since a container has no firmware."""

    def __post_init__(self) -> None:
        if not HOSTNAME.fullmatch(self.hostname):
            hint = "At most 15 lower-case letters, digits and hyphens, a letter first"
            raise InputError("this is no hostname", where=self.hostname[:40], hint=hint)


@dataclass(frozen=True, kw_only=True, slots=True)
class Laptop:
    """A laptop of the lab."""

    hostname: str
    address: str
    image: str
    """The folder of the image whose files lie below its disk."""
    build: str
    """Which build of it: a disk is of no use over any other."""
    kind: LaptopKind = "container"
    host_key: str = ""
    """`ecdsa-sha2-nistp384 AAAA...`; empty before the first boot."""
    serial: str = ""
    pid: int = 0
    """The process that looks after its container, or is its virtual machine; 0 when it is off."""

    @property
    def running(self) -> bool:
        """Whether it is switched on."""
        return self.pid > 0


@dataclass(frozen=True, slots=True)
class Case:
    """Where a laptop keeps its things on the controller."""

    folder: Path

    @property
    def root(self) -> Path:
        """Its file system while its container is on: the image with its disk laid over."""
        return self.folder / "root"

    @property
    def console(self) -> Path:
        """Everything it wrote to its console, over all boots."""
        return self.folder / "console.log"

    def read(self) -> Laptop:
        """The laptop's record; raises NotFoundError when there is none."""
        try:
            return Laptop(**json.loads((self.folder / RECORD).read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError) as error:
            what = f"the lab has no laptop {self.folder.name}"
            raise NotFoundError(what, where=str(self.folder), hint="See `mvpc lab list`") from error

    def write(self, laptop: Laptop) -> None:
        """Keep the record; whether it runs is not part of it."""
        temporary = self.folder / f"{RECORD}.new"
        temporary.write_text(json.dumps(asdict(replace(laptop, pid=0))), encoding="utf-8")
        temporary.replace(self.folder / RECORD)
