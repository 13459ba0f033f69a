"""What software a laptop shall have, and what it is asked about it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from mvpc.catalogue import PackagedProduct, Product, Verify
from mvpc.model import Device
from mvpc.settings import Settings, present


@dataclass(frozen=True, kw_only=True, slots=True)
class SoftwareQuestion:
    """What one laptop is asked."""

    packages: tuple[str, ...] = ()
    """Names of packages; none means all that are installed."""
    checks: Mapping[str, tuple[Verify, ...]] = field(default_factory=dict)
    """Product -> commands that show that it works."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Wish:
    """One product that the profile of a laptop chose."""

    product: PackagedProduct
    packages: tuple[str, ...]
    """Every package that must be there."""
    versioned: tuple[str, ...]
    """Those whose version counts as the product's."""
    version: str
    """Exact version that is wanted; empty when any is."""


def wishes(device: Device, settings: Settings, catalogue: Mapping[str, Product]) -> dict[str, Wish]:
    """Product -> what is wanted of it on a laptop. Services of the web and kits have no packages and are left out."""
    found = {}
    for name, choice in sorted(settings.software.items()):
        product = catalogue[name]
        if choice.state == "present" and isinstance(product, PackagedProduct):
            found[name] = Wish(
                product=product,
                packages=product.packages_for(device.os, present(settings.base.languages)),
                versioned=product.pinned(device.os),
                version=choice.version.get(device.os) or "",
            )
    return found


def question(device: Device, settings: Settings, catalogue: Mapping[str, Product]) -> SoftwareQuestion:
    """What a laptop is asked: packages of all products, chosen or not, and whether the chosen ones work."""
    wanted = wishes(device, settings, catalogue)
    known = [each for each in catalogue.values() if isinstance(each, PackagedProduct)]
    names = {name for each in known for name in each.packages_for(device.os)}
    names |= {name for wish in wanted.values() for name in wish.packages}
    return SoftwareQuestion(
        packages=tuple(sorted(names)), checks={name: wish.product.verify for name, wish in wanted.items()}
    )
