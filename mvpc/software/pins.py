"""Which exact versions hold on a laptop: those that its profile pins, and those of the release that it follows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from mvpc.catalogue import Product
from mvpc.model import Device, Source
from mvpc.profiles import dotted
from mvpc.releases import Release
from mvpc.settings import Settings
from mvpc.software.questions import wishes


@dataclass(frozen=True, kw_only=True, slots=True)
class Pin:
    """One package at one exact version."""

    product: str
    package: str
    version: str
    is_own: bool
    """Whether it is one of the product's own packages, and not only built from the same sources."""
    path: str
    """The setting that says so: `software.qpdf.version.debian-13`, or `release.qpdf.libqpdf30`."""
    source: Source | None
    """The line of the release file; nothing where the profile says so."""


def pins(device: Device, settings: Settings, catalogue: Mapping[str, Product], release: Release | None) -> list[Pin]:
    """Every package that is held, by name. What a profile pins itself counts before the release."""
    found = {each.package: each for each in _pins(device, settings, catalogue, release)}
    return [found[name] for name in sorted(found)]


def _pins(
    device: Device, settings: Settings, catalogue: Mapping[str, Product], release: Release | None
) -> Iterator[Pin]:
    wanted = wishes(device, settings, catalogue)
    for name, wish in wanted.items():
        held = release.of(device.os, name) if release and not wish.version else {}
        for package, version in held.items():
            source = release.place((device.os, name, package)) if release else None
            path = dotted(("release", name, package))
            own = package in wish.packages
            yield Pin(product=name, package=package, version=version, is_own=own, path=path, source=source)
    for name, wish in wanted.items():
        path = dotted(("software", name, "version", device.os))
        for package in wish.versioned if wish.version else ():
            yield Pin(product=name, package=package, version=wish.version, is_own=True, path=path, source=None)
