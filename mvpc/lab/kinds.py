"""The kinds of laptops that the lab knows, and what each can do."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Protocol

from mvpc.lab import container, vm
from mvpc.lab.host import Part
from mvpc.lab.journal import Journal, Made
from mvpc.lab.laptop import Case, Laptop, LaptopKind
from mvpc.lab.network import Network


class Steps(Protocol):
    """From a folder to a laptop that answers, in this order. What a step makes is noted before the first."""

    def belongings(self, case: Case, laptop: Laptop, network: Network, /) -> list[Made]:
        """Everything that the steps make on this machine, but for the process and the disk."""

    def insert_disk(self, case: Case, laptop: Laptop, network: Network, furnish: Callable[[Path], None], /) -> None:
        """Make the laptop's file system ready; `furnish` gives a new one its first files."""

    def plug_in(self, laptop: Laptop, network: Network, /) -> None:
        """Connect the laptop to the bridge."""

    def switch_on(self, case: Case, laptop: Laptop, network: Network, journal: Journal, /) -> Laptop:
        """Boot it and wait until its sshd answers; raises LabError that names its console."""


KINDS: Mapping[LaptopKind, Steps] = {"container": container, "vm": vm}

PART: Mapping[LaptopKind, Part] = {"container": "lab", "vm": "vm"}
"""Which part of the lab's requirements a kind needs."""
