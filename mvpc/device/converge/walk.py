"""What the phases of a walk look at: the run, and one component of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import Any, NamedTuple

from mvpc.device.converge.guard import Guard
from mvpc.device.converge.ledger import Ledger
from mvpc.device.converge.machine import Machine
from mvpc.device.converge.observed import Observed
from mvpc.device.converge.request import Order
from mvpc.device.converge.resources import Component, Connection, File, Kind, Package, Unit
from mvpc.device.converge.wayin import files_on_the_way_in, units_that_go_by

LIFELINES = frozenset({"network-manager", "openssh-server", "python3", "sudo", "systemd-sysv"})
"""Without these nobody reaches the laptop again."""


class Run(NamedTuple):
    """What the walks over all components share."""

    machine: Machine
    order: Order
    ledger: Ledger
    seen: Observed
    owned: set[str]
    """Identities of packages and units that are there because of mvpc; grows during the run."""
    guard: Guard
    walks: list[Walk]
    """All walks of the run."""

    @property
    def kept_packages(self) -> frozenset[str]:
        """Packages that no removal may take along."""
        return LIFELINES | {each.name for each in self.resources if isinstance(each, Package) and each.present}

    @property
    def resources(self) -> Iterator[Any]:
        """Everything that a component has in the order, or had in the ledger."""
        for component in self.order.components:
            yield from component.resources
        for entry in self.ledger.entries.values():
            yield from entry.resources

    def claims_besides(self, name: str) -> set[str]:
        """Identities that other components have, in the ledger or in the order."""
        claims = [entry.resources for other, entry in self.ledger.entries.items() if other != name]
        claims += [each.resources for each in self.order.components if each.name != name]
        return {each.identity for resources in claims for each in resources}


class Walk:
    """One component, as the phases see it. Nothing is touched unless `apply`."""

    def __init__(self, run: Run, component: Component) -> None:
        self.run, self.component = run, component
        run.walks.append(self)
        self.machine, self.seen = run.machine, run.seen
        self.apply, self.probe = run.order.action == "apply", run.order.action == "probe"
        self.with_diff = run.order.diff
        self.before = run.ledger.entry(component.name)
        self.pending = dict.fromkeys(self.before.pending)
        self.started: set[str] = set()
        self.refused = False
        """Whether it was not even begun, so that the ledger has nothing to remember."""
        self.packages_done = False
        """Whether a transaction with other components has brought and removed its packages."""
        kept = {each.identity for each in component.resources} | run.claims_besides(component.name)
        self._gone = [each for each in self.before.resources if each.identity not in kept]

    def wanted(self, kind: type[Kind]) -> list[Kind]:
        """Resources that the component has."""
        return [each for each in self.component.resources if isinstance(each, kind)]

    def wanted_files(self) -> list[File]:
        """Files and keyfiles that the component has."""
        return [*self.wanted(File), *(each.file() for each in self.wanted(Connection))]

    @cached_property
    def way_in(self) -> tuple[Mapping[str, File], set[str]]:
        """What it may change of the way in: files by their paths, and names of units that go by them."""
        files = files_on_the_way_in(self.machine, [*self._gone_files(), *self.wanted_files()])
        mine = {each.name for each in (*self.wanted(Unit), *self.gone(Unit))}
        return files, mine & units_that_go_by(files)

    @property
    def spared(self) -> list[Package]:
        """Packages that wait for the next apply, since files of the way in go with them that may have to come back."""
        leaving = self._gone_files()
        on_way_in = self.run.guard.script and any(file.path in self.way_in[0] for file in leaving)
        return [each for each in self.gone(Package) if each.ours] if on_way_in else []

    def _gone_files(self) -> list[File]:
        return [*self.gone(File), *(each.file() for each in self.gone(Connection))]

    def gone(self, kind: type[Kind]) -> list[Kind]:
        """Resources that the component had, and that no component has now."""
        return [each for each in self._gone if isinstance(each, kind)]
