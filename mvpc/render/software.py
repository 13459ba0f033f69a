"""Component software: the products that a profile chose from the catalogue."""

from __future__ import annotations

from collections.abc import Mapping

from mvpc.catalogue import Product
from mvpc.errors import InputError
from mvpc.model import Device, Package, Resource, Unit


def resources(device: Device, chosen: Mapping[str, str], catalogue: Mapping[str, Product]) -> tuple[Resource, ...]:
    """Packages and units of all products. A package that one product needs is kept although another is absent.

    Raises:
        InputError: a chosen product has no packages for this laptop's operating system.
    """
    wanted = sorted(name for name, state in chosen.items() if state == "present")
    unwanted = [name for name, state in chosen.items() if state == "absent"]
    needed = {package for name in wanted for package in _packages(device, name, catalogue[name])}
    dropped = {package for name in unwanted for package in catalogue[name].packages_for(device.os)} - needed
    return (
        *(Package(name=name) for name in sorted(needed)),
        *(Package(name=name, present=False) for name in sorted(dropped)),
        *(Unit(name=unit) for name in wanted for unit in catalogue[name].units),
    )


def _packages(device: Device, name: str, product: Product) -> tuple[str, ...]:
    found = product.packages_for(device.os)
    if not found:
        raise InputError(
            f"product {name} has no packages for {device.os}",
            where=device.hostname,
            hint=f"Write software.{name}: absent for it, or add the packages to profiles/catalogue/{name}.yml",
        )
    return found
