"""Packages of the chosen products, and the pins that hold them at a version."""

from __future__ import annotations

from collections.abc import Mapping

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
    """
    products = [product for product, _ in chosen.packaged.values()]
    needed = {name for each in products for name in each.packages_for(os, chosen.languages)}
    needed |= {NAMES_OF_ACCOUNTS} if needed else set()
    dropped = {name for each in chosen.unwanted for name in each.packages_for(os, chosen.languages)} - needed
    pins = (File(path=PREFERENCES, content=fill("apt-pins", versions=versions)),) if versions else ()
    return (
        *pins,
        *(Package(name=name, version=versions.get(name, "")) for name in sorted(needed)),
        *(Package(name=name, present=False) for name in sorted(dropped)),
    )
