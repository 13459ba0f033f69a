"""Packages of the chosen products, and the pins that hold them at a version."""

from __future__ import annotations

from collections.abc import Mapping

from mvpc.catalogue import PackagedProduct
from mvpc.errors import InputError
from mvpc.model import File, Package, Resource
from mvpc.render.software.chosen import Chosen
from mvpc.render.template import fill

PREFERENCES = "/etc/apt/preferences.d/50-mvpc"
"""Without pins there, unattended upgrades would lift a package over the version that a profile holds it at."""

NAMES_OF_ACCOUNTS = "libnss-systemd"
"""Gives a name to the account that checks run as (nss-systemd(8)). Without one neither LibreOffice nor D-Bus starts."""


def packages(chosen: Chosen, os: str, versions: Mapping[str, str]) -> tuple[Resource, ...]:
    """Packages that come and go. One that a product needs is kept although another product is absent.

    Args:
        chosen: the products of the profile.
        os: operating system of the laptop, `debian-13`.
        versions: package -> exact version, also of packages that products only bring along.

    Raises:
        InputError: a product has no packages for this operating system.
    """
    products = chosen.packaged.items()
    needed = {each for name, (product, _) in products for each in _names(name, product, os, chosen.languages)}
    needed |= {NAMES_OF_ACCOUNTS} if needed else set()
    dropped = {name for each in chosen.unwanted for name in each.packages_for(os, chosen.languages)} - needed
    pins = File(path=PREFERENCES, content=fill("apt-pins", versions=versions), present=True) if versions else None
    return (
        *((pins,) if pins else ()),
        *(Package(name=name, version=versions.get(name, "")) for name in sorted(needed)),
        *(Package(name=name, present=False) for name in sorted(dropped)),
    )


def _names(name: str, product: PackagedProduct, os: str, languages: tuple[str, ...]) -> tuple[str, ...]:
    found = product.packages_for(os, languages)
    if not found:
        raise InputError(
            f"product {name} has no packages for {os}",
            hint=f"Write software.{name}: absent for it, or add the packages to profiles/catalogue/{name}.yml",
        )
    return found
