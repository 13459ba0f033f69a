"""The power of laptops: on, with everything that a laptop needs of this machine, and off again."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from mvpc.lab import process
from mvpc.lab.cleanup import undo
from mvpc.lab.journal import Journal, Kind
from mvpc.lab.kinds import KINDS
from mvpc.lab.laptop import Case, Laptop
from mvpc.lab.network import Network
from mvpc.lab.setup import BuiltImage, check_image

OnStep = Callable[[str], None]
"""Told in words what is done next."""


@dataclass(frozen=True, slots=True)
class Power:
    """Switches the laptops of one lab on and off."""

    network: Network
    journal: Journal

    def on(self, case: Case, built: BuiltImage, on_step: OnStep, furnish: Callable[[Path], None]) -> Laptop:
        """The running laptop; one that runs already is left alone. `furnish` gives a new one its first files.

        Raises:
            LabError: its image was built again since, or it does not come up; it is off then, and keeps its disk.
        """
        laptop = self.state(case)
        if laptop.running and laptop.host_key:
            return laptop
        check_image(laptop, built)
        self.off(case)
        try:
            laptop = self._boot(case, laptop, on_step, furnish)
        except BaseException:
            self.off(case)
            raise
        case.write(laptop)
        on_step(f"{laptop.hostname}: ready at {laptop.address}")
        return laptop

    def off(self, case: Case) -> None:
        """Take away everything that the laptop has on this machine but its case, where the disk is."""
        hostname, kept = case.folder.name, str(case.folder)
        gone = [made for made in self.journal.entries() if made.owner == hostname and made.name != kept]
        undo(self.journal, gone)

    def state(self, case: Case) -> Laptop:
        """The laptop's record, and whether it runs; raises NotFoundError when there is none."""
        laptop = case.read()
        for made in self.journal.entries():
            ours = made.kind is Kind.PROCESS and made.owner == laptop.hostname
            if ours and process.is_running(int(made.name), made.detail):
                return replace(laptop, pid=int(made.name))
        return laptop

    def _boot(self, case: Case, laptop: Laptop, on_step: OnStep, furnish: Callable[[Path], None]) -> Laptop:
        kind, hostname = KINDS[laptop.kind], laptop.hostname
        self.journal.note(*kind.belongings(case, laptop, self.network))
        on_step(f"{hostname}: disk")
        kind.insert_disk(case, laptop, self.network, furnish)
        on_step(f"{hostname}: network {laptop.address}")
        kind.plug_in(laptop, self.network)
        on_step(f"{hostname}: boot")
        return kind.switch_on(case, laptop, self.network, self.journal)
