"""Which versions the laptops of a ring prove, for laptops that come later. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mvpc.errors import Problem
from mvpc.model import Device, InstalledPackage
from mvpc.releases import Versions
from mvpc.software.questions import Wish
from mvpc.software.versions import version_key


@dataclass(frozen=True, kw_only=True, slots=True)
class Prover:
    """A laptop that is what its profile says, and on which every chosen product works."""

    device: Device
    wanted: Mapping[str, Wish]
    packages: Sequence[InstalledPackage]
    """What it said when it was asked about the packages of its products."""

    @property
    def installed(self) -> dict[str, str]:
        """Package -> version."""
        return {each.name: each.version for each in self.packages}

    def of(self, product: str) -> dict[str, str]:
        """Package -> version of one product, with all that was built from the same sources as its packages.

        Such packages depend on each other by exact version, so apt could install none of them without the others.
        """
        names = self.wanted[product].packages
        sources = {each.source for each in self.packages if each.name in names}
        return {each.name: each.version for each in self.packages if each.source in sources}


def proven_versions(provers: Sequence[Prover], *, quorum_percent: float) -> tuple[Versions, list[Problem]]:
    """Operating system -> product -> package -> version; and products on whose version too few laptops agree.

    Args:
        provers: the laptops of one ring.
        quorum_percent: share of the laptops with a product that must have one and the same version; and of
            these, the share that must have each package that comes with it.
    """
    found: dict[str, dict[str, Mapping[str, str]]] = {}
    problems: list[Problem] = []
    for os in sorted({each.device.os for each in provers}):
        here = [each for each in provers if each.device.os == os]
        for product in sorted({name for each in here for name, wish in each.wanted.items() if wish.can_be_held}):
            having = [each for each in here if product in each.wanted]
            chosen = _agreed(product, having, quorum_percent)
            if chosen:
                found.setdefault(os, {})[product] = _common(product, chosen, quorum_percent)
            else:
                problems.append(_disagreement(os, product, having))
    return found, problems


def _agreed(product: str, having: Sequence[Prover], quorum_percent: float) -> list[Prover]:
    """The laptops with the newest version that a quorum has; empty when no version has one."""
    counts = Counter(_version(product, each) for each in having)
    enough = [version for version, number in counts.items() if number * 100 >= quorum_percent * len(having)]
    newest = max(enough, key=lambda version: tuple(map(version_key, version)), default=None)
    return [each for each in having if _version(product, each) == newest]


def _version(product: str, laptop: Prover) -> tuple[str, ...]:
    installed = laptop.installed
    return tuple(installed.get(name, "") for name in laptop.wanted[product].packages)


def _common(product: str, laptops: Sequence[Prover], quorum_percent: float) -> dict[str, str]:
    """Package -> the newest version that a quorum of them has.

    Which packages were built from one source is each laptop's own word, and a few that lie must not hold any package
    of the next ring.
    """
    counts = Counter(entry for each in laptops for entry in each.of(product).items())
    found: dict[str, str] = {}
    for (name, version), number in counts.items():
        if number * 100 >= quorum_percent * len(laptops):
            found[name] = max(found.get(name, version), version, key=version_key)
    return found


def _disagreement(os: str, product: str, having: Sequence[Prover]) -> Problem:
    names: dict[str, list[str]] = {}
    for each in having:
        names.setdefault(_shown(product, each), []).append(each.device.hostname)
    words = "; ".join(f"{version} on {_some(devices)}" for version, devices in sorted(names.items(), key=_oldest))
    hint = "Bring these laptops up to date (their automatic updates do so), then again"
    return Problem(product, f"its laptops ({os}) do not agree on a version: {words}", hint)


def _shown(product: str, laptop: Prover) -> str:
    wish, installed = laptop.wanted[product], laptop.installed
    return min((installed[name] for name in wish.versioned if name in installed), key=version_key, default="none")


def _oldest(entry: tuple[str, list[str]]) -> tuple[Any, ...]:
    return version_key(entry[0])


def _some(devices: Sequence[str]) -> str:
    return devices[0] if len(devices) == 1 else f"{devices[0]} and {len(devices) - 1} more"
