"""What the answers of laptops add up to, product by product. Every selected laptop is counted exactly once."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import TypeVar

from mvpc.catalogue import FUNCTIONS, FlatpakProduct, PackagedProduct, Product, Program
from mvpc.model import Device, Reach, SoftwareSeen
from mvpc.software.questions import Wish
from mvpc.software.versions import version_key


class State(StrEnum):
    """How one chosen product is on one laptop."""

    WORKING = "working"  #: all of its packages are there, and all of its checks succeeded
    FAILED = "failed"  #: it is there, and a check did not succeed
    MISSING = "missing"  #: not all of its packages are there
    UNKNOWN = "unknown"  #: the laptop has not answered since the product was chosen


class Asked(StrEnum):
    """How far we came with one laptop."""

    ANSWERED = "answered"  #: when it was last asked
    BEFORE = "answered before"  #: not when it was last asked; its older answer counts
    SILENT = "never reached"  #: it was asked, and never answered
    NEVER = "never asked"
    NOT_ASKABLE = "cannot be asked"  #: no Linux, not in service, another operator, or no host key


@dataclass(frozen=True, kw_only=True, slots=True)
class LaptopSoftware:
    """One laptop: what its profile wants, and what it said."""

    device: Device
    ressort: str
    wanted: Mapping[str, Wish]
    seen: SoftwareSeen | None = None
    askable: bool = True

    @property
    def asked(self) -> Asked:
        """How far we came with it."""
        if not self.askable:
            return Asked.NOT_ASKABLE
        if self.seen is None:
            return Asked.NEVER
        if self.seen.answered is None:
            return Asked.SILENT
        return Asked.ANSWERED if self.seen.reach is Reach.REACHED else Asked.BEFORE

    def installed(self, wish: Wish) -> str:
        """Version of a product: the oldest of the packages that count; empty when none is there."""
        packages = self.seen.packages if self.seen else {}
        found = [packages[name] for name in wish.versioned if name in packages]
        return min(found, key=version_key, default="")

    def state(self, product: str) -> tuple[State, str]:
        """How a wanted product is, and why not well."""
        if self.seen is None or self.seen.answered is None:
            return State.UNKNOWN, ""
        if product not in self.seen.checks:
            return State.UNKNOWN, "chosen since the laptop was asked"
        if gone := [name for name in self.wanted[product].packages if name not in self.seen.packages]:
            return State.MISSING, f"not installed: {', '.join(gone)}"
        complaint = self.seen.checks[product]
        return (State.FAILED, complaint) if complaint else (State.WORKING, "")


@dataclass(frozen=True, kw_only=True, slots=True)
class Trouble:
    """A product that does not work on one laptop."""

    device: str
    ressort: str
    state: State
    error: str


@dataclass(frozen=True, kw_only=True, slots=True)
class ProductFigures:
    """One product on all selected laptops."""

    product: str
    name: str
    function: str
    licence: str
    states: Mapping[State, int]
    """Of the laptops whose profile chose it."""
    wanted: Mapping[str, int]
    """Exact version -> laptops that shall have it; empty: any version."""
    installed: Mapping[str, int]
    """Version -> laptops that chose it and have it, oldest first."""
    other_version: int
    """Laptops that have another version than the pinned one."""
    unchosen: int
    """Laptops that have it although their profiles did not choose it."""
    troubles: tuple[Trouble, ...]

    @property
    def chosen(self) -> int:
        """Laptops whose profile chose it."""
        return sum(self.states.values())

    @property
    def working(self) -> float | None:
        """Share of those that answered on which it works, 0 to 1; None when none has answered."""
        known = self.chosen - self.states[State.UNKNOWN]
        return self.states[State.WORKING] / known if known else None

    @property
    def working_percent(self) -> str:
        """The same for people, rounded down: it says 100 % only where it works on all."""
        return "-" if self.working is None else f"{math.floor(self.working * 1000) / 10:g} %"


@dataclass(frozen=True, kw_only=True, slots=True)
class Complaint:
    """Equal troubles of one product together."""

    product: str
    state: State
    error: str
    devices: tuple[str, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Trial:
    """The whole report."""

    scope: str
    asked: Mapping[Asked, int]
    oldest: datetime | None
    """When the laptop with the oldest answer gave it."""
    newest: datetime | None
    ressorts: Mapping[str, Mapping[State, int]]
    """Ressort -> chosen products of all its laptops, by state."""
    products: tuple[ProductFigures, ...]
    laptops: tuple[LaptopSoftware, ...]

    @property
    def complaints(self) -> list[Complaint]:
        """What does not work, the most frequent first."""
        groups: dict[tuple[str, State, str], list[str]] = {}
        for row in self.products:
            for each in row.troubles:
                groups.setdefault((row.product, each.state, each.error), []).append(each.device)
        found = [
            Complaint(product=product, state=state, error=error, devices=tuple(names))
            for (product, state, error), names in groups.items()
        ]
        return sorted(found, key=lambda each: (-len(each.devices), each.product, each.error))


def trial(scope: str, laptops: Sequence[LaptopSoftware], catalogue: Mapping[str, Product]) -> Trial:
    """Add up what laptops said; products in the order of their functions."""
    answered = [each.seen.answered for each in laptops if each.seen and each.seen.answered]
    programs = {name: each for name, each in catalogue.items() if isinstance(each, Program)}
    figures = [_figures(name, product, laptops) for name, product in programs.items()]
    shown = [each for each in figures if each.chosen or each.unchosen]
    return Trial(
        scope=scope,
        asked=_counted(Asked, (each.asked for each in laptops)),
        oldest=min(answered, default=None),
        newest=max(answered, default=None),
        ressorts=dict(sorted(_by_ressort(laptops).items())),
        products=tuple(sorted(shown, key=lambda each: (FUNCTIONS.index(each.function), each.product))),
        laptops=tuple(laptops),
    )


def _figures(name: str, product: Program, laptops: Sequence[LaptopSoftware]) -> ProductFigures:
    choosing = [each for each in laptops if name in each.wanted and each.askable]
    versions = [(each.wanted[name].version, each.installed(each.wanted[name])) for each in choosing]
    installed = Counter(found for _, found in versions if found)
    return ProductFigures(
        product=name,
        name=product.name,
        function=product.function,
        licence=product.licence,
        states=_counted(State, (each.state(name)[0] for each in choosing)),
        wanted=dict(Counter(wanted for wanted, _ in versions)),
        installed={version: installed[version] for version in sorted(installed, key=version_key)},
        other_version=sum(bool(wanted and found and wanted != found) for wanted, found in versions),
        unchosen=sum(_is_there(product, each) for each in laptops if name not in each.wanted),
        troubles=tuple(_troubles(name, choosing)),
    )


def _is_there(product: Program, laptop: LaptopSoftware) -> bool:
    names: tuple[str, ...] = ()
    if isinstance(product, PackagedProduct):
        names = product.packages_for(laptop.device.os)
    elif isinstance(product, FlatpakProduct):
        names = (product.app,)
    there = laptop.seen.packages if laptop.seen else {}
    return bool(names) and all(name in there for name in names)


def _troubles(name: str, laptops: Sequence[LaptopSoftware]) -> Iterator[Trouble]:
    for laptop in laptops:
        state, error = laptop.state(name)
        if state in {State.FAILED, State.MISSING}:
            yield Trouble(device=laptop.device.hostname, ressort=laptop.ressort, state=state, error=error)


def _by_ressort(laptops: Sequence[LaptopSoftware]) -> dict[str, Mapping[State, int]]:
    found: dict[str, list[State]] = {}
    for laptop in laptops:
        if laptop.askable:
            found.setdefault(laptop.ressort, []).extend(laptop.state(name)[0] for name in laptop.wanted)
    return {code: _counted(State, states) for code, states in found.items()}


_Kind = TypeVar("_Kind", bound=StrEnum)


def _counted(kinds: type[_Kind], found: Iterable[_Kind]) -> dict[_Kind, int]:
    """Every kind with its number, 0 too: what is not there shall be seen."""
    counts = Counter(found)
    return {kind: counts[kind] for kind in kinds}
